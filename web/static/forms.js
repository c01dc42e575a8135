// Small comforts of forms: no double sending, a count beside a condition while it is written, copy to clipboard.

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (form.method === "post") {
    form.dataset.sent = "1";
    setTimeout(() => delete form.dataset.sent, 4000);
  }
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

for (const field of document.querySelectorAll("[data-count-from]")) {
  const output = document.getElementById(field.dataset.countInto);
  let timer = 0;
  const ask = async () => {
    const form = new FormData(field.form);
    const answer = await fetch(field.dataset.countFrom, {
      method: "POST",
      headers: { "X-Fragment": "1" },
      body: new URLSearchParams([...form].filter(([, value]) => typeof value === "string")),
    });
    if (answer.ok || answer.status === 422) output.innerHTML = await answer.text();
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 350);
  };
  // what is written counts once it is what the chooser says
  field.addEventListener("input", () => (field.matches("textarea") && field.form.elements.segment_id?.value !== "new" ? null : soon()));
  field.addEventListener("change", soon);
  if (field.matches("select") && field.value) ask();
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.copied;
  });
}

for (const select of document.querySelectorAll("[data-submit-on-change]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
