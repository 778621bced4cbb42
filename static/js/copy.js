/* Copy buttons, menus that close, the search key, and focus on what needs attention. */
(() => {
  "use strict";

  async function copy(text) {
    if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
    // A lab may serve plain http on its own network, where the clipboard API is absent.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("the browser refused to copy");
  }

  function announce(text) {
    const place = document.getElementById("announcer");
    if (place) place.textContent = text;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) {
      try {
        await copy(button.dataset.copy);
        button.classList.add("is-done");
        announce(gettext("Copied"));
        setTimeout(() => button.classList.remove("is-done"), 1500);
      } catch {
        announce(gettext("Copying failed; select the text instead."));
        button.previousElementSibling?.focus?.();
      }
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of document.querySelectorAll("details.menu[open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.getElementById("top-search");
      if (search?.offsetParent) {
        event.preventDefault();
        search.focus();
      }
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("[data-focus]")?.focus();
  });
})();
