// One toy model in training: h = W x, x' = ReLU(Wᵀ h + b), on fresh batches of its seed's stream.

import { Adam } from "./adam.js";
import { FastBatch, TURN } from "./fast_batch.js";
import { PURPOSE, Sampler, standardNormal } from "./philox.js";

/** Xavier's normal scale of one instance's W. */
export const xavierScale = (n, m) => Math.sqrt(2 / (n + m));

/** W [hidden, feature] before the first step: normal, or "unit" columns. */
export function initialWeights(seed, n, m, initScale) {
  const normal = standardNormal(seed, 0, m, n, PURPOSE.INITIAL_WEIGHTS);
  if (initScale === "unit") {
    for (let f = 0; f < n; f += 1) {
      let squared = 0;
      for (let h = 0; h < m; h += 1) squared += normal[h * n + f] ** 2;
      for (let h = 0; h < m; h += 1) normal[h * n + f] /= Math.sqrt(squared);
    }
    return Float32Array.from(normal);
  }
  const scale = initScale === "xavier" ? xavierScale(n, m) : initScale;
  return Float32Array.from(normal, (value) => scale * value);
}

/** WebAssembly where the browser has it and the page may use it, else null. */
function fastBatch(seed, settings) {
  try {
    return new FastBatch(seed, settings, PURPOSE.INPUTS);
  } catch {
    return null;
  }
}

/** Trains one toy model, a step at a time. */
export class ToyModel {
  /** settings: importance, probability, m, batchSize, learningRate, initScale; plain: without WebAssembly. */
  constructor(seed, settings) {
    const n = settings.probability.length, m = settings.m;
    this.seed = seed;
    this.n = n;
    this.m = m;
    this.batchSize = settings.batchSize;
    this.importance = Float64Array.from(settings.importance, Math.fround);
    this.sampler = new Sampler(seed, settings.probability, PURPOSE.INPUTS);
    // W row by row, then b: one array, so that Adam need not know what it trains.
    this.parameters = new Float32Array(m * n + n);
    this.parameters.set(initialWeights(seed, n, m, settings.initScale));
    this.adam = new Adam(m * n + n, settings.learningRate);
    this.gradient = new Float64Array(m * n + n);
    this.current = new Float64Array(m * n + n);
    this.x = new Float64Array(4 * n);
    this.h = new Float64Array(m);
    this.dh = new Float64Array(m);
    this.step = 0;
    this.fast = settings.plain ? null : fastBatch(seed, settings);
  }

  get W() {
    return this.parameters.subarray(0, this.m * this.n);
  }

  get b() {
    return this.parameters.subarray(this.m * this.n);
  }

  /** One step of Adam on a fresh batch; returns its loss, the mean over batch and features. */
  advance() {
    const { n, m, batchSize, x, current, gradient } = this;
    current.set(this.parameters);
    gradient.fill(0);
    // What WebAssembly does not take, which is less than a turn of it or everything, is done here.
    const turns = this.fast ? Math.floor(batchSize / TURN) : 0;
    let loss = turns ? this.fast.add(this.parameters, this.step, turns, gradient) : 0;
    for (let quad = (turns * TURN) / 4; 4 * quad < batchSize; quad += 1) {
      this.sampler.fill(quad, this.step, x);
      const samples = Math.min(4, batchSize - 4 * quad);
      loss += m === 2 ? this.planar(samples) : this.general(samples);
    }
    const share = 1 / (batchSize * n);
    for (let k = 0; k < gradient.length; k += 1) gradient[k] *= 2 * share;
    this.step += 1;
    this.adam.update(this.parameters, gradient, this.step);
    return loss * share;
  }

  /** Adds the gradients of some samples of the quad, in two hidden dimensions. */
  planar(samples) {
    const { n, x, current: w, gradient: g, importance } = this;
    let loss = 0;
    for (let s = 0; s < samples; s += 1) {
      const at = s * n;
      let h0 = 0, h1 = 0, d0 = 0, d1 = 0;
      for (let i = 0; i < n; i += 1) {
        const value = x[at + i];
        if (value !== 0) {
          h0 += value * w[i];
          h1 += value * w[n + i];
        }
      }
      for (let i = 0; i < n; i += 1) {
        const z = w[2 * n + i] + h0 * w[i] + h1 * w[n + i], value = x[at + i];
        if (z > 0) {
          const error = z - value, slope = importance[i] * error;
          loss += slope * error;
          g[i] += slope * h0;
          g[n + i] += slope * h1;
          g[2 * n + i] += slope;
          d0 += slope * w[i];
          d1 += slope * w[n + i];
        } else {
          loss += importance[i] * value * value;
        }
      }
      for (let i = 0; i < n; i += 1) {
        const value = x[at + i];
        if (value !== 0) {
          g[i] += value * d0;
          g[n + i] += value * d1;
        }
      }
    }
    return loss;
  }

  /** The same in any number of hidden dimensions. */
  general(samples) {
    const { n, m, x, current: w, gradient: g, importance, h, dh } = this;
    let loss = 0;
    for (let s = 0; s < samples; s += 1) {
      const at = s * n;
      for (let d = 0; d < m; d += 1) {
        let sum = 0;
        for (let i = 0; i < n; i += 1) sum += x[at + i] * w[d * n + i];
        h[d] = sum;
        dh[d] = 0;
      }
      for (let i = 0; i < n; i += 1) {
        const value = x[at + i];
        let z = w[m * n + i];
        for (let d = 0; d < m; d += 1) z += h[d] * w[d * n + i];
        const error = (z > 0 ? z : 0) - value, slope = importance[i] * error;
        loss += slope * error;
        if (z > 0) {
          g[m * n + i] += slope;
          for (let d = 0; d < m; d += 1) {
            g[d * n + i] += slope * h[d];
            dh[d] += slope * w[d * n + i];
          }
        }
      }
      for (let d = 0; d < m; d += 1) {
        for (let i = 0; i < n; i += 1) g[d * n + i] += x[at + i] * dh[d];
      }
    }
    return loss;
  }
}
