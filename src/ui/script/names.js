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
