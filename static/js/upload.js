/*
 * Forms with data-upload: files are dropped or chosen, sent one by one with a progress bar each.
 * Without this script the same form sends all files at once.
 */
(() => {
  "use strict";

  // A field named "dataset" hides the form's own property of that name.
  const notes = (form) => Object.getOwnPropertyDescriptor(HTMLElement.prototype, "dataset").get.call(form);

  function bytes(size) {
    const units = ["B", "KiB", "MiB", "GiB"];
    let value = size;
    let unit = 0;
    while (value >= 1024 && unit < 3) [value, unit] = [value / 1024, unit + 1];
    return `${value.toLocaleString(document.documentElement.lang, { maximumSignificantDigits: 3 })} ${units[unit]}`;
  }

  function row(list, file) {
    const item = document.createElement("li");
    const name = document.createElement("span");
    name.textContent = file.name;
    const state = document.createElement("span");
    state.className = "num muted";
    state.textContent = bytes(file.size);
    const bar = document.createElement("progress");
    bar.max = 100;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    item.append(name, state, bar);
    list.append(item);
    return { item, state, bar };
  }

  function fail(place, words) {
    place.state.textContent = words;
    place.state.className = "upload-problem";
    place.bar.remove();
  }

  function send(form, file, fields, place) {
    return new Promise((resolve) => {
      const body = new FormData();
      for (const [name, value] of fields) body.append(name, value);
      body.append("file", file);
      const request = new XMLHttpRequest();
      request.open("POST", form.action);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRFToken", form.querySelector("[name=csrfmiddlewaretoken]").value);
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable) return;
        place.bar.value = (100 * event.loaded) / event.total;
        place.state.textContent = `${bytes(event.loaded)} / ${bytes(event.total)}`;
      });
      request.addEventListener("load", () => {
        let answer = {};
        try {
          answer = JSON.parse(request.responseText);
        } catch {
          answer = { detail: interpolate(gettext("The site answered %s."), [request.status]) };
        }
        if (request.status === 201) {
          place.bar.value = 100;
          place.state.textContent = gettext("sent");
          resolve(answer);
        } else {
          fail(place, answer.detail || interpolate(gettext("The site answered %s."), [request.status]));
          resolve(null);
        }
      });
      request.addEventListener("error", () => {
        fail(place, gettext("The connection broke. Send the file again."));
        resolve(null);
      });
      request.send(body);
    });
  }

  async function submit(form) {
    const input = form.querySelector("input[type=file]");
    const files = [...input.files];
    const list = form.querySelector("[data-drop-files]");
    const most = Number(notes(form).mostBytes);
    list.replaceChildren();
    let next = null;
    let dataset = null;
    let failures = 0;
    const button = form.querySelector("button.primary");
    button.disabled = true;
    for (const file of files) {
      const place = row(list, file);
      if (most && file.size > most) {
        fail(place, interpolate(gettext("Larger than %s: split it."), [bytes(most)]));
        failures += 1;
        continue;
      }
      const fields = [...new FormData(form)].filter(([name]) => name !== "file");
      // The first file makes the dataset, the others follow into it.
      if (dataset) {
        const at = fields.findIndex(([name]) => name === "dataset");
        if (at >= 0) fields[at][1] = dataset;
        else fields.push(["dataset", dataset]);
      }
      const answer = await send(form, file, fields, place);
      if (!answer) failures += 1;
      else {
        next = next && files.length > 1 && !answer.dataset ? location.pathname : answer.next;
        dataset = answer.dataset || dataset;
      }
    }
    button.disabled = false;
    if (failures === 0 && next) {
      input.value = "";
      notes(form).sent = "1";
      location.assign(next);
    } else if (next) {
      const link = document.createElement("li");
      const anchor = document.createElement("a");
      anchor.href = next;
      anchor.textContent = gettext("Go on with the files that arrived");
      link.append(anchor);
      list.append(link);
    }
    return failures;
  }

  function chosen(form) {
    const input = form.querySelector("input[type=file]");
    const list = form.querySelector("[data-drop-files]");
    list.replaceChildren();
    for (const file of input.files) row(list, file).bar.remove();
  }

  function prepare(form) {
    if (notes(form).ready) return;
    notes(form).ready = "1";
    const drop = form.querySelector("[data-drop]");
    const input = form.querySelector("input[type=file]");
    for (const name of ["dragenter", "dragover"]) {
      drop.addEventListener(name, (event) => {
        event.preventDefault();
        drop.classList.add("is-over");
      });
    }
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("is-over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      input.files = event.dataTransfer.files;
      chosen(form);
    });
    input.addEventListener("change", () => chosen(form));
    // Chosen while the page was still loading, or kept by the browser over a reload.
    if (input.files.length) chosen(form);
    form.addEventListener("submit", (event) => {
      if (!input.files.length) return;
      event.preventDefault();
      submit(form);
    });
  }

  const all = (root) => root.querySelectorAll("form[data-upload]").forEach(prepare);
  document.addEventListener("DOMContentLoaded", () => all(document));
  document.addEventListener("htmx:load", (event) => all(event.target));
})();
