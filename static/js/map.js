/*
 * The map of a dataset's frames: <section data-map="ADDRESS OF REGIONS">. A point under the pointer
 * shows its structure, a click opens the frame, a lasso or a box chooses frames for what is below.
 * With the keyboard: arrow keys go from point to point, Enter opens.
 */
(() => {
  "use strict";

  const WAIT = 140; // ms that the pointer rests on a point before its structure is fetched
  const CORNERS = 100;
  const canHover = matchMedia("(hover: hover)");

  class FrameMap {
    constructor(section) {
      this.section = section;
      this.figure = section.querySelector("[data-plot]");
      this.facts = section.querySelector("[data-map-facts]");
      this.place = section.querySelector("[data-map-viewer]");
      this.bar = section.querySelector("[data-map-chosen]");
      this.timer = null;
      this.at = null;
      this.figure.addEventListener("plotdrawn", (event) => this.drawn(event.detail));
      section.querySelector("select[name=colour]")?.addEventListener("change", (event) => this.recolour(event.target.value));
      for (const button of section.querySelectorAll("[data-map-drag]")) {
        button.addEventListener("click", () => this.drag(button.dataset.mapDrag));
      }
      section.querySelector("[data-map-clear]")?.addEventListener("click", () => this.clear());
    }

    drawn({ area, answer }) {
      this.answer = answer;
      if (this.area === area && area.dataset.mapped) return;
      this.area = area;
      area.dataset.mapped = "1";
      area.tabIndex = 0;
      area.setAttribute("role", "application");
      area.setAttribute("aria-roledescription", gettext("map; arrow keys go from point to point, Enter opens the frame"));
      area.on("plotly_hover", (event) => this.point(event.points[0]));
      area.on("plotly_click", (event) => this.click(event.points[0]));
      area.on("plotly_selected", (event) => event && this.choose(event));
      area.on("plotly_deselect", () => this.clear(false));
      area.addEventListener("keydown", (event) => this.key(event));
    }

    /* --- one frame ---------------------------------------------------------------------- */
    point(point) {
      this.at = { trace: point.curveNumber, index: point.pointNumber };
      const [id, words] = point.customdata;
      this.id = id;
      this.facts.textContent = words;
      const link = this.section.querySelector("[data-map-open]");
      link.href = this.section.dataset.frame.replace("00000000-0000-0000-0000-000000000000", id);
      link.hidden = false;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.show(id), WAIT);
    }

    show(id) {
      const url = this.section.dataset.frameViewer.replace("00000000-0000-0000-0000-000000000000", id);
      let viewer = this.place.querySelector("[data-viewer]");
      if (!viewer) {
        this.place.replaceChildren(this.section.querySelector("template").content.cloneNode(true));
        viewer = this.place.querySelector("[data-viewer]");
        viewer.dataset.viewer = url;
        viewer.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true }));
      } else if (viewer.dataset.viewer !== url) {
        viewer.dataset.viewer = url;
        viewer.dispatchEvent(new CustomEvent("viewerload"));
      }
    }

    click(point) {
      // A finger can't hover: its first touch shows the frame, the link beside opens it.
      if (canHover.matches && point.customdata[0] === this.id) location.assign(this.section.querySelector("[data-map-open]").href);
      else this.point(point);
    }

    key(event) {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key === "Enter" && this.id) location.assign(this.section.querySelector("[data-map-open]").href);
      else if (steps[event.key]) this.step(steps[event.key]);
      else if (event.key === "Escape") this.clear();
      else return;
      event.preventDefault();
    }

    step([dx, dy]) {
      const { xaxis, yaxis } = this.area._fullLayout;
      const all = this.area.data.flatMap((trace, t) => trace.x.map((x, i) => ({ trace: t, index: i, x: xaxis.l2p(x), y: yaxis.l2p(trace.y[i]) })));
      const now = this.at && all.find((p) => p.trace === this.at.trace && p.index === this.at.index);
      const from = now || { x: xaxis._length / 2, y: yaxis._length / 2 };
      // Nearest in the direction of the arrow; what lies aside counts as farther.
      let best = null;
      for (const p of all) {
        const along = (p.x - from.x) * dx + (p.y - from.y) * dy;
        const aside = Math.abs((p.x - from.x) * dy) + Math.abs((p.y - from.y) * dx);
        if (p === now || (now && along <= 0.5)) continue;
        const cost = now ? along + 2 * aside : Math.hypot(p.x - from.x, p.y - from.y);
        if (!best || cost < best.cost) best = { ...p, cost };
      }
      if (!best) return;
      const at = { curveNumber: best.trace, pointNumber: best.index };
      window.Plotly.Fx.hover(this.area, [at]); // draws the label, but sends no event
      this.point({ ...at, customdata: this.area.data[best.trace].customdata[best.index] });
    }

    /* --- many frames -------------------------------------------------------------------- */
    drag(mode) {
      for (const button of this.section.querySelectorAll("[data-map-drag]")) {
        button.setAttribute("aria-pressed", String(button.dataset.mapDrag === mode));
      }
      window.Plotly.relayout(this.area, { dragmode: mode });
    }

    region({ lassoPoints, range }) {
      let corners = [];
      if (lassoPoints) corners = lassoPoints.x.map((x, i) => [x, lassoPoints.y[i]]);
      else if (range) corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([i, j]) => [range.x[i], range.y[j]]);
      const every = Math.ceil(corners.length / CORNERS);
      corners = corners.filter((corner, index) => index % every === 0);
      return [this.answer.drawn, ...corners.map((corner) => corner.map((v) => Number(v).toPrecision(5)).join(","))].join("~");
    }

    async choose(event) {
      if (!event.lassoPoints && !event.range) return;
      const region = this.region(event);
      const url = new URL(this.section.dataset.map, location.href);
      url.searchParams.set("region", region);
      const words = this.bar.querySelector("[data-map-count]");
      this.bar.hidden = false;
      try {
        const reply = await fetch(url, { headers: { Accept: "application/json" } });
        const answer = await reply.json().catch(() => ({}));
        if (!reply.ok) throw new Error(answer.detail || interpolate(gettext("The site answered %s."), [reply.status]));
        words.textContent = answer.words;
        for (const link of this.bar.querySelectorAll("[data-map-list]")) link.href = answer.url;
        for (const field of this.bar.querySelectorAll("input[name=region]")) field.value = region;
        for (const field of this.bar.querySelectorAll("input[name=query]")) field.value = answer.query;
        for (const action of this.bar.querySelectorAll("[data-map-action]")) action.hidden = !answer.count;
      } catch (error) {
        words.textContent = error.message;
        for (const action of this.bar.querySelectorAll("[data-map-action]")) action.hidden = true;
      }
    }

    clear(redraw = true) {
      this.bar.hidden = true;
      if (redraw && this.area) {
        window.Plotly.restyle(this.area, { selectedpoints: [null] });
        window.Plotly.relayout(this.area, { selections: [] });
      }
    }

    recolour(colour) {
      const url = new URL(this.figure.dataset.plot, location.href);
      url.searchParams.set("colour", colour);
      this.figure.dataset.plot = url.pathname + url.search;
      this.at = null;
      this.clear();
      this.figure.dispatchEvent(new CustomEvent("plotrefresh"));
    }
  }

  function prepare(root) {
    const inside = root.matches?.("[data-map]") ? [root] : [];
    for (const section of [...inside, ...root.querySelectorAll("[data-map]")]) {
      if (section.dataset.seen || !section.querySelector("[data-plot]")) continue;
      section.dataset.seen = "1";
      new FrameMap(section);
    }
  }

  document.addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:load", (event) => prepare(event.target));
})();
