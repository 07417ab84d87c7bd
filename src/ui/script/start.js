// ---- The menu of the navigation closes with Escape and with a click elsewhere

const closeMenu = (event) => {
  const menu = one("details.menu[open]");
  if (!menu || menu.contains(event.type === "click" ? event.target : null)) return;
  menu.open = false;
  if (event.type === "keydown") one("summary", menu).focus();
};
document.addEventListener("click", closeMenu);
document.addEventListener("keydown", (event) => event.key === "Escape" && closeMenu(event));

// ---- Set-up of the page that is shown now

function begin() {
  const now = Number(document.body.dataset.now);
  skew = now ? Date.now() - now : 0;
  arrange();
  tell();
  copyable();
  takeUp();
  fresh = [];
  shown = here();
  for (const field of all("[data-chars-max]")) {
    field.value ? keep(field) : recall(field);
    field.addEventListener("input", () => {
      keep(field);
      recount(field);
    });
    recount(field);
  }
  place = one(".arrivals") ?? make("div", "arrivals", "");
  cursor = document.body.dataset.live;
  // A conversation is shown from its end.
  if (place.dataset.with || place.dataset.room) one("main form")?.scrollIntoView({ block: "end" });
  askToNotify();
  open();
  clearInterval(again);
  const seconds = one("main").dataset.again;
  if (seconds) again = setInterval(look, seconds * 1000);
}
addEventListener("popstate", () => here() !== shown && location.reload());
addEventListener("pagehide", () => {
  settleNow();
  markRoom();
  close();
});
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  all("form").forEach(release);
  open();
});
begin();
