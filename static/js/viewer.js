/*
 * 3D view: <section data-viewer="URL">, where URL answers
 * {symbols, positions, cell|null, pbc, forces|null, frames, frame_url|null, title}.
 * Lengths are Å, forces eV/Å. Drawing is 3Dmol's; picking, repeats, player and words are ours.
 */
(() => {
  "use strict";

  const LIBRARY = document.currentScript.dataset.library;
  const PLAIN_ATOMS = 20000; // above this antialiasing and sticks cost more than they show
  const MOST_ATOMS = 200000; // repeats stop here
  let library = null;

  function load() {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = LIBRARY;
      script.onload = () => resolve(window["3Dmol"] || window.$3Dmol);
      script.onerror = () => reject(new Error(gettext("The 3D library didn't load.")));
      document.head.append(script);
    });
    return library;
  }

  function hasWebGL() {
    const canvas = document.createElement("canvas");
    return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
  }

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const norm = (a) => Math.sqrt(dot(a, a));
  const fixed = (x, digits = 3) => x.toLocaleString(document.documentElement.lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const unit = (v) => v.map((x) => x / (norm(v) || 1));
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const point = (p) => ({ x: p[0], y: p[1], z: p[2] });

  function shifted(p, cell, n) {
    return [0, 1, 2].map((k) => p[k] + n[0] * cell[0][k] + n[1] * cell[1][k] + n[2] * cell[2][k]);
  }

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "on") for (const [event, action] of Object.entries(value)) made.addEventListener(event, action);
      else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  }

  class Viewer {
    constructor(section) {
      this.section = section;
      this.canvas = section.querySelector(".viewer-canvas");
      this.tools = section.querySelector(".viewer-tools");
      this.words = section.querySelector(".viewer-pick");
      this.repeats = [1, 1, 1];
      this.orthographic = true;
      this.showCell = true;
      this.picked = [];
      this.frame = 0;
      this.playing = false;
      this.fps = 12;
      this.cache = new Map();
      section.addEventListener("viewerload", () => this.other()); // its address was changed
    }

    async answer() {
      const reply = await fetch(this.section.dataset.viewer, { headers: { Accept: "application/json" } });
      const answer = await reply.json().catch(() => ({}));
      if (!reply.ok) throw new Error(answer.detail || interpolate(gettext("The site answered %s."), [reply.status]));
      return answer;
    }

    /* Show another structure in the same picture: browsers keep only so many of them. */
    async other() {
      if (!this.view && !this.reason) return; // it is still starting, and looks again when it has
      const url = this.section.dataset.viewer;
      let data;
      try {
        data = await this.answer();
      } catch (error) {
        this.words.textContent = error.message;
        return;
      }
      if (this.section.dataset.viewer !== url) return; // the next one was asked for meanwhile
      this.data = data;
      this.shown = url;
      if (this.reason) return this.giveUp(this.reason);
      this.picked = [];
      this.canvas.querySelector(".viewer-legend")?.remove();
      this.legend();
      this.describe();
      this.draw(true);
      this.say();
    }

    async start() {
      this.shown = this.section.dataset.viewer;
      try {
        this.data = await this.answer();
      } catch (error) {
        return this.giveUp(error.message);
      }
      this.describe();
      if (!hasWebGL()) return this.giveUp(gettext("This browser shows no 3D graphics (WebGL is off)."));
      try {
        this.mol = await load();
        this.create();
      } catch (error) {
        return this.giveUp(error.message);
      }
      this.controls();
      this.draw(true);
      if (this.section.dataset.viewer !== this.shown) this.other();
    }

    /* --- drawing ------------------------------------------------------------------------ */
    create() {
      this.canvas.replaceChildren();
      this.stage = element("div", { style: "position:absolute;inset:0" });
      this.canvas.append(this.stage);
      this.view = this.mol.createViewer(this.stage, {
        backgroundColor: token("--surface"),
        antialias: this.data.symbols.length <= PLAIN_ATOMS,
        orthographic: this.orthographic,
        disableFog: true,
      });
      if (!this.view) throw new Error(gettext("This browser shows no 3D graphics (WebGL is off)."));
      this.view.setProjection(this.orthographic ? "orthographic" : "perspective");
      this.legend();
      this.view.setViewChangeCallback(() => this.axes());
      new ResizeObserver(() => this.view.resize()).observe(this.canvas);
      this.canvas.addEventListener("keydown", (event) => this.key(event));
    }

    images() {
      const { cell } = this.data;
      if (!cell) return [[0, 0, 0]];
      const [na, nb, nc] = this.repeats;
      const list = [];
      for (let a = 0; a < na; a++) for (let b = 0; b < nb; b++) for (let c = 0; c < nc; c++) list.push([a, b, c]);
      return list;
    }

    atoms(positions = this.data.positions) {
      const { symbols, cell } = this.data;
      const list = [];
      for (const image of this.images()) {
        for (let i = 0; i < symbols.length; i++) {
          const p = cell ? shifted(positions[i], cell, image) : positions[i];
          list.push({ elem: symbols[i], x: p[0], y: p[1], z: p[2], serial: list.length, bonds: [], bondOrder: [], properties: { index: i } });
        }
      }
      // Copies of atoms on the cell's lower faces close the upper faces of the outermost cells.
      for (const [i, ...step] of (cell && this.data.images) || []) {
        for (const image of this.images()) {
          if (step.some((n, axis) => n && image[axis] !== this.repeats[axis] - 1)) continue;
          const p = shifted(positions[i], cell, image.map((n, axis) => n + step[axis]));
          list.push({ elem: symbols[i], x: p[0], y: p[1], z: p[2], serial: list.length, bonds: [], bondOrder: [], properties: { index: i } });
        }
      }
      return list;
    }

    draw(zoom = false) {
      const atoms = this.atoms();
      this.view.removeAllModels();
      this.view.removeAllShapes();
      this.view.removeAllLabels();
      this.model = this.view.addModel();
      this.model.addAtoms(atoms);
      const many = atoms.length > PLAIN_ATOMS;
      if (!many) this.bonds();
      this.model.setStyle({}, many
        ? { sphere: { scale: 0.35, colorscheme: "Jmol" } }
        : { sphere: { scale: 0.25, colorscheme: "Jmol" }, stick: { radius: 0.09, colorscheme: "Jmol" } });
      this.model.setClickable({}, true, (atom, view, event) => this.pick(atom, event));
      this.box();
      this.marks();
      if (zoom) {
        this.view.zoomTo();
        this.stand();
        this.view.zoom(1.15);
      }
      this.view.render();
      this.axes();
    }

    bonds() {
      // Neighbours nearer than 1.2 times the sum of covalent radii, found on a grid of 3.2 Å boxes.
      const atoms = this.model.selectedAtoms({});
      const radius = (e) => RADII[e] || 1.3;
      const size = 3.2;
      const boxes = new Map();
      const id = (x, y, z) => `${x},${y},${z}`;
      const place = (v) => Math.floor(v / size);
      for (const atom of atoms) {
        atom.bonds = [];
        atom.bondOrder = [];
        const key = id(place(atom.x), place(atom.y), place(atom.z));
        if (!boxes.has(key)) boxes.set(key, []);
        boxes.get(key).push(atom);
      }
      for (const atom of atoms) {
        const [x, y, z] = [place(atom.x), place(atom.y), place(atom.z)];
        for (let i = -1; i < 2; i++) for (let j = -1; j < 2; j++) for (let k = -1; k < 2; k++) {
          for (const other of boxes.get(id(x + i, y + j, z + k)) || []) {
            if (other.index <= atom.index) continue;
            const d2 = (other.x - atom.x) ** 2 + (other.y - atom.y) ** 2 + (other.z - atom.z) ** 2;
            const limit = 1.2 * (radius(atom.elem) + radius(other.elem));
            if (d2 > 0.16 && d2 < limit * limit) {
              atom.bonds.push(other.index);
              atom.bondOrder.push(1);
              other.bonds.push(atom.index);
              other.bondOrder.push(1);
            }
          }
        }
      }
    }

    box() {
      const { cell } = this.data;
      if (!cell || !this.showCell) return;
      const color = token("--line-strong");
      const corner = (n) => point(shifted([0, 0, 0], cell, n));
      for (const image of this.images()) {
        for (let axis = 0; axis < 3; axis++) {
          for (const [u, v] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
            const from = [...image];
            from[(axis + 1) % 3] += u;
            from[(axis + 2) % 3] += v;
            const to = [...from];
            to[axis] += 1;
            this.view.addLine({ start: corner(from), end: corner(to), color, linewidth: 1 });
          }
        }
      }
    }

    marks() {
      for (const atom of this.picked) {
        this.view.addSphere({ center: { x: atom.x, y: atom.y, z: atom.z }, radius: 0.62, color: token("--accent"), opacity: 0.45 });
      }
      for (let i = 1; i < this.picked.length; i++) {
        const [a, b] = [this.picked[i - 1], this.picked[i]];
        this.view.addLine({ start: { x: a.x, y: a.y, z: a.z }, end: { x: b.x, y: b.y, z: b.z }, color: token("--accent"), dashed: true });
      }
    }

    axes() {
      const { cell } = this.data;
      if (!cell) return;
      if (!this.compass) {
        this.compass = document.createElementNS("http://www.w3.org/2000/svg", "svg");
        this.compass.setAttribute("class", "viewer-axes");
        this.compass.setAttribute("viewBox", "-36 -36 72 72");
        this.compass.setAttribute("aria-hidden", "true");
        this.canvas.append(this.compass);
      }
      const view = this.view.getView(); // x y z zoom qx qy qz qw
      const [x, y, z, w] = view.slice(4);
      const turn = (v) => {
        const t = [2 * (y * v[2] - z * v[1]), 2 * (z * v[0] - x * v[2]), 2 * (x * v[1] - y * v[0])];
        return [v[0] + w * t[0] + y * t[2] - z * t[1], v[1] + w * t[1] + z * t[0] - x * t[2], v[2] + w * t[2] + x * t[1] - y * t[0]];
      };
      const colors = ["#d55e00", "#009e73", "#0072b2"];
      const parts = [0, 1, 2].map((k) => {
        const unit = cell[k].map((value) => value / (norm(cell[k]) || 1));
        return { k, at: turn(unit) };
      });
      parts.sort((p, q) => p.at[2] - q.at[2]);
      this.compass.replaceChildren();
      for (const { k, at } of parts) {
        const [px, py] = [at[0] * 22, -at[1] * 22];
        const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
        for (const [name, value] of Object.entries({ x2: px, y2: py, stroke: colors[k], "stroke-width": 2.4, "stroke-linecap": "round" })) line.setAttribute(name, value);
        const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
        text.setAttribute("x", px * 1.35 - 3.5);
        text.setAttribute("y", py * 1.35 + 4);
        text.textContent = "abc"[k];
        this.compass.append(line, text);
      }
    }

    legend() {
      const place = element("div", { class: "viewer-legend" });
      const scheme = this.mol.elementColors?.Jmol || {};
      for (const symbol of [...new Set(this.data.symbols)].slice(0, 12)) {
        const color = `#${(scheme[symbol] ?? 0xff1493).toString(16).padStart(6, "0")}`;
        place.append(element("span", {}, element("i", { style: `background:${color}` }), symbol));
      }
      this.canvas.append(place);
    }

    /* --- picking ------------------------------------------------------------------------ */
    pick(atom) {
      const at = this.picked.findIndex((p) => p.serial === atom.serial);
      if (at >= 0) this.picked.splice(at, 1);
      else {
        if (this.picked.length === 3) this.picked = [];
        this.picked.push(atom);
      }
      this.redrawShapes();
      this.say();
    }

    redrawShapes() {
      this.view.removeAllShapes();
      this.box();
      this.marks();
      this.view.render();
    }

    say() {
      const { forces } = this.data;
      const name = (atom) => `${atom.elem}${atom.properties.index + 1}`;
      const at = (atom) => [atom.x, atom.y, atom.z];
      const [a, b, c] = this.picked;
      if (!a) {
        this.words.textContent = this.hint;
        return;
      }
      const lines = [];
      if (!b) {
        lines.push(interpolate(gettext("%s at (%s) Å"), [name(a), at(a).map((x) => fixed(x)).join(", ")]));
        const f = forces?.[a.properties.index];
        if (f) lines.push(interpolate(gettext("force (%s) eV/Å, size %s eV/Å"), [f.map((x) => fixed(x)).join(", "), fixed(norm(f))]));
        lines.push(gettext("pick a second atom for the distance"));
      } else if (!c) {
        lines.push(interpolate(gettext("%s–%s: %s Å"), [name(a), name(b), fixed(norm(minus(at(a), at(b))))]));
        lines.push(gettext("pick a third atom for the angle"));
      } else {
        const [u, v] = [minus(at(a), at(b)), minus(at(c), at(b))];
        const angle = (Math.acos(Math.max(-1, Math.min(1, dot(u, v) / (norm(u) * norm(v))))) * 180) / Math.PI;
        lines.push(interpolate(gettext("%s–%s–%s: %s°"), [name(a), name(b), name(c), fixed(angle, 2)]));
        lines.push(`${name(a)}–${name(b)} ${fixed(norm(u))} Å, ${name(b)}–${name(c)} ${fixed(norm(v))} Å`);
      }
      this.words.textContent = lines.join(" · ");
    }

    /* --- controls ----------------------------------------------------------------------- */
    controls() {
      const press = (text, label, pressed, action) => {
        const made = element("button", { type: "button", "aria-label": label, title: label, "aria-pressed": pressed === null ? null : String(pressed) }, text);
        made.addEventListener("click", () => action(made));
        return made;
      };
      this.tools.replaceChildren();
      if (this.data.cell) {
        const group = element("span", { class: "group", role: "group", "aria-label": gettext("Repeat the cell") });
        group.append(element("span", { class: "muted" }, gettext("Repeat")));
        ["a", "b", "c"].forEach((axis, k) => {
          const select = element("select", { "aria-label": interpolate(gettext("Repeats along %s"), [axis]) });
          for (const n of [1, 2, 3]) select.append(element("option", { value: n }, `${axis} × ${n}`));
          select.addEventListener("change", () => this.repeat(k, Number(select.value), select));
          group.append(select);
        });
        this.tools.append(group);
        this.tools.append(press(gettext("Cell"), gettext("Show the cell"), true, (b) => {
          this.showCell = !this.showCell;
          b.setAttribute("aria-pressed", String(this.showCell));
          this.redrawShapes();
        }));
        const along = element("span", { class: "group", role: "group", "aria-label": gettext("Look along") });
        ["a", "b", "c"].forEach((axis, k) => along.append(press(axis, interpolate(gettext("Look along %s"), [axis]), null, () => this.look(k))));
        this.tools.append(along);
      }
      this.tools.append(press(gettext("Perspective"), gettext("Perspective instead of parallel lines"), false, (b) => {
        this.orthographic = !this.orthographic;
        this.view.setProjection(this.orthographic ? "orthographic" : "perspective");
        b.setAttribute("aria-pressed", String(!this.orthographic));
        this.view.render();
      }));
      this.tools.append(press(gettext("Fit"), gettext("Fit the view"), null, () => { this.view.zoomTo(); this.view.render(); }));
      this.tools.append(press("PNG", gettext("Download the picture as PNG"), null, () => this.save()));
      const atom = element("input", { type: "number", min: 1, max: this.data.symbols.length, "aria-label": gettext("Pick the atom with this number"), placeholder: gettext("atom no."), style: "width:92px;min-height:26px;padding:1px 6px" });
      atom.addEventListener("change", () => this.pickNumber(Number(atom.value)));
      this.tools.append(atom);
      if (this.data.frames > 1) this.player();
      this.say();
    }

    repeat(axis, n, select) {
      const wanted = [...this.repeats];
      wanted[axis] = n;
      if (this.data.symbols.length * wanted.reduce((a, b) => a * b) > MOST_ATOMS) {
        select.value = String(this.repeats[axis]);
        this.words.textContent = interpolate(gettext("More than %s atoms would be drawn; choose fewer repeats."), [MOST_ATOMS.toLocaleString()]);
        return;
      }
      this.repeats = wanted;
      this.picked = [];
      this.draw();
      this.view.zoomTo();
      this.view.render();
      this.say();
    }

    stand() {
      // Upright: c up, a to the right, b away from the reader, seen a little from the side and above.
      const [a, b, c] = (this.data.cell || [[1, 0, 0], [0, 1, 0], [0, 0, 1]]).map(unit);
      const z = unit([0, 1, 2].map((k) => -0.9 * b[k] + 0.32 * a[k] + 0.26 * c[k]));
      const x = unit(cross(c, z));
      this.turnTo([x, cross(z, x), z]);
    }

    look(axis) {
      // The cell vector points at the reader and the next one lies to the right.
      const { cell } = this.data;
      const z = unit(cell[axis]);
      const next = cell[(axis + 1) % 3];
      const x = unit(minus(next, z.map((value) => value * dot(next, z))));
      this.turnTo([x, cross(z, x), z]);
    }

    turnTo(rows) {
      this.view.setView([...this.view.getView().slice(0, 4), ...quaternion(rows)]);
      this.view.render();
      this.axes();
    }

    pickNumber(number) {
      const atom = this.model.selectedAtoms({})[number - 1];
      if (atom) this.pick(atom);
      else this.words.textContent = interpolate(gettext("There are atoms 1 to %s."), [this.data.symbols.length]);
    }

    key(event) {
      const turns = { ArrowLeft: ["y", -6], ArrowRight: ["y", 6], ArrowUp: ["x", -6], ArrowDown: ["x", 6] };
      if (turns[event.key]) this.view.rotate(turns[event.key][1], turns[event.key][0]);
      else if (event.key === "+" || event.key === "=") this.view.zoom(1.15);
      else if (event.key === "-") this.view.zoom(1 / 1.15);
      else if (event.key === "Escape") { this.picked = []; this.redrawShapes(); this.say(); }
      else return;
      event.preventDefault();
      this.view.render();
    }

    save() {
      const link = element("a", { href: this.view.pngURI(), download: `${(this.data.title || "structure").replace(/[^\p{L}\p{N}]+/gu, "-")}.png` });
      link.click();
    }

    /* --- trajectories ------------------------------------------------------------------- */
    player() {
      const last = this.data.frames - 1;
      const step = (by) => this.show(Math.max(0, Math.min(last, this.frame + by)));
      this.playButton = element("button", { type: "button" }, gettext("Play"));
      this.playButton.addEventListener("click", () => this.play(!this.playing));
      this.slider = element("input", { type: "range", min: 0, max: last, value: 0, step: 1, "aria-label": gettext("Frame") });
      this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
      this.count = element("span", { class: "num muted" });
      const fps = element("select", { "aria-label": gettext("Frames per second") });
      for (const n of [4, 12, 24]) fps.append(element("option", { value: n, selected: n === this.fps }, interpolate(gettext("%s frames/s"), [n])));
      fps.addEventListener("change", () => { this.fps = Number(fps.value); });
      const back = element("button", { type: "button", "aria-label": gettext("One frame back") }, "‹");
      back.addEventListener("click", () => step(-1));
      const on = element("button", { type: "button", "aria-label": gettext("One frame on") }, "›");
      on.addEventListener("click", () => step(1));
      this.tools.append(element("div", { class: "viewer-player", role: "group", "aria-label": gettext("Trajectory") }, back, this.playButton, on, this.slider, this.count, fps));
      this.tell();
    }

    tell() {
      this.count.textContent = interpolate(gettext("frame %s of %s"), [this.frame + 1, this.data.frames]);
    }

    async frameData(index) {
      if (!this.cache.has(index)) {
        if (this.cache.size > 200) this.cache.delete(this.cache.keys().next().value);
        const url = this.data.frame_url.replace(/\{i\}|%7Bi%7D/, String(index));
        this.cache.set(index, fetch(url).then((reply) => {
          if (!reply.ok) throw new Error(interpolate(gettext("The site answered %s."), [reply.status]));
          return reply.json();
        }));
      }
      return this.cache.get(index);
    }

    async show(index) {
      this.frame = index;
      this.slider.value = String(index);
      this.tell();
      let answer;
      try {
        answer = await this.frameData(index);
      } catch (error) {
        this.cache.delete(index);
        this.play(false);
        this.words.textContent = interpolate(gettext("Frame %s can't be shown: %s"), [index + 1, error.message]);
        return;
      }
      if (this.frame !== index) return; // the slider went on meanwhile
      Object.assign(this.data, { positions: answer.positions, forces: answer.forces ?? null, cell: answer.cell ?? this.data.cell, images: answer.images ?? [] });
      const places = this.atoms();
      const atoms = this.model.selectedAtoms({});
      if (atoms.length !== places.length) return this.draw();
      atoms.forEach((atom, i) => Object.assign(atom, { x: places[i].x, y: places[i].y, z: places[i].z }));
      if (atoms.length <= PLAIN_ATOMS) this.bonds();
      this.model.setStyle({}, atoms.length > PLAIN_ATOMS
        ? { sphere: { scale: 0.35, colorscheme: "Jmol" } }
        : { sphere: { scale: 0.25, colorscheme: "Jmol" }, stick: { radius: 0.09, colorscheme: "Jmol" } });
      this.redrawShapes();
      if (this.picked.length) this.say();
    }

    async play(on) {
      this.playing = on;
      this.playButton.textContent = on ? gettext("Pause") : gettext("Play");
      while (this.playing && this.section.isConnected) {
        const began = performance.now();
        await this.show((this.frame + 1) % this.data.frames);
        this.frameData((this.frame + 1) % this.data.frames).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 / this.fps - (performance.now() - began))));
      }
    }

    /* --- words -------------------------------------------------------------------------- */
    describe() {
      const { symbols, cell, title, frames } = this.data;
      const counts = new Map();
      for (const symbol of symbols) counts.set(symbol, (counts.get(symbol) || 0) + 1);
      const composition = [...counts].map(([symbol, n]) => `${n} ${symbol}`).join(", ");
      const words = [title, composition];
      if (cell) words.push(interpolate(gettext("cell %s Å"), [cell.map((v) => fixed(norm(v), 2)).join(" × ")]));
      if (frames > 1) words.push(interpolate(gettext("%s frames"), [frames]));
      this.canvas.setAttribute("aria-label", words.filter(Boolean).join("; "));
      this.hint = `${composition} · ${gettext("click atoms for position, distance and angle; drag to turn, scroll to zoom, arrow keys turn too")}`;
    }

    giveUp(reason) {
      this.reason = reason;
      const { symbols, positions } = this.data || {};
      this.canvas.style.height = "auto";
      this.canvas.removeAttribute("role");
      const note = element("p", { class: "note note-warning" }, reason);
      this.canvas.replaceChildren(note);
      this.words.textContent = "";
      if (!symbols) return;
      const body = element("tbody");
      symbols.slice(0, 200).forEach((symbol, i) => {
        body.append(element("tr", {}, element("td", { class: "num" }, String(i + 1)), element("td", {}, symbol), ...positions[i].map((x) => element("td", { class: "num" }, fixed(x)))));
      });
      const heads = ["", gettext("Element"), "x / Å", "y / Å", "z / Å"].map((text) => element("th", { scope: "col" }, text || "#"));
      this.canvas.append(element("div", { class: "table-box tall", tabindex: "0" }, element("table", { class: "data keep" }, element("thead", {}, element("tr", {}, ...heads)), body)));
      if (symbols.length > 200) this.canvas.append(element("p", { class: "muted" }, interpolate(gettext("The first 200 of %s atoms."), [symbols.length])));
    }
  }

  function quaternion(m) {
    // Rotation matrix (rows: new axes) → unit quaternion x y z w.
    const trace = m[0][0] + m[1][1] + m[2][2];
    if (trace > 0) {
      const s = 2 * Math.sqrt(trace + 1);
      return [(m[2][1] - m[1][2]) / s, (m[0][2] - m[2][0]) / s, (m[1][0] - m[0][1]) / s, s / 4];
    }
    const i = m[0][0] > m[1][1] && m[0][0] > m[2][2] ? 0 : m[1][1] > m[2][2] ? 1 : 2;
    const [j, k] = [(i + 1) % 3, (i + 2) % 3];
    const s = 2 * Math.sqrt(1 + m[i][i] - m[j][j] - m[k][k]);
    const q = [0, 0, 0, (m[k][j] - m[j][k]) / s];
    q[i] = s / 4;
    q[j] = (m[j][i] + m[i][j]) / s;
    q[k] = (m[k][i] + m[i][k]) / s;
    return q;
  }

  // Covalent radii in Å: Cordero et al., Dalton Trans. 2832 (2008), doi:10.1039/b801115j.
  const RADII = {
    H: 0.31, He: 0.28, Li: 1.28, Be: 0.96, B: 0.84, C: 0.76, N: 0.71, O: 0.66, F: 0.57, Ne: 0.58, Na: 1.66, Mg: 1.41,
    Al: 1.21, Si: 1.11, P: 1.07, S: 1.05, Cl: 1.02, Ar: 1.06, K: 2.03, Ca: 1.76, Sc: 1.7, Ti: 1.6, V: 1.53, Cr: 1.39,
    Mn: 1.5, Fe: 1.42, Co: 1.38, Ni: 1.24, Cu: 1.32, Zn: 1.22, Ga: 1.22, Ge: 1.2, As: 1.19, Se: 1.2, Br: 1.2, Kr: 1.16,
    Rb: 2.2, Sr: 1.95, Y: 1.9, Zr: 1.75, Nb: 1.64, Mo: 1.54, Tc: 1.47, Ru: 1.46, Rh: 1.42, Pd: 1.39, Ag: 1.45, Cd: 1.44,
    In: 1.42, Sn: 1.39, Sb: 1.39, Te: 1.38, I: 1.39, Xe: 1.4, Cs: 2.44, Ba: 2.15, La: 2.07, Ce: 2.04, Hf: 1.75, Ta: 1.7,
    W: 1.62, Re: 1.51, Os: 1.44, Ir: 1.41, Pt: 1.36, Au: 1.36, Hg: 1.32, Tl: 1.45, Pb: 1.46, Bi: 1.48,
  };

  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        near.unobserve(entry.target);
        new Viewer(entry.target).start();
      }
    },
    { rootMargin: "200px" },
  );

  function prepare(root) {
    const inside = root.matches?.("[data-viewer]") ? [root] : [];
    for (const section of [...inside, ...root.querySelectorAll("[data-viewer]")]) {
      if (section.dataset.seen) continue;
      section.dataset.seen = "1";
      near.observe(section);
    }
  }

  document.addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:load", (event) => prepare(event.target));
})();
