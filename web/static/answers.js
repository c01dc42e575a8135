// Writing an answer: it is kept while one types, files are taken at once, sending can be undone for some seconds.

const form = document.getElementById("answer-form");
const state = document.getElementById("draft-state");
const thread = document.getElementById("thread");
let timer = 0;
let untold = false;

async function keep() {
  clearTimeout(timer);
  untold = false;
  state.textContent = form.dataset.saving;
  try {
    const answer = await fetch(form.dataset.draft, {
      method: "POST",
      headers: { "X-Fragment": "1" },
      body: new URLSearchParams(new FormData(form)),
    });
    state.textContent = answer.ok ? form.dataset.saved : form.dataset.unsaved;
    untold = !answer.ok;
  } catch {
    state.textContent = form.dataset.unsaved;
    untold = true;
  }
  if (untold) timer = setTimeout(keep, 5000);
}

form.addEventListener("input", () => {
  untold = true;
  clearTimeout(timer);
  timer = setTimeout(keep, 900);
});
form.addEventListener("submit", () => {
  clearTimeout(timer);
  untold = false;
});
addEventListener("beforeunload", (event) => {
  if (untold) event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.contains(event.target)) {
    event.preventDefault();
    form.requestSubmit(form.querySelector("[data-send]"));
  }
  if (event.key === "Escape" && form.contains(event.target)) event.target.blur();
});

// whoever has not begun to write has seen what just came in
document.addEventListener("clytie:refreshed", (event) => {
  const newest = event.detail === thread && thread.querySelector("[data-newest]")?.dataset.newest;
  if (newest && !form.elements.text.value.trim()) form.elements.seen.value = newest;
  countDown();
});

const list = document.getElementById("answer-files");
const files = document.getElementById("files-form");
files.elements.file.addEventListener("change", async () => {
  list.textContent = files.dataset.uploading;
  try {
    const answer = await fetch(files.action, {
      method: "POST",
      headers: { "X-Fragment": "1" },
      body: new FormData(files),
    });
    list.innerHTML = answer.ok || answer.status === 422 ? await answer.text() : files.dataset.broken;
  } catch {
    list.textContent = files.dataset.broken;
  }
  files.elements.file.value = "";
});
list.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-drop-file]");
  if (!button) return;
  event.preventDefault();
  const body = new URLSearchParams({ csrf: form.elements.csrf.value, file: button.value });
  const answer = await fetch(button.getAttribute("formaction"), {
    method: "POST",
    headers: { "X-Fragment": "1" },
    body,
  });
  if (answer.ok) list.innerHTML = await answer.text();
});

// in a long thread what came last is what one wants to read
const steps = thread.querySelectorAll("article");
if (!location.hash && !location.search && steps.length > 3) steps[steps.length - 1].scrollIntoView({ block: "center" });

let counting = 0;
let ends = 0;
function countDown() {
  const bar = document.querySelector("[data-undo]");
  if (!bar) return;
  if (bar.dataset.undo) ends = Date.now() + 1000 * Number(bar.dataset.undo);
  bar.dataset.undo = "";
  clearInterval(counting);
  const show = () => {
    const here = document.querySelector("[data-undo]");
    const left = Math.ceil((ends - Date.now()) / 1000);
    if (!here || left <= 0) {
      here?.remove();
      clearInterval(counting);
      return;
    }
    here.querySelector("[data-undo-left]").textContent = `${left} s`;
  };
  show();
  counting = setInterval(show, 250);
}
countDown();
