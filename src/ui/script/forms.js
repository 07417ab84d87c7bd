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
