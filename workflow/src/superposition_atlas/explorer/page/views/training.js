// Toy models in training, seed by seed: arrows, loss curves, and a close look at the chosen one.

import { Ensemble } from "../engine/ensemble.js";
import { Requests } from "../engine/requests.js";
import { count, measure } from "../theory/measures.js";
import { Inks } from "./canvas.js";
import { byId, el, onceAFrame, put } from "./dom.js";
import { drawCurves } from "./curves.js";
import { CloseLook } from "./close_look.js";
import { drawFeatures, frame } from "./plane.js";

const INKS = ["ink", "muted", "faint", "shade", "card", "feature", "accent", "blue", "font"];
const EVALUATE_EVERY = 400; // milliseconds

/** What training begins anew for. */
export const SETTINGS = ["importance", "probability", "m", "initScale", "learningRate", "batchSize", "steps", "seeds", "firstSeed"];

export class TrainingView {
  constructor(store, makeWorker) {
    this.store = store;
    this.inks = new Inks(INKS);
    this.draw = onceAFrame(() => this.drawNow());
    this.ensemble = new Ensemble(makeWorker, () => this.changed());
    this.judge = new Requests(makeWorker);
    this.close = new CloseLook(this.inks);
    this.listeners = [];
    this.finishers = [];
    this.losses = [];
    this.exact = true;
    this.known = {};
    this.turn = 0.6;
    this.evaluated = { at: 0, step: -1 };
    this.connect();
    store.on(SETTINGS, () => this.reset());
    store.on(["chosen"], () => this.draw());
    this.reset();
    const tick = () => {
      this.ensemble.frame();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  connect() {
    byId("play").addEventListener("click", () => this.toggle());
    byId("step").addEventListener("click", () => this.ensemble.stepBy(1));
    byId("step-many").addEventListener("click", () => this.ensemble.stepBy(100));
    byId("reset").addEventListener("click", () => this.reset());
    byId("speed").addEventListener("change", (event) => this.setPace(event.target.value));
    byId("turn").addEventListener("input", (event) => {
      this.turn = Number(event.target.value);
      this.draw();
    });
  }

  setPace(value) {
    this.ensemble.pace = value === "most" ? Infinity : Number(value);
    byId("speed").value = value;
    if (this.ensemble.playing) this.ensemble.play();
  }

  /** Calls listener() when losses of the toy models are known anew. */
  onJudged(listener) {
    this.listeners.push(listener);
  }

  /** Calls listener() when all steps are taken. */
  onFinished(listener) {
    this.finishers.push(listener);
  }

  toggle() {
    if (this.ensemble.playing) this.ensemble.pause();
    else {
      if (this.ensemble.finished) this.reset();
      this.ensemble.play();
      if (!this.ensemble.ready) this.playWhenReady = true;
    }
    this.draw();
  }

  play() {
    if (!this.ensemble.playing) this.toggle();
  }

  /** Untrained toy models of the schedule as it is set. */
  reset() {
    const { values } = this.store, seeds = Array.from({ length: values.seeds }, (_, k) => values.firstSeed + k);
    const { importance, probability, m, batchSize, learningRate, initScale } = values;
    this.playWhenReady = false;
    this.schedule = { importance, probability };
    this.losses = [];
    this.evaluated = { at: 0, step: -1 };
    this.ensemble.reset(seeds, { importance, probability, m, batchSize, learningRate, initScale }, values.steps);
    if (values.chosen >= seeds.length) this.store.set({ chosen: 0 });
    this.panels(seeds);
    byId("turning").hidden = m !== 3;
    this.draw();
  }

  changed() {
    if (this.playWhenReady && this.ensemble.ready) {
      this.playWhenReady = false;
      this.ensemble.play();
    }
    this.draw();
    this.evaluate();
    if (this.ensemble.finished && this.finishedRun !== this.ensemble.run) {
      this.finishedRun = this.ensemble.run;
      for (const listener of this.finishers) listener();
    }
  }

  /** Colours have changed. */
  recolour() {
    this.inks.read();
    this.draw();
  }

  /** Asks for the losses of the toy models as they are, now and then. */
  evaluate() {
    const { ensemble } = this, now = performance.now(), still = !ensemble.playing && ensemble.step === ensemble.target;
    if (!ensemble.ready || this.evaluated.step === ensemble.step) return;
    if (now - this.evaluated.at < EVALUATE_EVERY && !still && !ensemble.finished) return;
    const { run } = ensemble, step = ensemble.step;
    this.evaluated = { at: now, step };
    const models = ensemble.models.map(({ seed, W, b }) => ({ seed, W, b }));
    this.judge.ask({ kind: "evaluate", schedule: this.schedule, m: this.store.values.m, models }, ({ losses, exact }) => {
      if (run !== this.ensemble.run) return;
      this.losses = losses;
      this.exact = exact;
      this.judgedStep = step;
      for (const listener of this.listeners) listener();
      this.draw();
      this.evaluate();
    });
  }

  panels(seeds) {
    this.cells = seeds.map((seed, index) => {
      const canvas = el("canvas", { "aria-hidden": "true" }), title = el("span", { class: "seed-title" }), note = el("span", { class: "seed-note" });
      const button = el("button", {
        class: "seed", type: "button", "aria-pressed": "false", "aria-label": `Seed ${seed}`, onclick: () => this.store.set({ chosen: index }),
      }, canvas, el("span", { class: "seed-caption" }, title, note));
      return { seed, canvas, title, note, button };
    });
    const grid = byId("seeds-grid");
    put(grid, this.cells.map(({ button }) => button));
    grid.dataset.count = seeds.length;
  }

  /** What is known beside training: {best, matching}, losses that are means over the features. */
  setKnown(known) {
    this.known = known;
    this.draw();
  }

  drawNow() {
    const { ensemble, store, inks } = this, { m, importance, chosen } = store.values, n = importance.length;
    this.drawState();
    if (!ensemble.ready) return;
    this.cells.forEach(({ seed, canvas, title, note, button }, index) => {
      const { W } = ensemble.models[index], look = measure(W, n, m), nRepresented = count(look.represented), alone = count(look.dedicated);
      drawFeatures(frame(canvas, inks, m), inks, W, n, m, { size: Math.min(1, Math.max(0.66, canvas.clientWidth / 130)), turn: this.turn });
      setText(title, `seed ${seed}`);
      setText(note, `${nRepresented} of ${n}`);
      const label = `Seed ${seed}: ${nRepresented} of ${n} features represented, ${alone} alone`;
      if (button.ariaLabel !== label) button.ariaLabel = label;
      button.setAttribute("aria-pressed", String(index === chosen));
    });
    const { W, b } = ensemble.models[chosen] ?? ensemble.models[0];
    this.close.draw({ W, b, n, m, seed: ensemble.models[chosen].seed, loss: this.losses[chosen], still: !ensemble.playing });
    drawCurves(byId("curves"), inks, ensemble.curves, chosen, ensemble.total, this.known);
  }

  drawState() {
    const { ensemble } = this, { step, total, playing, finished } = ensemble;
    setText(byId("play"), playing ? "Pause" : finished ? "Again" : "Play");
    byId("play").dataset.state = playing ? "playing" : "paused";
    setText(byId("step-count"), `${step.toLocaleString("en")} of ${total.toLocaleString("en")} steps`);
    byId("progress").value = step;
    byId("progress").max = total;
    for (const id of ["step", "step-many"]) byId(id).disabled = finished;
    const counts = ensemble.ready ? ensemble.models.map(({ W }) => count(measure(W, this.schedule.importance.length, this.store.values.m).represented)) : [];
    setText(byId("kept-summary"), counts.length ? summary(counts) : "");
  }
}

/** "3 represented in 5 seeds, 4 in 3". */
function summary(counts) {
  const times = new Map();
  for (const value of counts) times.set(value, (times.get(value) ?? 0) + 1);
  const parts = [...times].sort((a, b) => a[0] - b[0]);
  return `represented: ${parts.map(([value, seeds]) => `${value} in ${seeds} ${seeds === 1 ? "seed" : "seeds"}`).join(", ")}`;
}

/** Writes text only where it changes: screen readers and layout need not notice the rest. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

