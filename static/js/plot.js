/*
 * Plots: <figure data-plot="URL">, where URL answers {data, layout, alt, csv}.
 * One template for all: colours, type, grid, dark mode, the same tools everywhere.
 */
(() => {
  "use strict";

  const LIBRARY = document.currentScript.dataset.library;
  // Okabe & Ito, in the order of the site; the yellow is left out on white, the black in the dark.
  const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d"];
  const DARK = ["#56b4e9", "#e69f00", "#2fc79a", "#e29ac4", "#f0e442", "#ff8a4c", "#c8d0d8"];
  let library = null;
  const plots = new Map();

  function load() {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = LIBRARY;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error(gettext("The plot library didn't load.")));
      document.head.append(script);
    });
    return library;
  }

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark";

  function template() {
    const axis = {
      gridcolor: token("--line"),
      linecolor: token("--line-strong"),
      zerolinecolor: token("--line-strong"),
      zerolinewidth: 1,
      showline: true,
      ticks: "outside",
      ticklen: 4,
      tickcolor: token("--line-strong"),
      automargin: true,
      title: { standoff: 8 },
      exponentformat: "power",
    };
    return {
      layout: {
        colorway: isDark() ? DARK : LIGHT,
        font: { family: token("--font-text"), size: 12, color: token("--text") },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        margin: { l: 56, r: 14, t: 10, b: 44 },
        xaxis: axis,
        yaxis: axis,
        legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
        hovermode: "closest",
        hoverlabel: {
          bgcolor: token("--surface"),
          bordercolor: token("--line-strong"),
          font: { family: token("--font-text"), size: 12, color: token("--text") },
        },
        bargap: 0.04,
        modebar: { bgcolor: "rgba(0,0,0,0)", color: token("--muted"), activecolor: token("--accent") },
      },
      data: { scatter: [{ line: { width: 1.8 }, marker: { size: 5 } }], histogram: [{ marker: { line: { width: 0 } } }] },
    };
  }

  function button(text, label, action) {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = text;
    element.title = label;
    element.setAttribute("aria-label", label);
    element.addEventListener("click", action);
    return element;
  }

  class Plot {
    constructor(figure) {
      this.figure = figure;
      this.area = figure.querySelector(".plot-area");
      this.words = figure.querySelector(".plot-words");
      this.title = figure.querySelector(".plot-title")?.textContent || "plot";
      this.log = figure.dataset.log === "on";
      this.answer = null;
      this.timer = null;
      // Leaving the page is a change of size, too, and Plotly refuses what isn't shown.
      this.resizes = new ResizeObserver(() => this.drawn && this.area.getClientRects().length && window.Plotly.Plots.resize(this.area));
      figure.addEventListener("plotrefresh", () => this.refresh()); // its address was changed
    }

    async start() {
      await this.refresh();
      const seconds = Number(this.figure.dataset.refresh);
      if (seconds > 0) this.timer = setInterval(() => document.hidden || this.refresh(), seconds * 1000);
    }

    stop() {
      clearInterval(this.timer);
      this.resizes.disconnect();
      if (this.drawn) window.Plotly.purge(this.area);
    }

    async refresh() {
      if (!this.figure.isConnected) {
        this.stop();
        plots.delete(this.figure);
        return;
      }
      try {
        const reply = await fetch(this.figure.dataset.plot, { headers: { Accept: "application/json" } });
        const answer = await reply.json().catch(() => ({}));
        if (!reply.ok) throw new Error(answer.detail || interpolate(gettext("The site answered %s."), [reply.status]));
        this.answer = answer;
        await this.draw();
        this.complain("");
      } catch (error) {
        this.complain(error.message);
      }
    }

    async draw() {
      const { data, layout = {}, alt, csv } = this.answer;
      this.tools(csv);
      if (alt) {
        this.words.textContent = alt;
        this.area.setAttribute("aria-label", `${this.title}. ${alt}`);
      }
      if (!data || !data.length) {
        if (this.drawn) window.Plotly.purge(this.area);
        this.drawn = false;
        this.area.innerHTML = '<p class="plot-wait"></p>';
        this.area.firstChild.textContent = alt || gettext("No data yet.");
        if (alt) this.words.textContent = "";
        return;
      }
      const Plotly = await load();
      const shown = structuredClone(layout);
      shown.template = template();
      shown.uirevision = "kept"; // zoom and hidden traces survive a refresh
      shown.height = Number(this.figure.dataset.height);
      shown.autosize = true;
      if (this.figure.dataset.log !== undefined) {
        for (const key of Object.keys({ yaxis: 0, ...shown })) {
          if (key.startsWith("yaxis")) shown[key] = { ...shown[key], type: this.log ? "log" : "linear" };
        }
        if (this.log) for (const key of Object.keys(shown)) if (key.startsWith("yaxis")) delete shown[key].range;
      }
      if (!this.drawn) this.area.replaceChildren();
      await Plotly.react(this.area, structuredClone(data), shown, { displayModeBar: false, responsive: false, displaylogo: false });
      if (!this.drawn) this.resizes.observe(this.area);
      this.drawn = true;
      this.figure.dispatchEvent(new CustomEvent("plotdrawn", { bubbles: true, detail: { area: this.area, answer: this.answer } }));
    }

    tools(csv) {
      const place = this.figure.querySelector(".plot-tools");
      if (!place || place.childElementCount) return;
      const label = (format) => interpolate(gettext("Download “%s” as %s"), [this.title, format]);
      if (this.figure.dataset.log !== undefined) {
        const toggle = button("log", gettext("log scale"), () => {
          this.log = !this.log;
          toggle.setAttribute("aria-pressed", String(this.log));
          this.draw();
        });
        toggle.setAttribute("aria-pressed", String(this.log));
        place.append(toggle);
      }
      for (const format of ["png", "svg"]) {
        place.append(button(format.toUpperCase(), label(format.toUpperCase()), () => this.save(format)));
      }
      if (csv) {
        const link = document.createElement("a");
        link.href = csv;
        link.download = "";
        link.textContent = "CSV";
        link.setAttribute("aria-label", label("CSV"));
        place.append(link);
      }
    }

    async save(format) {
      if (!this.drawn) return;
      const layout = { ...this.area.layout, paper_bgcolor: token("--surface") };
      await window.Plotly.downloadImage(
        { data: this.area.data, layout, config: {} },
        { format, scale: format === "png" ? 3 : 1, width: 760, height: 460, filename: this.title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-") },
      );
    }

    complain(text) {
      this.figure.querySelector(":scope > .stale")?.remove();
      this.figure.classList.toggle("is-broken", Boolean(text) && !this.answer);
      if (!text) return;
      const note = document.createElement("p");
      note.className = "stale";
      note.setAttribute("role", "status");
      note.textContent = this.answer
        ? interpolate(gettext("Not refreshed: %s Shown is the state of before."), [text])
        : interpolate(gettext("The plot can't be shown: %s"), [text]);
      this.figure.append(note);
    }
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        near.unobserve(entry.target);
        plots.get(entry.target)?.start();
      }
    },
    { rootMargin: "300px" },
  );

  function prepare(root) {
    const inside = root.matches?.("[data-plot]") ? [root] : [];
    for (const figure of [...inside, ...root.querySelectorAll("[data-plot]")]) {
      if (plots.has(figure)) continue;
      plots.set(figure, new Plot(figure));
      near.observe(figure);
    }
  }

  document.addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:load", (event) => prepare(event.target));
  document.addEventListener("themechange", () => {
    for (const plot of plots.values()) if (plot.drawn) plot.draw();
  });
})();
