// Calls on every page: what rings or talks is shown at once, time runs, calling and hanging up leave the page as it is,
// and after a talk the outcome of its task is asked for.

const bar = document.getElementById("calls");
const trouble = document.getElementById("call-trouble");
const status = document.getElementById("live-status");
const told = new Set();

/** Numbers of calls that a store remembers: what one window was told need not be told by the next. */
function notes(store, name) {
  const read = () => JSON.parse(store.getItem(name) ?? "[]");
  return {
    has: (call) => read().includes(call),
    add: (call) => call && !read().includes(call) && store.setItem(name, JSON.stringify([...read(), call].slice(-50))),
  };
}
const dismissed = notes(localStorage, "calls-dismissed"); // in any window
const lived = notes(sessionStorage, "calls-lived"); // seen here while they went on
const placed = notes(sessionStorage, "calls-placed"); // from this window: the one that asks how they ended
const title = document.title;

/** Seconds as phones show them. */
function talk(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

// the page's clock is the house's: how far it runs apart from this machine's is known when a time is first seen
const apart = new WeakMap();
function tick() {
  for (const place of document.querySelectorAll("[data-since]")) {
    if (!apart.has(place)) apart.set(place, Date.parse(place.dataset.now) - Date.now());
    const since = Date.now() + apart.get(place) - Date.parse(place.dataset.since);
    place.textContent = talk(Math.max(0, Math.round(since / 1000)));
  }
}
setInterval(tick, 1000);

/** The outcome's form of this page, with what the call suggests; nothing is taken away that was chosen or written. */
function askForOutcome(entry) {
  const form = document.getElementById("finish");
  if (location.pathname !== `/tasks/${entry.dataset.task}` || !form) return false;
  const chosen = form.querySelector("[name=result]:checked");
  const suggested = form.querySelector(`[name=result][value="${CSS.escape(entry.dataset.suggested)}"]`);
  if (!chosen && suggested) {
    suggested.checked = true;
    const hint = document.getElementById("suggestion");
    if (hint) hint.hidden = false;
  }
  form.scrollIntoView({ block: "center" });
  if (!form.contains(document.activeElement)) (chosen ?? suggested ?? form.querySelector("[name=result]"))?.focus();
  return true;
}

function openTask(task) {
  const path = `/tasks/${task}`;
  const same = location.pathname === path;
  location.assign(`${path}#finish`);
  if (same) location.reload();
}

function isWriting() {
  return Boolean(document.querySelector("main [data-dirty]"));
}

function dismiss(entry) {
  dismissed.add(entry.dataset.call);
  entry.remove();
}

function look() {
  for (const entry of bar.querySelectorAll("[data-call]")) {
    const { call, phase } = entry.dataset;
    const over = phase === "outcome" || phase === "ended";
    if (over && (dismissed.has(call) || (phase === "ended" && !lived.has(call)))) {
      entry.remove();
      continue;
    }
    if (!over) lived.add(call);
    const key = `${call} ${phase}`;
    if (told.has(key)) continue;
    told.add(key);
    if (status) status.textContent = entry.dataset.announce;
    if (phase === "outcome" && (lived.has(call) || location.hash === "#finish")) {
      if (askForOutcome(entry)) dismiss(entry);
      else if (placed.has(call) && !isWriting()) openTask(entry.dataset.task);
    }
    if (phase === "ended") setTimeout(() => dismiss(entry), 15000);
  }
  const incoming = bar.querySelector("[data-phase=incoming] .who");
  document.title = incoming ? `☎ ${incoming.textContent.trim()} – ${title}` : title;
  tick();
}

if (bar) {
  // every turn of a call has buttons of its own: whoever was on one stays on the next one's
  let within = false;
  document.addEventListener("focusin", (event) => (within = bar.contains(event.target)));
  document.addEventListener("clytie:refreshed", (event) => {
    if (event.detail !== bar) return;
    look();
    if (within && document.activeElement === document.body) bar.querySelector(".actions button, .actions a")?.focus();
  });
  addEventListener("storage", (event) => event.key === "calls-dismissed" && look());
  trouble.addEventListener("click", (event) => event.target.closest("[data-dismiss]") && trouble.replaceChildren());
  bar.addEventListener("click", (event) => {
    const entry = event.target.closest("[data-key]");
    if (event.target.closest("[data-dismiss]")) dismiss(entry);
    if (event.target.closest("[data-outcome]") && askForOutcome(entry)) {
      event.preventDefault();
      dismiss(entry);
    }
  });
}

// calling and hanging up: the answer is the bar, so a note that is being written stays
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!bar || !form.matches("[data-quiet]") || event.defaultPrevented) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  form.closest("details[open]")?.removeAttribute("open");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "X-Fragment": "1" },
      body: new URLSearchParams(new FormData(form)),
    });
    if (answer.status === 401) location.reload();
    bar.innerHTML = await answer.text();
    // what went wrong stays until it is read; the bar is fetched again at every turn of a call
    trouble.replaceChildren(...bar.querySelectorAll(".trouble"));
    for (const entry of bar.querySelectorAll("[data-phase=own_phone]")) placed.add(entry.dataset.call);
    look();
    (trouble.querySelector("a, button") ?? bar.querySelector(".hang-up"))?.focus();
  } catch {
    form.submit(); // the page of the answer says what is wrong
  } finally {
    button.disabled = false;
    delete form.dataset.sent;
  }
});
