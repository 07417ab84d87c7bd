// ---- Live

let source, fresh = [], place, cursor, reopen, toldAt = 0;
const close = () => {
  clearTimeout(reopen);
  source?.close();
  source = undefined;
};
const open = () => {
  if (source || !cursor || (document.hidden && !notifies())) return;
  const croaks = all("article.croak").slice(0, COUNTED_MAX).map(idOf);
  source = new EventSource(`/live?from=${cursor}&feed=${place.dataset.feed ?? ""}&croaks=${croaks}`);
  const on = (name, heard) => source.addEventListener(name, (event) => {
    cursor = event.lastEventId;
    heard(event.data);
  });
  on("beat", () => {});
  on("croak", arrived);
  on("gone", gone);
  on("count", counted);
  on("talk", talked);
  on("notices", (unread) => noticed(Number(unread)));
  on("said", saidInRoom);
  on("unsaid", unsaidInRoom);
  on("left", leftRoom);
  on("rooms", (unread) => (one(ROOMS).textContent = unread));
  on("invited", () => place.dataset.rooms !== undefined && press("Show new invitations", () => location.reload()));
  source.addEventListener("again", () => {
    if (place.dataset.feed !== undefined) return offer("Show new croaks", () => location.assign(location.pathname));
    if (one("main .arrivals")) return offer("Show what is new", () => location.reload());
    // Nothing here depends on what was missed but counts and badges: go on from now.
    close();
    cursor = "now";
    open();
  });
  source.addEventListener("ended", () => offer("You've been logged out. Log in again", () => location.assign("/login")));
  source.onerror = () => {
    if (source?.readyState !== EventSource.CLOSED) return;
    close();
    reopen = setTimeout(open, REOPEN_MS);
  };
};
document.addEventListener("visibilitychange", () => (document.hidden && !notifies() ? close() : open()));
const press = (words, pressed) => {
  if (!place.isConnected) one("main h1").after(place);
  const shown = one("button", place) ?? place.appendChild(make("button", "", ""));
  shown.type = "button";
  shown.textContent = words;
  shown.onclick = pressed;
};
// Ends the stream with a button.
const offer = (words, pressed) => {
  close();
  cursor = undefined;
  press(words, pressed);
  say(words);
};
// Announces a text, unless another was announced a moment ago.
const sayNow = (words) => {
  if (Date.now() - toldAt <= SAY_MS) return;
  toldAt = Date.now();
  say(words);
};
const arrived = (html) => {
  const croak = parse(html).body.firstElementChild;
  if (place.dataset.feed === undefined || !croak || document.getElementById(croak.id) || fresh.some((other) => other.id === croak.id)) return;
  fresh.unshift(document.adoptNode(croak));
  if (fresh.length > FRESH_MAX) return offer("Show many new croaks", () => location.assign(location.pathname));
  press(freshWords(), insert);
  retitle();
  sayNow(freshWords());
};
const freshWords = () => (fresh.length === 1 ? "1 new croak" : `${fresh.length} new croaks`);
const gone = (id) => {
  const isGone = (croak) => croak.id === `croak-${id}` || one(`[data-share="${id}"]`, croak);
  const before = fresh.length;
  fresh = fresh.filter((croak) => !isGone(croak));
  if (fresh.length < before) fresh.length ? press(freshWords(), insert) : place.replaceChildren();
  for (const croak of all("article.croak").filter(isGone)) leave(croak);
  retitle();
};
// Removes a croak. In a thread it leaves a gap, as on the page that the servers would send now.
const leave = (croak) => {
  const hadFocus = croak.contains(document.activeElement), next = croak.nextElementSibling;
  if (croak.closest(".focus")) {
    one(".text", croak).textContent = "This croak was deleted.";
    one(".acts", croak).remove();
    one("#delete")?.remove();
  } else if (croak.closest(".thread")) croak.replaceWith(make("p", "gap", "This croak was deleted or is not for you."));
  else croak.remove();
  if (!hadFocus) return;
  (next?.matches("article") ? one("a", next) : one("main")).focus({ preventScroll: true });
};
// Shows the numbers of replies, likes and shares of a croak.
const counted = (data) => {
  const [id, replies, likes, shares] = data.split(" "), isIt = (croak) => croak.id === `croak-${id}`;
  const acts = one(".acts", [...all("article.croak"), ...fresh].find(isIt) ?? make("p", "", ""));
  if (!acts) return;
  const reply = one("a.act", acts), before = Number(one("b", reply)?.textContent ?? 0);
  reply.replaceChildren("Reply", ...(Number(replies) ? [" ", make("b", "", replies)] : []));
  [likes, shares].forEach((number, at) => {
    const holder = all(":scope > span", acts)[at], what = ["likes", "shares"][at];
    let link = one("a", holder);
    if (!Number(number)) return link?.remove();
    if (!link) {
      link = make("a", "", "");
      link.href = `/croak/${id}/${what}`;
      link.append(make("b", "", ""));
      holder.append(" ", link);
    }
    link.ariaLabel = number === "1" ? `1 ${what.slice(0, -1)}` : `${number} ${what}`;
    one("b", link).textContent = number;
  });
  if (place.dataset.thread === id && Number(replies) > before) press("Show new replies", () => location.reload());
};
const insert = () => {
  const first = fresh[0];
  one(".empty", place.parentNode)?.remove();
  place.replaceChildren();
  place.after(...fresh);
  fresh = [];
  copyable();
  retitle();
  tell();
  first.tabIndex = -1;
  first.focus();
  // The feed was read up to here: a share as far as its own position.
  if (place.dataset.feed === "main") fetch("/shown?feed=" + (one("[data-share]", first)?.dataset.share ?? idOf(first)));
  // The counts of the new ones are wanted, too.
  close();
  open();
};
