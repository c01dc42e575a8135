// Keyboard: on lists j and k move, Enter or o opens, a presses the row's first action; / searches, ? tells the keys.
// What carries data-hotkey="x" is pressed by x, or gets the cursor when it is a field.

function rows() {
  return [...document.querySelectorAll("[data-row]")];
}

function choose(row) {
  document.querySelector(".chosen")?.classList.remove("chosen");
  row.classList.add("chosen");
  row.scrollIntoView({ block: "nearest" });
  row.querySelector("a")?.focus({ preventScroll: true });
}

function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("chosen"));
  choose(all[Math.min(Math.max(at + by, 0), all.length - 1)] ?? all[0]);
}

function useHotkey(key) {
  const target = key.length === 1 && document.querySelector(`[data-hotkey="${CSS.escape(key)}"]`);
  if (!target) return false;
  if (target.matches("textarea, select, input")) target.focus();
  else target.click();
  target.parentElement?.matches("details[open]") && target.parentElement.querySelector("textarea, input")?.focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input, textarea, select")) return;
  const chosen = document.querySelector("[data-row].chosen");
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "a" && chosen) chosen.querySelector("[data-first-action]")?.click();
  else if (event.key === "o" && chosen) chosen.querySelector("a")?.click();
  else if (event.key === "/" && document.querySelector("input[type=search]"))
    document.querySelector("input[type=search]").focus();
  else if (event.key === "?") document.getElementById("keys")?.togglePopover?.();
  else if (!useHotkey(event.key)) return;
  event.preventDefault();
});
