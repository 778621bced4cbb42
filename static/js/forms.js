/* Forms: checks as one types, keeps drafts, submits filters, blocks a second click. */
(() => {
  "use strict";

  const DRAFT_DAYS = 7;

  // A field named "elements" or "method" hides the form's own property of that name.
  const controls = (form) => [...form.querySelectorAll("input, select, textarea")];
  const send = (form) => HTMLFormElement.prototype.submit.call(form);
  const notes = (form) => Object.getOwnPropertyDescriptor(HTMLElement.prototype, "dataset").get.call(form);

  /* --- checks --------------------------------------------------------------------------- */
  function message(input) {
    const v = input.validity;
    if (v.valueMissing) return gettext("Please fill this in.");
    if (v.badInput) return gettext("Enter a number, such as 0.5.");
    if (v.rangeUnderflow) return interpolate(gettext("At least %s."), [input.min]);
    if (v.rangeOverflow) return interpolate(gettext("At most %s."), [input.max]);
    if (v.stepMismatch) return input.step === "1" || !input.step ? gettext("A whole number.") : interpolate(gettext("A multiple of %s."), [input.step]);
    if (v.tooShort) return interpolate(gettext("At least %s characters."), [input.minLength]);
    if (v.tooLong) return interpolate(gettext("At most %s characters."), [input.maxLength]);
    if (v.typeMismatch && input.type === "email") return gettext("Enter an e-mail address, such as name@example.org.");
    if (v.patternMismatch) return input.title || gettext("This doesn't have the expected form.");
    return v.valid ? "" : input.validationMessage;
  }

  function show(input, text) {
    const field = input.closest(".field");
    const place = field?.querySelector(".field-error");
    if (!place) return;
    place.textContent = text;
    place.hidden = !text;
    field.classList.toggle("has-error", Boolean(text));
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  document.addEventListener("focusout", (event) => {
    const input = event.target;
    if (!input.form || notes(input.form).check === undefined || !input.willValidate) return;
    if (input.type === "submit" || !input.dataset.touched) return;
    show(input, message(input));
  });

  document.addEventListener("input", (event) => {
    const input = event.target;
    if (!input.form || notes(input.form).check === undefined || !input.willValidate) return;
    input.dataset.touched = "1";
    const wrong = input.closest(".field")?.classList.contains("has-error");
    if (wrong || input.type === "number") show(input, message(input));
  });

  function firstWrong(form) {
    let first = null;
    for (const input of controls(form)) {
      if (!input.willValidate || !input.name) continue;
      const text = message(input);
      show(input, text);
      if (text && !first) first = input;
    }
    return first;
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (notes(form).check !== undefined && !event.submitter?.formNoValidate) {
      const wrong = firstWrong(form);
      if (wrong) {
        event.preventDefault();
        const drawer = wrong.closest("details");
        if (drawer) drawer.open = true;
        wrong.focus();
        return;
      }
    }
    if (form.getAttribute("method")?.toLowerCase() === "post") {
      if (notes(form).sent) return event.preventDefault();
      notes(form).sent = "1";
      setTimeout(() => delete notes(form).sent, 4000);
    }
    if (notes(form).keep) sessionStorage.setItem("mlmd-sent", draftKey(form));
  });

  /* --- drafts --------------------------------------------------------------------------- */
  const draftKey = (form) => `mlmd-draft:${document.body.dataset.person || ""}:${notes(form).keep}`;

  function values(form) {
    return controls(form)
      .filter((e) => e.name && !["password", "file", "hidden", "submit", "button"].includes(e.type))
      .map((e) => [e.name, e.value, e.type === "checkbox" || e.type === "radio" ? e.checked : null,
        e.multiple && e.options ? [...e.selectedOptions].map((o) => o.value) : null]);
  }

  function fill(form, kept) {
    for (const [name, value, checked, chosen] of kept) {
      const same = controls(form).filter((e) => e.name === name);
      const input = checked === null ? same[0] : same.find((e) => e.value === value);
      if (!input) continue;
      if (checked !== null) input.checked = checked;
      else if (chosen) for (const option of input.options || []) option.selected = chosen.includes(option.value);
      else input.value = value;
    }
  }

  function restore(form) {
    const stored = localStorage.getItem(draftKey(form));
    if (!stored) return;
    const draft = JSON.parse(stored);
    const blank = JSON.stringify(values(form));
    const old = Date.now() - draft.at > DRAFT_DAYS * 864e5;
    // A form that comes back with errors holds what was sent: newer than the draft.
    if (old || form.querySelector(".form-errors") || JSON.stringify(draft.values) === blank) return;
    fill(form, draft.values);
    const note = document.createElement("p");
    note.className = "draft";
    note.setAttribute("role", "status");
    note.textContent = gettext("Your unsent input from the last visit is back.");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small";
    button.textContent = gettext("Start afresh");
    button.addEventListener("click", () => {
      localStorage.removeItem(draftKey(form));
      fill(form, JSON.parse(blank));
      note.remove();
      form.dispatchEvent(new Event("change", { bubbles: true }));
    });
    note.append(button);
    form.prepend(note);
    form.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function keep(event) {
    const form = event.target.form;
    if (!form || !notes(form).keep) return;
    localStorage.setItem(draftKey(form), JSON.stringify({ at: Date.now(), values: values(form) }));
  }

  document.addEventListener("input", keep);
  document.addEventListener("change", keep);

  addEventListener("beforeunload", (event) => {
    // Chosen files can't be kept as a draft: here the browser has to ask.
    const waiting = [...document.querySelectorAll("form[data-check] input[type=file]")].some(
      (input) => input.files.length && !notes(input.form).sent,
    );
    if (waiting) event.preventDefault();
  });

  /* --- filters -------------------------------------------------------------------------- */
  function submitFilters(form) {
    // Empty filters stay out of the address.
    for (const input of controls(form)) if (input.name && !input.value) input.disabled = true;
    send(form);
  }

  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (!form || notes(form).autoSubmit === undefined || event.target.type === "text") return;
    if (event.target.tagName === "SELECT" || event.target.type === "checkbox") submitFilters(form);
  });

  document.addEventListener("submit", (event) => {
    if (notes(event.target).autoSubmit === undefined) return;
    event.preventDefault();
    submitFilters(event.target);
  });

  addEventListener("pageshow", (event) => {
    // Back from the next page, as the browser kept this one: what was switched off works again.
    if (!event.persisted) return;
    for (const form of document.querySelectorAll("form")) {
      delete notes(form).sent;
      if (notes(form).autoSubmit !== undefined) for (const input of controls(form)) input.disabled = false;
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    // The draft of a form is done with once the site took it and led elsewhere.
    const sent = sessionStorage.getItem("mlmd-sent");
    sessionStorage.removeItem("mlmd-sent");
    if (sent && !document.querySelector(".form-errors")) localStorage.removeItem(sent);
    for (const form of document.querySelectorAll("form[data-keep]")) restore(form);
  });
})();
