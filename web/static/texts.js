// Short messages while they are written: what they take is counted by the server, so that it always agrees with the bill.

const soon = (work, delay) => {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, delay);
  };
};

function asker(form, url, output) {
  let asked = 0;
  return async () => {
    const mine = ++asked;
    output.setAttribute("aria-busy", "true");
    try {
      const fields = [...new FormData(form)].filter(([, value]) => typeof value === "string");
      const answer = await fetch(url, { method: "POST", headers: { "X-Fragment": "1" }, body: new URLSearchParams(fields) });
      if (mine !== asked) return;
      if (answer.ok || answer.status === 422) output.innerHTML = await answer.text();
    } catch {
      // without a connection the last count stays
    }
    if (mine === asked) output.removeAttribute("aria-busy");
  };
}

for (const form of document.querySelectorAll("[data-weigh]")) {
  const weigh = asker(form, form.dataset.weigh, document.getElementById(form.dataset.weighInto));
  const reach = form.dataset.reach && asker(form, form.dataset.reach, document.getElementById(form.dataset.reachInto));
  const weighSoon = soon(weigh, 350);
  const reachSoon = reach ? soon(reach, 350) : () => {};
  form.addEventListener("input", (event) => {
    weighSoon();
    if (/^(segment_id|condition|purpose)$/.test(event.target.name)) reachSoon();
  });
  const chosen = form.elements.segment_id?.value;
  if (chosen !== "") weigh();
  if (reach && chosen) reach();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-check], [data-replace], [data-insert]");
  if (!button) return;
  if (button.dataset.check) {
    const box = document.getElementById(button.dataset.check);
    box.checked = true;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    return;
  }
  const into = document.getElementById(button.dataset.replaceInto || button.dataset.insertInto);
  if (button.dataset.replace !== undefined) into.value = button.dataset.replace;
  else into.setRangeText(button.dataset.insert, into.selectionStart, into.selectionEnd, "end");
  into.focus();
  into.dispatchEvent(new Event("input", { bubbles: true }));
});
