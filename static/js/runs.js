/* A list in which somebody has ticked boxes isn't refreshed under their hands. */
(() => {
  "use strict";

  document.addEventListener("htmx:beforeRequest", (event) => {
    const live = event.target.closest?.("#runs[data-live]");
    if (live && live.querySelector("input:checked")) event.preventDefault();
  });
})();
