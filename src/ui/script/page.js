// Optional additions to pages that work without a script: forms that keep their text while the servers are unreachable, live
// croaks and messages, a character counter, relative times that stay current.
//
// Here: limits, small helpers, and exchanging the page for another one.

// Time for which a form is retried before the user has to send it again, and the longest pause between two tries.
const RETRY_MS_MAX = 30000, PAUSE_MS_MAX = 4000;
// Timeout of one try.
const SEND_MS_MAX = 8000;
// Number of new croaks held back behind the button; with more, the button reloads the page.
const FRESH_MAX = 99;
// Shortest time between two announcements of new croaks to screen readers.
const SAY_MS = 5000;
// Pause in typing after which names are looked for.
const FIND_MS = 200;
// Time for which a deleted croak can be brought back.
const UNDO_MS = 10000;
// Number of croaks on a page whose counts are kept current.
const COUNTED_MAX = 128;
// Pause before a stream that the browser has closed is opened again.
const REOPEN_MS = 3000;

const one = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const idOf = (croak) => croak.id.replace("croak-", "");
const make = (tag, className, words = "") =>
  Object.assign(document.createElement(tag), { className, textContent: words });

// Announces a text to screen readers.
const said = make("p", "sr");
said.setAttribute("role", "status");
document.body.append(said);
const say = (words) => { said.textContent = words; };

// The only place where text becomes HTML. Its input is a page of this site or a croak of the live stream, both escaped by the
// templates. Scripts in it do not run.
const policy = window.trustedTypes?.createPolicy("ribbit", { createHTML: (html) => html });
const parse = (html) => new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, "text/html");

// Fetches this page anew.
const read = async () => {
  const answer = await fetch(location.href, { signal: AbortSignal.timeout(SEND_MS_MAX) });
  if (answer.url !== location.href) location.assign(answer.url);
  const page = parse(await answer.text());
  return one("main", page) && answer.url === location.href ? page : undefined;
};

// Replaces this page by one that was fetched.
let shown;
const here = () => location.pathname + location.search;
const show = (page, url) => {
  close();
  for (const part of ["header", "main", "footer"]) one(part).replaceWith(document.adoptNode(one(part, page)));
  document.title = page.title;
  document.body.className = page.body.className;
  for (const name of ["now", "me", "live"]) document.body.dataset[name] = page.body.dataset[name] ?? "";
  if (url && url !== location.href) history.pushState(null, "", url);
  begin();
};

// Moves the focus after a form was sent: to the refused field, to the text area, or to the top.
const arrive = (wrote) => {
  const wrong = one("main [aria-invalid]"), words = one("main [role=alert], main .note");
  scrollTo(0, 0);
  const place = wrong || (wrote && one("main textarea"));
  place ? place.focus() : one("main").focus({ preventScroll: true });
  say(words?.textContent ?? (wrong ? "" : document.title));
};
