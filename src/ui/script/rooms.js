// ---- Rooms

// Marks what is on the page as read, at most once in this time: a room may have many readers.
const MARK_MS = 10000;
let marking;
const markRoom = () => {
  clearTimeout(marking);
  const last = all("#sayings > .said").at(-1);
  if (!marking || !last || !place.dataset.room) return;
  marking = undefined;
  const through = last.id.replace("said-", "");
  fetch(`/shown?room=${place.dataset.name}&through=${through}`, { keepalive: true });
};
const ROOMS = "nav a[href='/rooms'] .badge";
const saidInRoom = (data) => {
  const end = data.indexOf("\n"), room = data.slice(0, end), list = one("#sayings");
  const item = one(".said", parse(data.slice(end)));
  if (!item || document.getElementById(item.id)) return;
  const mine = one(".author", item)?.getAttribute("href") === `/@${document.body.dataset.me}`;
  if (place.dataset.room !== room || !list) {
    // The number of what is unread in all rooms. One with a plus sign is counted no further.
    const badge = one(ROOMS), before = badge.textContent;
    if (!mine && !before.endsWith("+")) badge.textContent = Number(before) + 1;
    if (place.dataset.rooms !== undefined) press("Show new messages", () => location.reload());
    return;
  }
  if (mine) item.classList.replace("theirs", "mine");
  grow(list, () => list.append(document.adoptNode(item)));
  if (mine) return;
  say(one(".text", item).textContent);
  marking ??= setTimeout(markRoom, MARK_MS);
};
const unsaidInRoom = (data) => {
  const item = document.getElementById("said-" + data.split(" ")[1]);
  if (!item) return;
  const text = one(".text", item);
  text.textContent = "This message was removed.";
  text.classList.add("gone");
  one("details", item)?.remove();
};
const leftRoom = (room) => {
  if (place.dataset.room === room) offer("You are not in this room any more", () => location.assign("/rooms"));
};
