// Shows the number of unread notices, and of new croaks with them in the title.
const NOTICES = "nav a[href='/notifications'] .badge";
const retitle = () => {
  const number = fresh.length + Number(one(NOTICES)?.textContent || 0);
  document.title = (number ? `(${number}) ` : "") + document.title.replace(/^\(\d+\) /, "");
};
// Notifications of the browser, which the user switches on under /notifications. The stream then stays open while the page
// is hidden.
const notifies = () => window.Notification?.permission === "granted";
const noticed = (unread) => {
  const badge = one(NOTICES), before = Number(badge.textContent || 0);
  badge.textContent = unread || "";
  retitle();
  if (unread <= before) return;
  const words = unread === 1 ? "1 new notification" : `${unread} new notifications`;
  sayNow(words);
  if (place.dataset.notices !== undefined) press("Show new notifications", () => location.assign("/notifications"));
  if (document.hidden && notifies()) new Notification("ribbit", { body: words, tag: "notices", icon: "/favicon.svg" });
};
const askToNotify = () => {
  const offered = one("#notify");
  if (!offered || window.Notification?.permission !== "default") return;
  offered.hidden = false;
  one("button", offered).onclick = () => Notification.requestPermission().then(() => (offered.hidden = true));
};

// Handles a message event: updates the conversation if it is open here, else only the counter.
const MESSAGES = "nav a[href='/messages'] .badge";
const talked = (data) => {
  const [account, number] = data.split(" "), waiting = Number(number);
  if (place.dataset.with === account) return merge();
  one(MESSAGES).textContent = waiting || "";
  if (place.dataset.talks !== undefined) press("Show new messages", () => location.reload());
  if (waiting) say(`${waiting} unread messages`);
};
// Groups the messages of a list by author and by day, in the reader's own time zone.
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const arrange = () => {
  for (const day of all("#sayings > .day")) day.remove();
  let last = {};
  for (const item of all("#sayings > .said")) {
    const at = one("time", item), day = at ? DAY.format(new Date(at.dateTime)) : "";
    if (day && day !== last.day) item.before(make("li", "day", day));
    item.classList.toggle("next", day === last.day && item.dataset.author === last.author);
    last = { day, author: item.dataset.author };
  }
};
// Adds to a list of messages. The form stays in place while the list above it grows.
const grow = (list, add) => {
  const form = one("main .message-form"), top = form?.getBoundingClientRect().top;
  add();
  arrange();
  tell();
  one(".empty", list.parentNode)?.remove();
  if (form) scrollBy(0, form.getBoundingClientRect().top - top);
};
// Fetches the conversation and adds its new messages and the new delivery states. One fetch at a time, so that an older
// page is never shown after a newer one; what happens meanwhile is in the next.
let merging = false, changed = false;
const merge = async () => {
  changed = true;
  if (merging) return;
  merging = true;
  try {
    while (changed) {
      changed = false;
      await mergeNow();
    }
  } finally {
    merging = false;
  }
};
const mergeNow = async () => {
  const page = await read().catch(() => undefined), list = one("#sayings");
  if (!page || !list) return;
  grow(list, () => {
    for (const message of all("#sayings > .said", page)) {
      const mine = document.getElementById(message.id), ticks = one(".ticks", message);
      if (!mine) {
        list.append(document.adoptNode(message));
        if (message.matches(".theirs")) say(one(".text", message).textContent);
      } else if (ticks && ticks.className !== one(".ticks", mine).className) one(".ticks", mine).replaceWith(document.adoptNode(ticks));
    }
  });
  one(MESSAGES).textContent = one(MESSAGES, page).textContent;
  const receipt = one(".receipt", page)?.getAttribute("src");
  if (receipt) fetch(receipt);
};
