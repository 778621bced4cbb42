/* Pieces that refresh themselves: state kept across swaps, changes announced, staleness said. */
(() => {
  "use strict";

  const openDetails = new Map();
  const scrolls = new Map();
  const words = new Map();

  function keyed(root, selector) {
    return [...root.querySelectorAll(selector)].map((element, index) => [element.id || `${selector}${index}`, element]);
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    const live = event.target.closest?.("[data-live]");
    if (!live || !live.id) return;
    openDetails.set(live.id, keyed(live, "details").filter(([, d]) => d.open).map(([key]) => key));
    scrolls.set(
      live.id,
      keyed(live, "pre, .table-box").map(([key, box]) => {
        const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 8;
        return [key, atEnd ? Infinity : box.scrollTop];
      }),
    );
    words.set(live.id, live.querySelector("[data-announce]")?.textContent.trim());
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    const live = document.getElementById(event.target.id);
    if (!live || live.dataset.live === undefined) return;
    const wasOpen = openDetails.get(live.id) || [];
    for (const [key, details] of keyed(live, "details")) if (wasOpen.includes(key)) details.open = true;
    const before = new Map(scrolls.get(live.id) || []);
    for (const [key, box] of keyed(live, "pre, .table-box")) {
      if (before.has(key)) box.scrollTop = Math.min(before.get(key), box.scrollHeight);
    }
    const now = live.querySelector("[data-announce]")?.textContent.trim();
    if (now && words.get(live.id) !== undefined && now !== words.get(live.id)) {
      document.getElementById("announcer").textContent = now;
    }
  });

  function stale(event) {
    const live = event.target.closest?.("[data-live]");
    if (!live || live.querySelector(":scope > .stale")) return;
    const note = document.createElement("p");
    note.className = "stale";
    note.setAttribute("role", "status");
    const time = new Date().toLocaleTimeString(document.documentElement.lang);
    note.textContent = interpolate(gettext("Not refreshed since %s: the site doesn't answer. Trying again."), [time]);
    live.prepend(note);
  }

  document.addEventListener("htmx:sendError", stale);
  document.addEventListener("htmx:responseError", stale);
  document.addEventListener("htmx:timeout", stale);

  document.addEventListener("DOMContentLoaded", () => {
    for (const log of document.querySelectorAll("pre.log")) log.scrollTop = log.scrollHeight;
  });
})();
