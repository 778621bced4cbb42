// The form that brings a potential from elsewhere: takes over the guess of the units and the name.
(() => {
  "use strict";

  const box = document.getElementById("findings");
  if (!box) return;
  const form = box.closest("form");
  // What a person chose stays; what was filled in here may be filled in better.
  const fill = (field, value) => {
    if (!field || !value || (field.value && field.dataset.filled !== field.value)) return;
    field.value = field.dataset.filled = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  box.addEventListener("htmx:afterSwap", () => {
    const guess = box.querySelector("[data-units-guess]");
    if (guess) {
      fill(form.elements.length_unit, guess.dataset.length);
      fill(form.elements.energy_unit, guess.dataset.energy);
    }
  });

  // A folder or an archive mostly has the potential's name.
  form.addEventListener("change", (event) => {
    if (event.target.type !== "file" || !event.target.files.length) return;
    const [first] = event.target.files;
    const folder = (first.webkitRelativePath || "").split("/")[0];
    const archive = /^(.+)\.(zip|tar|tgz|tar\.(gz|xz|bz2))$/i.exec(first.name);
    fill(form.elements.name, folder || (archive && archive[1]));
  });

  // Files chosen while the page was still loading, or kept by the browser over a reload.
  document.addEventListener("htmx:load", (event) => {
    if (!event.target.contains(form)) return;
    const chosen = [...form.querySelectorAll("input[type=file]")].filter((input) => input.files.length);
    for (const input of chosen) input.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
