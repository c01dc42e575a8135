// A problem of a line's text leads to its place; Tab writes two spaces, Escape leaves the text.

const text = document.getElementById("text");

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-goto-line]");
  if (!link) return;
  event.preventDefault();
  const lines = text.value.split("\n");
  const number = Math.min(Number(link.dataset.gotoLine), lines.length) - 1;
  const start = lines.slice(0, number).join("\n").length + (number ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + lines[number].length);
  text.scrollTop = Math.max(0, (text.scrollHeight / lines.length) * (number - 4));
});

text.addEventListener("keydown", (event) => {
  if (event.key === "Escape") text.blur();
  if (event.key !== "Tab" || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  text.setRangeText("  ", text.selectionStart, text.selectionEnd, "end");
});
