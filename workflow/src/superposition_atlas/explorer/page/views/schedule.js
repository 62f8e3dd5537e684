// The schedule in the hand: importance and probability of each feature, presets, sizes and how to train.

import { clamp, LIMITS, toFragment } from "../state.js";
import { Bars } from "./bars.js";
import { byId, el, put } from "./dom.js";

const series = (n, value) => Array.from({ length: n }, (_, i) => Number(value(n > 1 ? i / (n - 1) : 0, i).toPrecision(6)));
const falling = (n) => series(n, (_, i) => 0.9 ** i);

/** Schedules for any number of features. */
const FAMILIES = {
  "geometric 1 → .02, aligned": (n) => ({ importance: falling(n), probability: series(n, (t) => 0.02 ** t) }),
  "geometric 1 → .02, reversed": (n) => ({ importance: falling(n), probability: series(n, (t) => 0.02 ** (1 - t)) }),
  "linear .9 → .1, aligned": (n) => ({ importance: falling(n), probability: series(n, (t) => 0.9 - 0.8 * t) }),
  "linear .9 → .1, reversed": (n) => ({ importance: falling(n), probability: series(n, (t) => 0.1 + 0.8 * t) }),
  "uniform, half the time": (n) => ({ importance: falling(n), probability: series(n, () => 0.5) }),
  "uniform, rare": (n) => ({ importance: falling(n), probability: series(n, () => 0.05) }),
  "equal importance, geometric": (n) => ({ importance: series(n, () => 1), probability: series(n, (t) => 0.02 ** t) }),
};

const FIELDS = ["initScale", "learningRate", "batchSize", "steps", "seeds", "firstSeed"];

export class ScheduleView {
  /** presets: [{group, title, importance, probability, m, training}] of the configuration. */
  constructor(store, presets) {
    this.store = store;
    this.presets = presets;
    const bars = (id, look, key) => new Bars(byId(id), look, () => store.values[key], (values) => this.edit({ [key]: values }));
    this.bars = [
      bars("importance-bars", { label: "Importance", limits: LIMITS.importance, ticks: [0, 0.5, 1, 1.5, 2] }, "importance"),
      bars("probability-bars", {
        label: "Probability", limits: LIMITS.probability, logarithmic: true, ticks: [0.001, 0.01, 0.1, 1],
      }, "probability"),
    ];
    this.fillPresets();
    byId("n-features").addEventListener("change", (event) => this.resize(Number(event.target.value)));
    byId("n-hidden").addEventListener("change", (event) => store.set({ m: Number(event.target.value) }));
    for (const key of FIELDS) {
      byId(key).addEventListener("change", (event) => this.field(key, event.target));
    }
    byId("shuffle").addEventListener("click", () => this.shuffle());
    byId("reverse").addEventListener("click", () => this.edit({ probability: [...store.values.probability].reverse() }));
    byId("flatten").addEventListener("click", () => this.flatten());
    byId("copy-link").addEventListener("click", () => this.copy(this.link(), "Link copied"));
    byId("copy-python").addEventListener("click", () => this.copy(this.python(), "Python copied"));
    store.on(["importance", "probability", "m", ...FIELDS], () => this.draw());
    this.draw();
  }

  edit(patch) {
    this.store.set(patch);
  }

  /** Which preset the schedule is, as it is set: the one that was chosen, if it still is it. */
  presetNow() {
    const { values } = this.store, n = values.importance.length, chosen = byId("preset").value;
    const alike = (one, other) => one.length === other.length && one.every((value, i) => Math.abs(value - other[i]) <= 1e-5 * value);
    const fits = ({ importance, probability, m }) => (m ?? values.m) === values.m && alike(values.importance, importance) && alike(values.probability, probability);
    const all = [...this.presets.map((preset, k) => [`p:${k}`, preset]), ...Object.entries(FAMILIES).map(([title, make]) => [`f:${title}`, make(n)])];
    const found = all.filter(([, preset]) => fits(preset)).map(([value]) => value);
    return found.includes(chosen) ? chosen : found[0] ?? "";
  }

  fillPresets() {
    const select = byId("preset"), groups = new Map([["Families", Object.keys(FAMILIES).map((title) => ({ title, value: `f:${title}` }))]]);
    this.presets.forEach(({ group, title }, index) => {
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push({ title, value: `p:${index}` });
    });
    put(select, el("option", { value: "" }, "by hand"), [...groups].map(([label, options]) =>
      el("optgroup", { label }, options.map(({ title, value }) => el("option", { value }, title)))));
    select.addEventListener("change", () => this.usePreset(select.value));
  }

  usePreset(value) {
    if (value.startsWith("f:")) this.store.set(FAMILIES[value.slice(2)](this.store.values.importance.length));
    if (value.startsWith("p:")) {
      const { importance, probability, m, training } = this.presets[Number(value.slice(2))];
      this.store.set({ importance, probability, m, ...training });
    }
  }

  resize(n) {
    const grown = (values, more) => Array.from({ length: n }, (_, i) => values[i] ?? more(i));
    const { importance, probability } = this.store.values, last = probability[probability.length - 1];
    this.edit({
      importance: grown(importance, (i) => Number((0.9 ** i).toPrecision(4))), probability: grown(probability, () => last),
    });
  }

  field(key, input) {
    const text = input.value.trim(), value = Number(text);
    const named = key === "initScale" && (text === "xavier" || text === "unit");
    const whole = ["batchSize", "steps", "seeds", "firstSeed"].includes(key);
    const [low, high] = LIMITS[key], fits = named || (text !== "" && value >= low && value <= high && (!whole || Number.isInteger(value)));
    input.setCustomValidity(fits ? "" : `${key === "initScale" ? "xavier, unit or a" : whole ? "a whole" : "a"} number from ${low} to ${high}`);
    input.reportValidity();
    input.setAttribute("aria-invalid", String(!fits));
    if (fits) this.store.set({ [key]: named ? text : value });
  }

  shuffle() {
    const probability = [...this.store.values.probability];
    for (let i = probability.length - 1; i > 0; i -= 1) {
      const j = Math.floor(Math.random() * (i + 1));
      [probability[i], probability[j]] = [probability[j], probability[i]];
    }
    this.edit({ probability });
  }

  /** The same mean probability for all features: the control. */
  flatten() {
    const { probability } = this.store.values, mean = probability.reduce((sum, p) => sum + p, 0) / probability.length;
    this.edit({ probability: probability.map(() => Number(clamp(mean, LIMITS.probability).toPrecision(6))) });
  }

  link() {
    return `${location.href.split("#")[0]}#${toFragment(this.store.values)}`;
  }

  /** The schedule and its training for a notebook. */
  python() {
    const { importance, probability, m, initScale, learningRate, batchSize, steps, seeds, firstSeed } = this.store.values;
    const scale = typeof initScale === "string" ? `"${initScale}"` : initScale;
    return [
      "import superposition_atlas as sa", "",
      `schedule = sa.schedules.explicit(importance=[${importance.join(", ")}], probability=[${probability.join(", ")}])`,
      `models = sa.train(schedule, n_hidden=${m}, seeds=range(${firstSeed}, ${firstSeed + seeds}), steps=${steps}, `
        + `batch_size=${batchSize}, learning_rate=${learningRate}, init_scale=${scale})`, "",
    ].join("\n");
  }

  async copy(text, done) {
    const output = byId("copied");
    try {
      await navigator.clipboard.writeText(text);
      output.textContent = done;
    } catch {
      // Pages from disk or in a frame may not write to the clipboard: the text is shown to be copied by hand.
      byId("copy-text").value = text;
      byId("copy-dialog").showModal();
      byId("copy-text").select();
    }
    setTimeout(() => { output.textContent = ""; }, 2500);
  }

  draw() {
    const { values } = this.store;
    for (const bars of this.bars) bars.draw();
    byId("preset").value = this.presetNow();
    byId("n-features").value = values.importance.length;
    byId("n-hidden").value = values.m;
    for (const key of FIELDS) {
      byId(key).value = values[key];
      byId(key).removeAttribute("aria-invalid");
    }
  }

  /** Colours have changed. */
  recolour() {
    this.draw();
  }
}
