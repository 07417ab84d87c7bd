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

// The servers have the text of a setting. What is not saved of it is no draft: it would come back once the setting was cleared.
const isDraft = (field) => field.dataset.saved === undefined;
const draftOf = (field) => `draft ${document.body.dataset.me} ${location.pathname} ${field.id}`;
const requestOf = (field) => one("[name=request]", field.form);
const keep = (field) => {
  if (!document.body.dataset.me || !isDraft(field)) return;
  const draft = JSON.stringify({ text: field.value, request: requestOf(field)?.value });
  field.value.trim() ? sessionStorage.setItem(draftOf(field), draft) : sessionStorage.removeItem(draftOf(field));
};
const recall = (field) => {
  const draft = document.body.dataset.me && isDraft(field) && JSON.parse(sessionStorage.getItem(draftOf(field)));
  if (!draft) return;
  field.value = draft.text;
  if (requestOf(field) && draft.request) requestOf(field).value = draft.request;
};
