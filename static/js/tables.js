/* Rows that open on click, labels for phone cards, and bulk selection. */
(() => {
  "use strict";

  function label(table) {
    const heads = [...table.querySelectorAll("thead tr:last-child > *")].map((head) =>
      head.classList.contains("select") ? "" : head.textContent.trim(),
    );
    for (const row of table.tBodies.length ? [...table.tBodies].flatMap((b) => [...b.rows]) : []) {
      [...row.cells].forEach((cell, column) => {
        if (heads[column] && !cell.dataset.label && !cell.classList.contains("actions")) cell.dataset.label = heads[column];
      });
    }
    // display:block on a phone would take the table's meaning away from screen readers.
    table.setAttribute("role", "table");
    for (const part of table.querySelectorAll("thead, tbody")) part.setAttribute("role", "rowgroup");
    for (const row of table.rows) row.setAttribute("role", "row");
    for (const cell of table.querySelectorAll("td")) cell.setAttribute("role", "cell");
    for (const head of table.querySelectorAll("th")) {
      head.setAttribute("role", head.scope === "row" || !head.closest("thead") ? "rowheader" : "columnheader");
    }
  }

  // A box that scrolls must be reachable with the keyboard, one that doesn't should not be in the way.
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const box = target.closest(".table-box");
      if (!box) continue;
      const scrolls = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
      if (scrolls && getComputedStyle(box).overflowX !== "visible") box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  });

  function prepare(root) {
    const inside = root.matches?.("table.data") ? [root] : [];
    for (const table of [...inside, ...root.querySelectorAll("table.data")]) {
      label(table);
      sizes.observe(table);
      if (table.parentElement.matches(".table-box")) sizes.observe(table.parentElement);
    }
    for (const form of root.querySelectorAll("form[data-bulk]")) count(form);
  }

  function boxes(form) {
    return [...form.querySelectorAll("input[type=checkbox][name]:not(:disabled)")];
  }

  function count(form) {
    const all = boxes(form);
    const chosen = all.filter((box) => box.checked).length;
    const master = form.querySelector("[data-bulk-all]");
    if (master) {
      master.checked = chosen > 0 && chosen === all.length;
      master.indeterminate = chosen > 0 && chosen < all.length;
    }
    for (const place of form.querySelectorAll("[data-bulk-count]")) place.textContent = String(chosen);
    for (const bar of form.querySelectorAll("[data-bulk-bar]")) bar.hidden = chosen === 0;
  }

  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (!form || form.dataset.bulk === undefined) return;
    if (event.target.matches("[data-bulk-all]")) {
      for (const box of boxes(form)) box.checked = event.target.checked;
    }
    count(form);
  });

  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-href]");
    if (!row || event.target.closest("a, button, input, select, label, summary, details")) return;
    if (String(getSelection())) return;
    if (event.ctrlKey || event.metaKey) open(row.dataset.href, "_blank", "noopener");
    else location.assign(row.dataset.href);
  });

  document.addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:load", (event) => prepare(event.target));
})();
