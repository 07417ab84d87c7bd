// A page like ribbit's feed, as it is usually built: Express and better-sqlite3. For benches/pages, which installs both.
//   node pages-peer.js DATABASE PORT PROCESSES
// A request looks up the session, the newest 50 posts of followed people by a join, and the unread messages, and renders them.
const cluster = require("node:cluster");
const Database = require("better-sqlite3");
const express = require("express");

const [file, port, processes] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const database = new Database(file);
database.pragma("journal_mode = WAL");
if (cluster.isPrimary) {
  database.exec(`
    CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, username TEXT UNIQUE, name TEXT);
    CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, user INTEGER);
    CREATE TABLE IF NOT EXISTS follows (follower INTEGER, friend INTEGER, PRIMARY KEY (follower, friend)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS posts (id INTEGER PRIMARY KEY, author INTEGER, created INTEGER, text TEXT);
    CREATE INDEX IF NOT EXISTS posts_of ON posts (author, id);
    CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, reader INTEGER, seen INTEGER);
    CREATE INDEX IF NOT EXISTS unseen ON messages (reader, seen);`);
  const user = database.prepare("INSERT OR IGNORE INTO users VALUES (?, ?, ?)");
  const follow = database.prepare("INSERT OR IGNORE INTO follows VALUES (6, ?)");
  for (let id = 1; id <= 6; id++) user.run(id, `ada${id}`, `ada${id}`);
  for (let id = 1; id <= 6; id++) follow.run(id);
  database.prepare("INSERT OR IGNORE INTO sessions VALUES ('bench', 6)").run();
  const post = database.prepare("INSERT OR IGNORE INTO posts VALUES (?, ?, ?, ?)");
  for (let id = 1; id <= 60; id++) post.run(id, 1 + (id % 5), Date.now(), `${id} ${"quak ".repeat(19)}`);
}
if (cluster.isPrimary && processes > 1) {
  for (let n = 0; n < processes; n++) cluster.fork();
} else {
  serve();
}

function serve() {
  const session = database.prepare(
    "SELECT users.id, users.username FROM sessions JOIN users ON users.id = sessions.user WHERE token = ?");
  const feed = database.prepare(`
    SELECT posts.id, posts.text, posts.created, users.username, users.name
    FROM follows JOIN posts ON posts.author = follows.friend JOIN users ON users.id = posts.author
    WHERE follows.follower = ? ORDER BY posts.id DESC LIMIT 50`);
  const unread = database.prepare("SELECT count(*) AS messages FROM messages WHERE reader = ? AND seen = 0");
  const escaped = { "&": "&#38;", "<": "&#60;", ">": "&#62;", '"': "&#34;", "'": "&#39;" };
  const escape = (text) => text.replace(/[&<>"']/g, (letter) => escaped[letter]);
  const post = (it) => `<article class="croak" id="croak-${it.id}">
<p class="by"><span class="face f3" aria-hidden="true">${escape(it.name[0].toUpperCase())}</span> <a class="author" href="/@${it.username}"><b><bdi>${escape(it.name)}</bdi></b> <span class="who">@${it.username}</span></a></p>
<p class="text">${escape(it.text)}</p>
<p class="when"><a href="/croak/${it.id}"><time datetime="${new Date(it.created).toISOString()}"><span class="ago">just now</span> · <span class="at">${new Date(it.created).toISOString()}</span></time></a></p>
</article>
`;
  const app = express();
  app.disable("x-powered-by");
  app.set("etag", false);
  app.get("/main", (request, response) => {
    const token = /(?:^|; )session=([^;]+)/.exec(request.headers.cookie || "");
    const me = token && session.get(token[1]);
    if (!me) return response.redirect(303, "/login");
    const posts = feed.all(me.id).map(post).join("");
    response.set("Cache-Control", "no-store").type("html").send(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Feed</title><link rel="stylesheet" href="/style.css"></head>
<body><nav><a href="/main">Feed</a> <a href="/messages">Messages (${unread.get(me.id).messages})</a></nav>
<main><h1>Feed</h1><p>Logged in as @${escape(me.username)}</p>
<form method="post" action="/main"><textarea name="post"></textarea><button>Croak</button></form>
${posts}</main></body></html>
`);
  });
  app.listen(port, "127.0.0.1");
}
