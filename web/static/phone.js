// The test phone: what one does on it is sent without leaving the page, and what came last stays in sight.

const handset = document.querySelector(".handset");
const problem = document.getElementById("phone-problem");
const speak = document.getElementById("speak");
const ends = new Map();

function show(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

let talkedWith = "";

/** What is said belongs to the call that is on; when it has ended, its thread is shown. */
function follow() {
  const call = document.querySelector("#call [data-call]");
  if (!call && talkedWith && talkedWith !== handset.dataset.with) location.search = `?with=${encodeURIComponent(talkedWith)}`;
  talkedWith = call?.dataset.with ?? "";
  if (call) speak.action = `${location.pathname}/calls/${encodeURIComponent(call.dataset.call)}`;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method !== "post" || !(handset.contains(form) || form.matches("[data-quiet]"))) return;
  event.preventDefault();
  event.stopPropagation(); // keys are pressed twice, and quickly
  show("");
  const body = new FormData(form, event.submitter);
  const whole = form.enctype === "multipart/form-data" ? body : new URLSearchParams(body);
  if ("empties" in form.dataset) form.reset();
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { "X-Fragment": "1" }, body: whole });
    if (!answer.ok) {
      show(answer.headers.get("Content-Type")?.startsWith("text/plain") ? await answer.text() : handset.dataset.broken);
      if ("empties" in form.dataset) restore(form, body);
    }
  } catch {
    show(handset.dataset.broken);
    if ("empties" in form.dataset) restore(form, body);
  }
  document.dispatchEvent(new CustomEvent("clytie:look"));
}, true);

/** Give back what could not be sent. */
function restore(form, body) {
  const field = form.querySelector("textarea, input:not([type=hidden], [type=file])");
  if (!field.value) field.value = body.get(field.name) ?? "";
}

document.getElementById("text")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
});
handset.querySelector(".attach input")?.addEventListener("change", (event) => {
  event.target.closest(".attach").toggleAttribute("data-chosen", event.target.files.length > 0);
  document.getElementById("text").focus();
});
document.querySelector("form.write")?.addEventListener("reset", (event) => {
  event.target.querySelector(".attach")?.removeAttribute("data-chosen");
});

function toEnd(part) {
  const inner = part.querySelector(".sounds") ?? part;
  const fill = part.childElementCount ? (inner.lastElementChild?.textContent ?? "") + inner.childElementCount : "";
  if (ends.get(part.id) === fill) return;
  ends.set(part.id, fill);
  part.scrollTop = part.scrollHeight;
}

document.addEventListener("clytie:refreshed", (event) => {
  follow();
  if (event.detail.matches(".scrolls")) toEnd(event.detail);
});
follow();
for (const part of handset.querySelectorAll(".scrolls")) part.scrollTop = part.scrollHeight;
