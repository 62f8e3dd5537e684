// The atlas as a map: mean density over signed steepness, a cell a schedule; hover tells, a click sets the sliders.

import { byId, el, percent, put, short } from "./dom.js";
import { colour, Inks, inkOn } from "./canvas.js";
import { drawFeatures, frame } from "./plane.js";
import { count, measure } from "../theory/measures.js";

const LEAST_EXCESS = 1e-4, MOST_EXCESS = 1e-1;

/** The results' atlas: which schedules it has, their best solutions and stored toy models. */
export class Atlas {
  constructor(data) {
    Object.assign(this, data);
    if (this.stored) {
      const bytes = Uint8Array.from(atob(this.stored.weights), (letter) => letter.charCodeAt(0));
      this.weights = new Float32Array(bytes.buffer);
    }
  }

  /** Place of a schedule, or -1; the same up to rounding. */
  find({ importance, probability }, m) {
    if (m !== this.m || importance.length !== this.n) return -1;
    const close = (a, b) => a.every((value, i) => Math.abs(value - b[i]) <= 1e-6 * Math.max(value, b[i]));
    return this.schedules.importance.findIndex((other, k) => close(importance, other) && close(probability, this.schedules.probability[k]));
  }

  bestOf(schedule, m) {
    const place = this.find(schedule, m);
    return place < 0 ? null : this.best[place];
  }

  /** The nearest schedule, by the distance of logarithms of I and p; null for another size. */
  nearest({ importance, probability }, m) {
    if (m !== this.m || importance.length !== this.n || importance.some((value) => value <= 0)) return null;
    let found = null;
    this.schedules.importance.forEach((others, k) => {
      if (!this.best[k]) return;
      let squared = 0;
      for (let i = 0; i < this.n; i += 1) {
        squared += Math.log(importance[i] / others[i]) ** 2 + Math.log(probability[i] / this.schedules.probability[k][i]) ** 2;
      }
      if (found === null || squared < found.squared) found = { squared, place: k };
    });
    if (found === null) return null;
    const { loss, W } = this.best[found.place], point = this.points.schedule.indexOf(found.place);
    return { distance: Math.sqrt(found.squared), loss, nRepresented: count(measure(W, this.n, this.m).represented), words: this.wordsOf(point) };
  }

  wordsOf(point) {
    const { family, density, steepness, ratio, order } = this.points;
    const ordered = ratio[point] === 1 || steepness[point] === 1 ? "" : `, ${/^\d+$/.test(order[point]) ? `random order ${order[point]}` : order[point]}`;
    return `${family[point]}, mean p ${short(density[point])}, steepness ${short(steepness[point])}, I = ${short(ratio[point])}^i${ordered}`;
  }

  /** Stored toy models of a schedule: [{seed, W, b}]. */
  modelsOf(place) {
    if (!this.stored || place < 0) return [];
    const size = this.m * this.n + this.n, { seeds } = this.stored;
    return seeds.flatMap((seed, k) => {
      const at = (place * seeds.length + k) * size, values = this.weights.subarray(at, at + size);
      return Number.isNaN(values[0]) ? [] : [{ seed, W: values.subarray(0, this.m * this.n), b: values.subarray(this.m * this.n) }];
    });
  }
}

const distinct = (values) => [...new Set(values)];

export class AtlasView {
  constructor(store, atlas) {
    Object.assign(this, { store, atlas });
    this.inks = new Inks(["ink", "muted", "faint", "shade", "card", "feature", "accent", "blue", "font"]);
    const { points, layers } = atlas, options = (values, words) => values.map((value) => el("option", { value }, words(value)));
    const groups = distinct(layers.map((layer) => layer.group));
    put(byId("map-layer"), groups.map((group) => el("optgroup", { label: group }, layers.map((layer, k) => [layer, k])
      .filter(([layer]) => layer.group === group).map(([layer, k]) => el("option", { value: k }, layer.title)))));
    put(byId("map-family"), options(distinct(points.family).sort(), String));
    put(byId("map-ratio"), options(distinct(points.ratio).sort((a, b) => b - a), (value) => (value === 1 ? "equal" : `${short(value)}^i`)));
    const falling = distinct(points.ratio).find((ratio) => ratio !== 1 && ratio === 0.9) ?? distinct(points.ratio)[0];
    byId("map-ratio").value = falling;
    byId("map-title").textContent = atlas.title;
    for (const id of ["map-layer", "map-family", "map-ratio"]) byId(id).addEventListener("change", () => this.draw());
    store.on(["importance", "probability", "m"], () => this.mark());
    this.active = 0;
    this.draw();
  }

  /** Points of the chosen family and importance, by panel: aligned and reversed together, then each random order. */
  panels() {
    const { points } = this.atlas, family = byId("map-family").value, ratio = Number(byId("map-ratio").value), found = new Map();
    points.schedule.forEach((_, k) => {
      if (points.family[k] !== family || points.ratio[k] !== ratio) return;
      const order = points.order[k], random = /^\d+$/.test(order), name = random && ratio !== 1 ? `random order ${order}` : "";
      if (random && ratio === 1) return;
      if (ratio === 1 && order === "reversed") return; // the same schedule
      const sign = random || ratio === 1 ? 1 : order === "reversed" ? 1 : -1;
      if (!found.has(name)) found.set(name, []);
      found.get(name).push({ k, x: sign * Math.log(points.steepness[k]), y: points.density[k], order });
    });
    return [...found].sort(([a], [b]) => a.localeCompare(b));
  }

  draw() {
    this.layer = this.atlas.layers[Number(byId("map-layer").value)];
    this.buttons = [];
    put(byId("map-panels"), this.panels().map(([name, cells]) => this.panel(name, cells)));
    put(byId("map-scale"), this.scale());
    this.mark();
  }

  panel(name, cells) {
    const xs = distinct(cells.map(({ x }) => Number(x.toFixed(9)))).sort((a, b) => a - b), ys = distinct(cells.map(({ y }) => y)).sort((a, b) => b - a);
    const byPlace = new Map(cells.map((cell) => [`${xs.indexOf(Number(cell.x.toFixed(9)))} ${ys.indexOf(cell.y)}`, cell]));
    const rows = ys.map((y, row) => el("div", { class: "map-row", role: "row" },
      el("span", { class: "map-y", role: "rowheader" }, short(y, 2)),
      xs.map((x, column) => {
        const cell = byPlace.get(`${column} ${row}`);
        return cell ? this.cell(cell, xs.length) : el("span", { class: "map-cell none", role: "gridcell", "aria-label": "no such schedule" });
      })));
    const foot = el("div", { class: "map-row", "aria-hidden": "true" }, el("span", { class: "map-y" }), xs.map((x) => el("span", { class: "map-x" }, short(Math.exp(Math.abs(x)), 2))));
    const equal = byId("map-ratio").value === "1", both = name === "" && !equal;
    const ends = both ? [el("span", {}, "← aligned: the important are frequent"), el("span", {}, "reversed: the important are rare →")]
      : [el("span", {}, "steepness →")];
    return el("div", { class: "map-panel" },
      el("h4", {}, name || (equal ? "any order" : "aligned and reversed")),
      el("div", { class: "map-grid", role: "grid", "aria-label": `${this.layer.group}, ${this.layer.title}; mean density down, steepness across` }, rows),
      foot, el("div", { class: "map-ends" }, ends));
  }

  cell({ k }, columns) {
    const value = this.layer.values[k], cases = this.atlas.points.cases[k], paint = this.paint(value);
    const words = `${this.atlas.wordsOf(k)}: ${this.words(value)}${cases ? ` (${cases})` : ""}`;
    const button = el("button", {
      type: "button", class: cases ? "map-cell case" : "map-cell", role: "gridcell", "aria-label": words, tabindex: this.buttons.length === 0 ? 0 : -1,
      onclick: () => this.choose(k), onpointerenter: () => this.tell(k), onfocus: () => this.tell(k),
    }, columns <= 9 ? this.written(value) : "");
    button.style.background = paint;
    button.style.color = paint.startsWith("#") ? inkOn(paint) : "";
    button.dataset.point = k;
    const place = this.buttons.length;
    button.addEventListener("keydown", (event) => this.move(event, place, columns));
    this.buttons.push(button);
    return button;
  }

  move(event, place, columns) {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const next = by === undefined ? undefined : this.buttons[place + by];
    if (!next) return;
    event.preventDefault();
    this.buttons[place].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  /** A value as a share of the layer's scale. */
  share(value) {
    const { unit } = this.layer, n = this.atlas.n;
    if (unit === "count") return value / n;
    if (unit === "excess") return Math.log(Math.max(value, LEAST_EXCESS) / LEAST_EXCESS) / Math.log(MOST_EXCESS / LEAST_EXCESS);
    return value;
  }

  paint(value) {
    if (value === null) return "transparent";
    return this.layer.unit === "excess" ? colour("excess", 0.12 + 0.83 * Math.min(1, this.share(value))) : colour("amount", this.share(value));
  }

  written(value) {
    if (value === null) return "·";
    const { unit } = this.layer;
    if (unit === "count") return value.toFixed(1).replace(/\.0$/, "");
    if (unit === "answer") return value ? "yes" : "no";
    if (unit === "excess") return value < LEAST_EXCESS ? "<.01" : short(100 * value, 1);
    return String(Math.round(100 * value));
  }

  words(value) {
    if (value === null) return "the observation does not speak of it";
    const { unit, title } = this.layer;
    if (unit === "count") return `${title}: ${short(value, 2)} of ${this.atlas.n}`;
    if (unit === "answer") return `${title}: ${value ? "yes" : "no"}`;
    return `${title}: ${percent(value)}`;
  }

  scale() {
    const { unit } = this.layer, n = this.atlas.n;
    const steps = unit === "count" ? Array.from({ length: n + 1 }, (_, k) => [k, String(k)])
      : unit === "excess" ? [[1e-4, ".01 %"], [1e-3, ".1 %"], [1e-2, "1 %"], [1e-1, "10 %"]]
        : unit === "answer" ? [[0, "no"], [1, "yes"]] : [[0, "0 %"], [0.25, "25"], [0.5, "50"], [0.75, "75"], [1, "100 %"]];
    return steps.map(([value, label]) => {
      const swatch = el("span", { class: "swatch" }), paint = this.paint(value);
      swatch.style.background = paint;
      return el("span", { class: "scale-step" }, swatch, label);
    });
  }

  /** Says what is known of a point. */
  tell(k) {
    const { points, schedules } = this.atlas, place = points.schedule[k], best = this.atlas.best[place];
    const p = schedules.probability[place].map((value) => short(value, 2)).join(", ");
    put(byId("map-told"),
      el("strong", {}, points.cases[k] ? `${points.cases[k]} of the talk · ` : "", this.atlas.wordsOf(k)),
      el("span", {}, `p = ${p}`), el("span", {}, this.words(this.layer.values[k])),
      best ? el("span", {}, `best known: ${count(measure(best.W, this.atlas.n, this.atlas.m).represented)} of ${this.atlas.n}, loss ${short(best.loss, 3)}`) : "");
  }

  /** Sets the sliders to a point's schedule. */
  choose(k) {
    const { points, schedules, n, m } = this.atlas, place = points.schedule[k];
    this.tell(k);
    this.store.set({ importance: [...schedules.importance[place]], probability: [...schedules.probability[place]], m });
    this.show(place, n, m);
  }

  /** Marks the schedule that is set, and shows what is stored of it. */
  mark() {
    const place = this.atlas.find(this.store.values, this.store.values.m);
    for (const button of this.buttons) {
      button.toggleAttribute("data-here", this.atlas.points.schedule[Number(button.dataset.point)] === place);
    }
    this.show(place, this.atlas.n, this.atlas.m);
  }

  show(place, n, m) {
    const models = this.atlas.modelsOf(place), best = place < 0 ? null : this.atlas.best[place], box = byId("stored-grid");
    byId("stored-none").hidden = place >= 0;
    byId("stored-title").hidden = place < 0;
    const all = [...(best ? [{ title: "best known", W: best.W }] : []), ...models.slice(0, 8).map(({ seed, W }) => ({ title: `seed ${seed}`, W }))];
    put(box, all.map(({ title, W }) => {
      const nRepresented = count(measure(W, n, m).represented);
      const canvas = el("canvas", { role: "img", "aria-label": `${title}: ${nRepresented} of ${n} represented` });
      return el("figure", { class: title === "best known" ? "stored best" : "stored" }, canvas, el("figcaption", {}, `${title} · ${nRepresented}`));
    }));
    all.forEach(({ W }, k) => drawFeatures(frame(box.children[k].firstChild, this.inks, m), this.inks, W, n, m, { size: 0.75, labels: true }));
  }

  recolour() {
    this.inks.read();
    this.draw();
  }
}
