// What runs in a Web Worker: toy models, an SAE, or the theory's searches. One message in, one answer out, except for a
// search, which answers after each descent.

import { ExactLoss, LARGEST_EXACT } from "../theory/exact_loss.js";
import { search } from "../theory/search.js";
import { PURPOSE, Sampler } from "./philox.js";
import { SAE } from "./sae.js";
import { ToyModel } from "./toy_model.js";

const HELD_OUT_SAMPLES = 16384, CLOCK_EVERY = 4;

let models = [], sae = null, searching = 0;

const answers = {
  /** New toy models: {seeds, settings}. */
  toys({ seeds, settings }) {
    models = seeds.map((seed) => new ToyModel(seed, settings));
    return snapshot(models.map(() => NaN));
  },

  /** Up to `steps` steps of every toy model, or as many as fit into `milliseconds`. */
  advance({ steps, milliseconds }) {
    const until = performance.now() + milliseconds, sums = new Float64Array(models.length);
    let taken = 0;
    while (taken < steps) {
      models.forEach((model, k) => {
        sums[k] += model.advance();
      });
      taken += 1;
      if (taken % CLOCK_EVERY === 0 && performance.now() >= until) break;
    }
    return snapshot(Array.from(sums, (sum) => sum / taken));
  },

  /** A new SAE: {toyModel: {seed, n, m, W}, probability, settings}. */
  sae({ toyModel, probability, settings }) {
    sae = new SAE(toyModel, probability, settings);
    return ofSAE(NaN, []);
  },

  advanceSAE({ steps, milliseconds }) {
    const until = performance.now() + milliseconds, resampled = [];
    let taken = 0, sum = 0;
    while (taken < steps) {
      if (sae.resamplesNow()) {
        const which = sae.resample().flatMap((flag, j) => (flag ? [j] : []));
        if (which.length) resampled.push({ step: sae.step, latents: which });
      }
      sum += sae.advance();
      taken += 1;
      if (taken % CLOCK_EVERY === 0 && performance.now() >= until) break;
    }
    return ofSAE(sum / taken, resampled);
  },

  /** Losses of models [{W, b}]: exact where that can be had, else on held-out samples of their seeds. */
  evaluate({ schedule, m, models: given }) {
    const n = schedule.probability.length;
    if (n > LARGEST_EXACT) {
      return { exact: false, losses: given.map((model) => heldOut(model, schedule, m)) };
    }
    const exact = new ExactLoss(schedule);
    return { exact: true, losses: given.map(({ W, b }) => exact.mean(W, b, m)) };
  },
};

function snapshot(losses) {
  return { step: models[0]?.step ?? 0, parameters: models.map((model) => model.parameters.slice()), losses };
}

function ofSAE(loss, resampled) {
  return { step: sae.step, parameters: sae.parameters.slice(), dead: sae.dead(), nActive: sae.nActive, loss, resampled };
}

function heldOut({ W, b, seed }, { importance, probability }, m) {
  const n = probability.length, x = new Sampler(seed, probability, PURPOSE.EVALUATION).batch(0, HELD_OUT_SAMPLES);
  let total = 0;
  for (let at = 0; at < x.length; at += n) {
    const h = new Float64Array(m);
    for (let d = 0; d < m; d += 1) for (let i = 0; i < n; i += 1) h[d] += W[d * n + i] * x[at + i];
    for (let i = 0; i < n; i += 1) {
      let z = b[i];
      for (let d = 0; d < m; d += 1) z += W[d * n + i] * h[d];
      total += importance[i] * (x[at + i] - Math.max(z, 0)) ** 2;
    }
  }
  return total / x.length;
}

/** Searches with pauses between descents, in which another search may replace it. */
async function runSearch({ id, schedule, m }) {
  searching = id;
  for (const state of search(schedule, m)) {
    await new Promise((resume) => setTimeout(resume));
    if (searching !== id) return;
    self.postMessage({ id, ...state });
  }
}

self.onmessage = ({ data }) => {
  if (data.kind === "search") runSearch(data);
  else self.postMessage({ id: data.id, ...answers[data.kind](data) });
};
