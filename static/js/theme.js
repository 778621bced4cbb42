/* Light, dark, or as the system: applied before the first paint, kept in this browser. */
(() => {
  "use strict";
  const KEY = "mlmd-theme";
  const root = document.documentElement;

  const chosen = () => localStorage.getItem(KEY) || "auto";

  function apply(choice) {
    if (choice === "auto") delete root.dataset.theme;
    else root.dataset.theme = choice;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
    document.dispatchEvent(new CustomEvent("themechange"));
  }

  apply(chosen());
  document.addEventListener("DOMContentLoaded", () => apply(chosen()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(chosen()));
  addEventListener("storage", (event) => event.key === KEY && apply(chosen()));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    localStorage.setItem(KEY, button.dataset.themeChoice);
    apply(button.dataset.themeChoice);
  });
})();
