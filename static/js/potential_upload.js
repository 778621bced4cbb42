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
})();
