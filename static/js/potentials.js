// The editor of MD stages: add, remove and reorder rows of a Django formset.
// Without this script the form still works: it offers a spare row, and empty rows are left out.
(() => {
  "use strict";

  const list = document.querySelector("[data-stages]");
  if (!list) return;
  const prefix = list.dataset.stages;
  const form = list.closest("form");
  const total = form.elements[`${prefix}-TOTAL_FORMS`];
  const template = form.querySelector("[data-stage-template]");
  const add = form.querySelector("[data-stage-add]");

  // A formset reads its rows by number: after each change they are numbered from 0 again.
  const renumber = () => {
    const pattern = new RegExp(`${prefix}-(\\d+|__prefix__)-`, "g");
    [...list.children].forEach((row, index) => {
      for (const element of row.querySelectorAll("*")) {
        for (const name of ["name", "id", "for", "aria-describedby", "data-field", "data-error-for"]) {
          const value = element.getAttribute(name);
          if (value) element.setAttribute(name, value.replace(pattern, `${prefix}-${index}-`));
        }
      }
      const tools = row.querySelector("[data-stage-tools]");
      if (tools) tools.hidden = false;
    });
    total.value = list.children.length;
  };

  // The preview listens to the form's own events.
  const changed = () => form.dispatchEvent(new Event("change", { bubbles: true }));

  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const row = event.target.closest("[data-stage]");
    if (!button || !row) return;
    if ("stageRemove" in button.dataset) row.remove();
    else if ("stageUp" in button.dataset && row.previousElementSibling) row.previousElementSibling.before(row);
    else if ("stageDown" in button.dataset && row.nextElementSibling) row.nextElementSibling.after(row);
    else return;
    renumber();
    if (document.contains(button)) button.focus();
    else add.focus();
    changed();
  });

  // The spare row is for people without scripts.
  const rows = [...list.children];
  const last = rows[rows.length - 1];
  if (rows.length > 1 && !last.querySelector("select").value) last.remove();

  add.hidden = false;
  add.addEventListener("click", () => {
    list.append(template.content.cloneNode(true));
    renumber();
    list.lastElementChild.querySelector("select, input").focus();
    changed();
  });

  renumber();
})();

// A filter box above long lists of checkboxes.
(() => {
  "use strict";

  for (const box of document.querySelectorAll("[data-choices-search]")) {
    const choices = [...box.closest("[data-choices]").querySelectorAll("[data-choice]")];
    box.addEventListener("input", (event) => {
      event.stopPropagation();
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const choice of choices) {
        const text = choice.textContent.toLowerCase();
        const checked = choice.querySelector("input").checked;
        choice.hidden = !checked && !words.every((word) => text.includes(word));
      }
    });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }
})();

// Fills the text of symmetry functions with the automatic ones of the chosen data and settings.
(() => {
  "use strict";

  const text = document.querySelector("textarea[data-functions]");
  const button = document.querySelector("[data-functions-fill]");
  if (!text || !button) return;
  const place = text.closest(".field");
  if (place) place.append(button);
  button.hidden = false;
  const say = (words) => {
    const error = place?.querySelector(".field-error");
    if (!error) return;
    error.textContent = words;
    error.hidden = !words;
  };
  button.addEventListener("click", async () => {
    const data = new FormData(text.form);
    data.set(text.name, "");
    try {
      const reply = await fetch(button.dataset.functionsFill, { method: "POST", body: data });
      const answer = await reply.json();
      if (!reply.ok) throw new Error(answer.detail);
      text.value = answer.lines;
      say("");
      text.dispatchEvent(new Event("input", { bubbles: true }));
    } catch (error) {
      say(error.message);
    }
  });
})();

// Shows what only potentials with a committee have; the rest of the form stays.
(() => {
  "use strict";

  const chosen = document.querySelector("select[name='potential']");
  const own = [...document.querySelectorAll("[data-potentials]")];
  if (!chosen || !own.length) return;
  const show = () => {
    for (const input of own) {
      const field = input.closest("[data-field]");
      if (field) field.hidden = !input.dataset.potentials.split(" ").includes(chosen.value);
    }
    const count = document.querySelector("details.expert:last-of-type > summary .num");
    if (count) count.textContent = document.querySelectorAll("details.expert:last-of-type [data-field]:not([hidden])").length;
  };
  chosen.addEventListener("change", show);
  show();
})();

// Shows the settings of the program that trains; the others keep what was typed.
(() => {
  "use strict";

  const chosen = document.querySelector("select[name='family']");
  const own = [...document.querySelectorAll("[data-families]")];
  if (!chosen || !own.length) return;
  const show = () => {
    for (const input of own) {
      const field = input.closest("[data-field]");
      if (field) field.hidden = !input.dataset.families.split(" ").includes(chosen.value);
    }
    const count = document.querySelector("details.expert > summary .num");
    if (count) count.textContent = document.querySelectorAll("details.expert [data-field]:not([hidden])").length;
  };
  chosen.addEventListener("change", show);
  show();
})();
