// A sparse autoencoder, trained live on the hidden activations of the chosen toy model.

import { groupRecovered, saeLook } from "../theory/recovery.js";
import { Inks, fit } from "./canvas.js";
import { byId, el, onceAFrame, put, short } from "./dom.js";
import { drawFeatures, frame, project } from "./plane.js";

const BUDGET = 14;
const FIELDS = { "sae-latents": [1, 16], "sae-lambda": [0, 5], "sae-k": [1, 16], "sae-steps": [100, 100000] };

export class SAEView {
  constructor(store, makeWorker, training) {
    Object.assign(this, { store, makeWorker, training });
    this.inks = new Inks(["ink", "muted", "faint", "shade", "card", "feature", "accent", "blue", "font"]);
    this.draw = onceAFrame(() => this.drawNow());
    this.run = 0;
    this.playing = false;
    this.busy = false;
    this.state = null;
    this.pace = Infinity;
    byId("sae-play").addEventListener("click", () => this.toggle());
    byId("sae-step").addEventListener("click", () => this.advance(1));
    byId("sae-reset").addEventListener("click", () => this.begin(false));
    byId("sae-speed").addEventListener("change", (event) => { this.pace = event.target.value === "most" ? Infinity : Number(event.target.value); });
    for (const id of ["sae-architecture", "sae-resampling", ...Object.keys(FIELDS)]) {
      byId(id).addEventListener("change", () => this.changed(id));
    }
    store.on(["chosen", "importance", "probability", "m", "seeds", "firstSeed"], () => this.stale());
    this.showFields();
    this.draw();
  }

  changed(id) {
    if (id in FIELDS) {
      const input = byId(id), value = Number(input.value), [low, high] = FIELDS[id], whole = id !== "sae-lambda";
      const fits = input.value !== "" && value >= low && value <= high && (!whole || Number.isInteger(value));
      input.setCustomValidity(fits ? "" : `a ${whole ? "whole " : ""}number from ${low} to ${high}`);
      input.reportValidity();
      if (!fits) return;
    }
    this.showFields();
    this.stale();
  }

  /** Fields that the architecture does not have are hidden. */
  showFields() {
    const topk = byId("sae-architecture").value === "topk";
    byId("sae-k-field").hidden = !topk;
    byId("sae-lambda-field").hidden = topk;
    byId("sae-resampling-field").hidden = topk;
  }

  settings() {
    const number = (id) => Number(byId(id).value), architecture = byId("sae-architecture").value, steps = number("sae-steps");
    return {
      architecture, nLatents: number("sae-latents"), lambda: number("sae-lambda"), k: Math.min(number("sae-k"), number("sae-latents")), steps,
      resampling: architecture === "topk" ? "none" : byId("sae-resampling").value, batchSize: 1024, learningRate: 0.001,
      resampleEvery: Math.max(2, Math.round(steps / 8)), deadWindow: Math.max(1, Math.round(steps / 40)), resampleScale: 0.5,
    };
  }

  /** What was trained is of other settings or of another toy model: it is forgotten. */
  stale() {
    this.run += 1;
    this.playing = false;
    this.busy = false;
    this.state = null;
    this.draw();
  }

  /** A new SAE on the chosen toy model as it is now. */
  begin(play) {
    this.stale();
    const { ensemble } = this.training, { chosen, m, importance, probability } = this.store.values;
    if (!ensemble.ready || !ensemble.models[chosen]?.W) return;
    const { seed, W } = ensemble.models[chosen], n = importance.length;
    this.worker ??= this.makeWorker();
    const run = this.run, settings = this.settings();
    this.toyModel = { seed, n, m, W: Array.from(W), step: ensemble.step };
    this.total = settings.steps;
    this.curve = { steps: [], losses: [], marks: [] };
    this.latents = settings.nLatents;
    this.playing = play;
    this.worker.onmessage = ({ data }) => {
      if (data.id !== this.run) return;
      this.busy = false;
      this.state = data;
      if (Number.isFinite(data.loss)) {
        this.curve.steps.push(data.step);
        this.curve.losses.push(data.loss);
      }
      this.curve.marks.push(...data.resampled);
      if (data.step >= this.total) this.playing = false;
      if (this.playing) this.goOn();
      this.draw();
    };
    this.busy = true;
    this.worker.postMessage({ id: run, kind: "sae", toyModel: this.toyModel, probability, settings });
  }

  toggle() {
    if (this.state === null || this.state.step >= this.total) this.begin(true);
    else {
      this.playing = !this.playing;
      if (this.playing) this.goOn();
    }
    this.draw();
  }

  goOn() {
    if (this.pace === Infinity) this.advance(this.total - this.state.step);
    else requestAnimationFrame(() => this.playing && this.advance(Math.min(this.pace, this.total - this.state.step)));
  }

  advance(steps) {
    if (this.state === null) {
      this.begin(false);
      return;
    }
    if (this.busy || steps <= 0 || this.state.step >= this.total) return;
    this.busy = true;
    this.worker.postMessage({ id: this.run, kind: "advanceSAE", steps, milliseconds: BUDGET });
  }

  drawNow() {
    const { state, inks, store } = this, { m, importance, chosen } = store.values, n = importance.length;
    const finished = state !== null && state.step >= this.total;
    byId("sae-play").textContent = this.playing ? "Pause" : finished ? "Again" : "Train";
    byId("sae-play").dataset.state = this.playing ? "playing" : "paused";
    byId("sae-count").textContent = state ? `${state.step.toLocaleString("en")} of ${this.total.toLocaleString("en")} steps` : "not begun";
    byId("sae-of").textContent = `on seed ${store.values.firstSeed + chosen}`;
    const model = this.toyModel && state ? this.toyModel : null, W = model ? model.W : this.training.ensemble.models[chosen]?.W;
    const picture = frame(byId("sae-plane"), inks, m);
    if (!W || W.length !== m * n) return;
    drawFeatures(picture, inks, W, n, m, { grey: true, turn: this.training.turn });
    if (!state) {
      put(byId("sae-recovered"));
      for (const id of ["sae-l0", "sae-dead", "sae-share", "sae-loss"]) byId(id).textContent = "–";
      fit(byId("sae-curve"));
      byId("sae-plane").setAttribute("aria-label", "Feature directions of the chosen toy model; no SAE is trained yet");
      return;
    }
    const look = saeLook(state.parameters, m, this.latents);
    this.drawLatents(picture, look, m);
    const recovered = groupRecovered(W, n, m, look.decoder, state.dead);
    byId("sae-l0").textContent = short(state.nActive, 3);
    byId("sae-dead").textContent = `${state.dead.filter(Boolean).length} of ${this.latents}`;
    byId("sae-share").textContent = `${recovered.filter(({ found }) => found).length} of ${recovered.length}`;
    byId("sae-loss").textContent = short(state.loss, 3);
    put(byId("sae-recovered"), recovered.map(({ feature, latent, cosine, found, nearly }) => el("li", { "data-found": String(found) },
      el("strong", {}, `feature ${feature}`), ` ${found ? "recovered" : nearly ? "nearly" : "not recovered"}`,
      latent < 0 ? "" : ` · latent ${latent}, cos ${cosine.toFixed(2).replace("-", "−")}`)));
    byId("sae-plane").setAttribute("aria-label", `${recovered.filter(({ found }) => found).length} of ${recovered.length} represented features recovered at cosine 0.9`);
    this.drawCurve();
  }

  /** Decoder directions as solid lines with a dot, encoder directions dashed; dead latents hollow. */
  drawLatents({ context, unit }, { decoder, encoder }, m) {
    const draw = (W, dashes, width, dots) => project(W, this.latents, m, this.training.turn).forEach(([x, y], j) => {
      const dead = this.state.dead[j], length = Math.hypot(x, y), scale = dots || length < 1.35 ? 1 : 1.35 / length;
      const row = m === 1 ? ((j + 0.5) / this.latents - 0.5) * 1.7 * unit : 0;
      context.strokeStyle = dots ? this.inks.accent : this.inks.blue;
      context.lineWidth = width;
      context.setLineDash(dead ? [2, 3] : dashes);
      context.globalAlpha = dead && !dots ? 0.35 : 1;
      context.beginPath();
      context.moveTo(0, row);
      context.lineTo(x * unit * scale, row - y * unit * scale);
      context.stroke();
      context.setLineDash([]);
      if (dots) {
        context.beginPath();
        context.arc(x * unit, row - y * unit, 4.5, 0, 2 * Math.PI);
        context.fillStyle = dead ? this.inks.card : this.inks.accent;
        context.fill();
        context.lineWidth = 1.4;
        context.stroke();
      }
      context.globalAlpha = 1;
    });
    draw(encoder, [5, 3], 1.6, false);
    draw(decoder, [], 2.2, true);
  }

  drawCurve() {
    const { context, width, height } = fit(byId("sae-curve")), { steps, losses, marks } = this.curve;
    if (losses.length < 2) return;
    const low = Math.log(Math.min(...losses)), high = Math.max(Math.log(Math.max(...losses)), low + 0.2), top = 14;
    const x = (step) => (width * step) / this.total, y = (loss) => top + ((height - top - 4) * (high - Math.log(loss))) / (high - low);
    context.strokeStyle = this.inks.accent;
    context.fillStyle = this.inks.muted;
    context.font = `10px ${this.inks.font}`;
    for (const { step, latents } of marks) {
      context.globalAlpha = 0.6;
      context.beginPath();
      context.moveTo(x(step), top);
      context.lineTo(x(step), height);
      context.stroke();
      context.globalAlpha = 1;
      context.textAlign = x(step) > width - 40 ? "right" : "left";
      context.fillText(`↻ ${latents.length}`, x(step) + (x(step) > width - 40 ? -2 : 2), 10);
    }
    context.strokeStyle = this.inks.ink;
    context.lineWidth = 1.4;
    context.beginPath();
    steps.forEach((step, k) => (k ? context.lineTo(x(step), y(losses[k])) : context.moveTo(x(step), y(losses[k]))));
    context.stroke();
  }

  recolour() {
    this.inks.read();
    this.draw();
  }
}
