// Optional additions to pages that work without a script: forms that keep their text while the servers are unreachable, live
// croaks and messages, a character counter, relative times that stay current.
"use strict";
(() => {
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

  // ---- Forms

  const busy = new WeakMap();
  const stateOf = (form) => {
    let state = one(".sending", form);
    if (!state) {
      state = make("p", "sending");
      state.setAttribute("role", "status");
      form.append(state);
    }
    return state;
  };
  const setBusy = (form, button, isBusy) => {
    for (const field of all("input:not([type=hidden]), textarea", form)) field.readOnly = isBusy;
    if (!button) return;
    button.dataset.words ??= button.textContent;
    button.textContent = isBusy ? "Sending…" : button.dataset.words;
    isBusy ? button.setAttribute("aria-disabled", "true") : button.removeAttribute("aria-disabled");
  };
  const release = (form) => {
    const state = busy.get(form);
    busy.delete(form);
    if (state) setBusy(form, state.button, false);
  };

  // Sends a form once. Returns a page, or the error when another try may help.
  const attempt = async (action, body) => {
    try {
      const answer = await fetch(action, { method: "POST", body, signal: AbortSignal.timeout(SEND_MS_MAX) });
      const page = parse(await answer.text());
      const { status, url, ok: done } = answer;
      if (status < 500 && status !== 408 && one("main", page)) return { page, url, done, status };
      return { trouble: one(".trouble b", page)?.textContent };
    } catch {
      return {};
    }
  };

  // Retries a form. Each try carries the same request id, so it takes effect once.
  const send = async (form, button) => {
    const body = new URLSearchParams(new FormData(form));
    if (button?.name) body.append(button.name, button.value);
    const mine = { button }, action = button?.getAttribute("formaction") ?? form.action;
    busy.set(form, mine);
    // Created empty before its text is set: screen readers only announce changes.
    stateOf(form).textContent = "";
    setBusy(form, button, true);
    const until = Date.now() + RETRY_MS_MAX;
    for (let pause = 500; ; pause = Math.min(2 * pause, PAUSE_MS_MAX)) {
      const { page, url, done, trouble = "No connection." } = await attempt(action, body);
      if (busy.get(form) !== mine) return;
      if (page) {
        if (done) for (const field of all("textarea", form)) sessionStorage.removeItem(draftOf(field));
        show(page, url);
        return arrive(one("textarea", form));
      }
      if (Date.now() + pause > until) break;
      stateOf(form).textContent = `${trouble} Your text is safe and will be sent automatically.`;
      await wait(pause);
      if (busy.get(form) !== mine) return;
    }
    release(form);
    stateOf(form).textContent = "Not sent. Your text is still here. Try again; it won't be sent twice.";
    button?.focus();
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    event.preventDefault();
    if (event.submitter?.matches("[aria-pressed]")) return react(form, event.submitter);
    if (form.dataset.delete) return hold(form.dataset.delete, new FormData(form));
    if (!busy.has(form)) send(form, event.submitter ?? one("button", form));
  });

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

  // ---- People are found while their name is typed: the list is that of the page that the form leads to

  let finding;
  const find = async (form) => {
    finding?.abort();
    finding = new AbortController();
    const { signal } = finding, url = `${form.action}?${new URLSearchParams(new FormData(form))}`;
    await wait(FIND_MS);
    if (signal.aborted) return;
    const html = await fetch(url, { signal }).then((answer) => answer.text(), () => "");
    const found = html && !signal.aborted && one("#results", parse(html));
    if (!found || !form.isConnected) return;
    one("#results").replaceWith(document.adoptNode(found));
    history.replaceState(null, "", url);
    shown = here();
    const people = all("#results .people > li").length;
    say(people ? `${people} ${people === 1 ? "person" : "people"}` : one("#results .empty")?.textContent ?? "");
  };
  document.addEventListener("input", (event) => {
    const form = event.target.closest?.("form[data-find]");
    if (form) find(form);
  });

  // ---- Names are completed while they are typed. The arrows choose, Enter or Tab takes what is chosen, Escape closes the list

  let field, chosen = -1, completing;
  const options = make("ul", "options");
  options.id = "options";
  options.setAttribute("role", "listbox");
  options.setAttribute("aria-label", "Names");
  // Returns the name at the cursor: where it begins, and as far as it is typed.
  const typedName = (at) => {
    const before = at.value.slice(0, at.selectionStart);
    if (at.matches("[data-names]")) return /^@?[\w-]+$/.test(before) ? { begins: 0, name: "@" + before.replace("@", "") } : undefined;
    const [, name] = before.match(/(?:^|\s)([@#][\w-]{1,32})$/) ?? [];
    return name && { begins: before.length - name.length, name };
  };
  const closeOptions = () => {
    completing?.abort();
    options.remove();
    for (const name of ["aria-controls", "aria-activedescendant"]) field?.removeAttribute(name);
    chosen = -1;
  };
  const choose = (at) => {
    const items = all("li", options);
    chosen = (at + items.length) % items.length;
    items.forEach((item, index) => item.setAttribute("aria-selected", index === chosen));
    items[chosen].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", items[chosen].id);
  };
  const take = (item) => {
    const { begins } = typedName(field) ?? {}, isOnly = field.matches("[data-names]");
    if (begins === undefined) return closeOptions();
    const text = isOnly ? item.dataset.text.slice(1) : item.dataset.text + " ";
    field.setRangeText(text, begins, field.selectionStart, "end");
    closeOptions();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const complete = async (at) => {
    closeOptions();
    field = at;
    const typed = typedName(at);
    if (!typed) return;
    completing = new AbortController();
    const { signal } = completing;
    await wait(FIND_MS);
    if (signal.aborted) return;
    const found = await fetch("/complete?" + new URLSearchParams({ q: typed.name }), { signal })
      .then((answer) => (answer.ok ? answer.json() : []), () => []);
    const news = found.filter(({ text }) => text !== typed.name);
    if (signal.aborted || !news.length || document.activeElement !== at) return;
    options.replaceChildren(...news.map(({ text, about }, index) => {
      const item = make("li", "", "");
      item.append(make("b", "", text), " ", make("span", "who", about));
      item.id = `option-${index}`;
      item.dataset.text = text;
      item.setAttribute("role", "option");
      item.onpointerdown = (event) => {
        event.preventDefault();
        take(item);
      };
      return item;
    }));
    at.after(options);
    at.setAttribute("aria-autocomplete", "list");
    at.setAttribute("aria-controls", options.id);
    say(`${news.length} ${news.length === 1 ? "name" : "names"}. Choose with the arrow keys.`);
  };
  const completes = (at) => at.matches?.("textarea[data-chars-max], [data-names]");
  document.addEventListener("input", (event) => completes(event.target) && complete(event.target));
  document.addEventListener("focusout", closeOptions);
  document.addEventListener("keydown", (event) => {
    if (!options.isConnected || event.isComposing) return;
    const isTaking = (event.key === "Enter" || event.key === "Tab") && chosen >= 0;
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen < 0 ? -1 : chosen - 1);
    else if (event.key === "Escape") closeOptions();
    else if (isTaking) take(all("li", options)[chosen]);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  // ---- Ctrl+Enter sends. In a conversation or a room Enter alone sends, too, and Shift+Enter breaks the line; on a touch screen Enter breaks the line

  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (event.key !== "Enter" || !field.matches("textarea")) return;
    const isPlain = !event.shiftKey && !event.isComposing && !matchMedia("(pointer: coarse)").matches;
    if (!event.ctrlKey && !event.metaKey && !(isPlain && field.matches("[data-enter]"))) return;
    event.preventDefault();
    field.form.requestSubmit();
  });

  // ---- Character counter. Counts as the servers do: Unicode scalar values, a line break counts as one. People see fewer
  // characters where several values make one; what is too much is counted in what they see

  const count = (text) => [...text.replace(/\r\n?/g, "\n")].length;
  const segmenter = Intl.Segmenter && new Intl.Segmenter();
  const visible = (text) => (segmenter ? [...segmenter.segment(text)].map((part) => part.segment) : [...text]);
  const recount = (field) => {
    const max = field.dataset.charsMax, left = max - count(field.value), shown = document.getElementById(`${field.id}-count`);
    const parts = left <= 20 ? visible(field.value) : [];
    let over = 0;
    for (let rest = max - left; rest > max; over += 1) rest -= count(parts[parts.length - 1 - over]);
    const several = parts.length < max - left ? ` (some of the ${parts.length} count as several)` : "";
    shown.textContent = over ? `${over} too many${several}` : left <= 20 ? left + " left" + several : "";
    shown.classList.toggle("over", left < 0);
    if (left === 20 || left === 0 || left === -1) say(shown.textContent);
  };

  // ---- Drafts: unsent text survives leaving the page, together with the request id of its form

  const draftOf = (field) => `draft ${document.body.dataset.me} ${location.pathname} ${field.id}`;
  const requestOf = (field) => one("[name=request]", field.form);
  const keep = (field) => {
    if (!document.body.dataset.me) return;
    const draft = JSON.stringify({ text: field.value, request: requestOf(field)?.value });
    field.value.trim() ? sessionStorage.setItem(draftOf(field), draft) : sessionStorage.removeItem(draftOf(field));
  };
  const recall = (field) => {
    const draft = document.body.dataset.me && JSON.parse(sessionStorage.getItem(draftOf(field)));
    if (!draft) return;
    field.value = draft.text;
    if (requestOf(field) && draft.request) requestOf(field).value = draft.request;
  };

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
    source = new EventSource(`/live?from=${cursor}&croaks=${croaks}`);
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
    on("invited", () => place.dataset.rooms !== undefined && press("Show new invitations", () => location.reload()));
    source.addEventListener("again", () => {
      if (place.dataset.feed !== undefined) return offer("Show new croaks", () => location.assign("/main"));
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
    if (fresh.length > FRESH_MAX) return offer("Show many new croaks", () => location.assign("/main"));
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
    // A share is shown as far as the share's own position.
    fetch("/shown?feed=" + (one("[data-share]", first)?.dataset.share ?? idOf(first)));
    // The counts of the new ones are wanted, too.
    close();
    open();
  };

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
  const saidInRoom = (data) => {
    const end = data.indexOf("\n"), room = data.slice(0, end), list = one("#sayings");
    if (place.dataset.rooms !== undefined) return press("Show new messages", () => location.reload());
    if (place.dataset.room !== room || !list) return;
    const item = one(".said", parse(data.slice(end)));
    if (!item || document.getElementById(item.id)) return;
    const mine = item.dataset.author === place.dataset.me;
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

  document.addEventListener("visibilitychange", () => (document.hidden && !notifies() ? close() : open()));

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
})();
