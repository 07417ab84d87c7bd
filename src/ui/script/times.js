// ---- Times

const UNITS = [[31536000, "year"], [2592000, "month"], [86400, "day"], [3600, "hour"], [60, "minute"]];
// Times in the reader's own time zone and language. Without a script they are in UTC.
const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
let skew = 0;
const tell = () => {
  for (const time of all("time[datetime]:not([title])")) {
    const at = new Date(time.dateTime), shown = one(".at", time) ?? time;
    time.title = FULL.format(at);
    shown.textContent = (time.closest(".said") ? CLOCK : LOCAL).format(at);
  }
  for (const ago of all("time > .ago")) {
    const seconds = (Date.now() - skew - Date.parse(ago.parentNode.dateTime)) / 1000;
    const [unit, name] = UNITS.find(([unit]) => seconds >= unit) ?? [];
    const number = Math.floor(seconds / unit);
    ago.textContent = unit ? `${number} ${name}${number === 1 ? "" : "s"} ago` : "just now";
  }
};
setInterval(tell, 20000);

// ---- Pages that refresh by themselves

let again;
const look = async () => {
  if (document.hidden) return;
  const page = await read().catch(() => undefined), focused = document.activeElement?.id;
  const opened = all("main details[open]").map((details) => details.id);
  if (page) show(page);
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
};
