// ---- Like and share: the croak's buttons change where they are

const react = async (form, button) => {
  if (button.ariaDisabled) return;
  button.ariaDisabled = "true";
  const croak = button.value, body = new URLSearchParams(new FormData(form));
  body.set("croak", croak);
  body.set("back", `/croak/${croak}`);
  const { page } = await attempt(button.formAction, body);
  const mine = one(".acts", document.getElementById(`croak-${croak}`)), theirs = page && one(`#croak-${croak} .acts`, page);
  button.ariaDisabled = null;
  if (!mine || !theirs) return say(page ? one("h1", page).textContent : "No connection. Try again.");
  mine.replaceWith(document.adoptNode(theirs));
  copyable();
  one(`#croak-${croak} [formaction="${new URL(button.formAction).pathname}"]`)?.focus({ preventScroll: true });
};

// ---- Deleting a croak: it goes from the page at once and from the servers after a while, or when the page is left. Until
// then it can be brought back. What was not confirmed is kept, and sent again by the next page; a second time does no harm

let held;
const HELD = "held", keptHeld = () => JSON.parse(localStorage.getItem(HELD));
const bar = make("div", "undo");
bar.setAttribute("role", "status");
document.body.append(bar);
const hide = (id, isHidden) => {
  for (const part of [document.getElementById(`croak-${id}`), one(`form[data-delete="${id}"]`)]) if (part) part.hidden = isHidden;
};
const hold = (id, form = []) => {
  settle();
  const body = new URLSearchParams(form), me = document.body.dataset.me, due = Date.now() + UNDO_MS;
  held = { id, body, timer: setTimeout(settle, UNDO_MS) };
  localStorage.setItem(HELD, JSON.stringify({ id, body: `${body}`, me, due }));
  hide(id, true);
  const undo = make("button", "", "Undo");
  undo.onclick = bringBack;
  bar.replaceChildren(make("span", "", "Croak deleted."), undo);
  undo.focus({ preventScroll: true });
  say(`Croak deleted. You can undo this for ${UNDO_MS / 1000} seconds.`);
};
const letGo = () => {
  const { id } = held, hadFocus = bar.contains(document.activeElement);
  clearTimeout(held.timer);
  held = undefined;
  bar.replaceChildren();
  if (hadFocus) (one(`#croak-${id}:not([hidden]) .more summary`) ?? one("main")).focus({ preventScroll: true });
};
const bringBack = () => {
  localStorage.removeItem(HELD);
  hide(held.id, false);
  letGo();
  say("Your croak is back.");
};
// Deletes what is held.
const settle = () => {
  if (!held) return;
  const { id, body } = held;
  letGo();
  remove(id, body);
};
const remove = async (id, body) => {
  for (let pause = 500; ; pause = Math.min(2 * pause, PAUSE_MS_MAX)) {
    const { page, done, status, trouble = "No connection." } = await attempt(`/croak/${id}`, body);
    if (page) {
      if (keptHeld()?.id === id) localStorage.removeItem(HELD);
      const croak = document.getElementById(`croak-${id}`);
      hide(id, false);
      if (done || status === 404) return croak && leave(croak);
      return say(`Not deleted. ${one("main [role=alert]", page)?.textContent ?? one("h1", page).textContent}`);
    }
    say(`${trouble} Your croak will be deleted when the servers are back.`);
    await wait(pause);
  }
};
// The page is left: nothing waits any longer. The next page of this browser makes sure.
const settleNow = () => {
  if (!held) return;
  localStorage.setItem(HELD, JSON.stringify({ ...keptHeld(), due: 0 }));
  fetch(`/croak/${held.id}`, { method: "POST", body: held.body, keepalive: true }).catch(() => {});
  letGo();
};
// Takes up what an earlier page has held and not confirmed.
const takeUp = () => {
  const kept = keptHeld();
  if (held) return hide(held.id, true);
  if (!kept || kept.me !== document.body.dataset.me || Date.now() < kept.due) return;
  hide(kept.id, true);
  remove(kept.id, new URLSearchParams(kept.body));
};
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-delete]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  link.closest("details").open = false;
  hold(link.dataset.delete);
});

// ---- The menu of a croak copies its address where the browser can

const copyable = () => {
  if (!navigator.clipboard) return;
  for (const link of all("[data-copy]:not(.copies)")) {
    link.textContent = "Copy link";
    link.className = "copies";
    link.addEventListener("click", (event) => {
      event.preventDefault();
      navigator.clipboard.writeText(link.href).then(() => say((link.textContent = "Copied")), () => location.assign(link.href));
    });
  }
};
