// Keeps parts of a page current. An element with data-live="tasks" data-src="/tasks?part=list" is fetched again when
// the server says that the topic changed; rows with data-key keep their place, and one that is being used is left alone.

const parts = [...document.querySelectorAll("[data-live]")];
const status = document.getElementById("live-status");
const waiting = new Set();
const running = new Set();
let source = null;
let hiddenSince = 0;
let cursor = document.body.dataset.cursor; // what happens from here on is not on the page yet

function isBusy(element) {
  return Boolean(
    element.querySelector("details[open], :popover-open, [data-dirty]") ||
      (element.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")),
  );
}

function fingerprint(element) {
  return element.outerHTML.replaceAll(/ class="[^"]*"/g, "");
}

/** Replace the children of `target` by those of `source`, keyed rows one by one. Gives the number of new rows. */
function merge(target, incoming) {
  const known = new Map([...target.querySelectorAll("[data-key]")].map((row) => [row.dataset.key, row]));
  const focused = document.activeElement?.closest?.("[data-key]");
  const focusedKey = focused && target.contains(focused) ? focused.dataset.key : null;
  const focusIndex = focused ? [...focused.querySelectorAll("a, button, summary")].indexOf(document.activeElement) : -1;
  const chosen = target.querySelector(".chosen")?.dataset.key;
  let fresh = 0;
  for (const row of incoming.querySelectorAll("[data-key]")) {
    const old = known.get(row.dataset.key);
    if (!old) {
      fresh += 1;
      if (known.size || target.dataset.loaded) row.classList.add("fresh");
    } else if (isBusy(old) || fingerprint(old) === fingerprint(row)) {
      row.replaceWith(old);
    }
  }
  if (target.querySelector("[data-key]") === null && isBusy(target)) return 0;
  target.replaceChildren(...incoming.childNodes);
  target.dataset.loaded = "1";
  if (chosen) target.querySelector(`[data-key="${CSS.escape(chosen)}"]`)?.classList.add("chosen");
  if (focusedKey && !target.contains(document.activeElement)) {
    const row = target.querySelector(`[data-key="${CSS.escape(focusedKey)}"]`);
    [...(row?.querySelectorAll("a, button, summary") ?? [])][Math.max(focusIndex, 0)]?.focus();
  }
  return fresh;
}

async function refresh(part) {
  if (running.has(part)) {
    waiting.add(part);
    return;
  }
  running.add(part);
  try {
    const answer = await fetch(part.dataset.src, { headers: { "X-Fragment": "1" }, credentials: "same-origin" });
    if (answer.status === 401) {
      location.reload();
      return;
    }
    if (!answer.ok) return;
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    const fresh = merge(part, holder.content);
    const words = part.querySelector(".fresh[data-say]")?.dataset.say ?? part.dataset.liveMessage;
    if (fresh && status && words) status.textContent = words;
    document.dispatchEvent(new CustomEvent("clytie:refreshed", { detail: part }));
  } catch {
    // the connection is away; the next change or the next minute tries again
  } finally {
    running.delete(part);
    if (waiting.delete(part)) setTimeout(() => refresh(part), 250);
  }
}

function refreshAll() {
  parts.forEach(refresh);
}

function listen() {
  if (source || document.hidden) return;
  const topics = [...new Set(parts.map((part) => part.dataset.live))];
  const asked = topics.map((topic) => `topic=${encodeURIComponent(topic)}`);
  if (cursor) asked.push(`since=${encodeURIComponent(cursor)}`);
  cursor = ""; // whoever comes back later looks at everything again
  source = new EventSource(`/live?${asked.join("&")}`);
  source.addEventListener("changed", (event) => {
    const changed = new Set(JSON.parse(event.data));
    for (const part of parts) if (changed.has(part.dataset.live)) refresh(part);
  });
  source.addEventListener("open", () => {
    document.documentElement.toggleAttribute("data-connected", true);
  });
  source.addEventListener("error", () => document.documentElement.toggleAttribute("data-connected", false));
}

if (parts.length) {
  document.addEventListener("clytie:look", refreshAll); // a script of the page has just changed something
  document.addEventListener("input", (event) => event.target.toggleAttribute?.("data-dirty", true));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      hiddenSince = Date.now();
      // a page that nobody sees gives its connection back after a while
      setTimeout(() => {
        if (document.hidden && Date.now() - hiddenSince > 55000 && source) {
          source.close();
          source = null;
        }
      }, 60000);
    } else if (!source) {
      listen();
      refreshAll();
    }
  });
  // a verdict comes some seconds after its hit, without an event of its own
  setInterval(() => document.hidden || parts.filter((part) => part.querySelector("[data-unsettled]")).forEach(refresh), 5000);
  setInterval(() => document.hidden || refreshAll(), 60000); // remaining times, and whatever a lost line missed
  parts.filter((part) => part.hasAttribute("data-at-once")).forEach(refresh);
  listen();
}
