// A sparse autoencoder in training on the hidden activations of one toy model: relu with resampling, or topk.
//
//   π = (h - b_dec) W_enc + b_enc,  a = ReLU(π), for topk only the k largest;  h' = a Ŵ_dec + b_dec
//   relu  L = mean over the batch of (mean_d (h' - h)² + λ Σ a)
//   topk  L = mean over the batch of mean_d (h' - h)² + AuxK / 32, of dead latents
// Ŵ_dec has rows of norm 1; after each step it replaces W_dec. The steps are those of superposition_atlas.sae.

import { Adam } from "./adam.js";
import { PURPOSE, Sampler, standardNormal, uniform } from "./philox.js";

const NORM_EPSILON = 1e-8, NEGLIGIBLE_LOSS = 1e-6, AUXILIARY = 1 / 32;

export class SAE {
  /**
   * toyModel: seed, n, m, W [hidden, feature]; probability: of its features.
   * settings: architecture (relu, topk), nLatents, lambda, k, resampling (none, simple, advanced), steps, batchSize,
   * learningRate, resampleEvery, deadWindow, resampleScale.
   */
  constructor(toyModel, probability, settings) {
    const { seed, n, m } = toyModel, latents = settings.nLatents;
    Object.assign(this, { seed, n, m, latents, settings, probability });
    this.W = Float64Array.from(toyModel.W);
    this.sampler = new Sampler(seed, probability, PURPOSE.SAE_INPUTS);
    // Rows as in the package: W_enc [hidden, latent], W_dec [latent, hidden], b_enc [latent], b_dec [hidden].
    const size = 2 * m * latents + latents + m;
    this.parameters = new Float32Array(size);
    this.at = { enc: 0, dec: m * latents, bEnc: 2 * m * latents, bDec: 2 * m * latents + latents };
    const u = uniform(seed, 0, m, 2 * latents, PURPOSE.SAE_INITIAL_WEIGHTS), limit = Math.sqrt(6 / (m * latents));
    for (let d = 0; d < m; d += 1) {
      for (let j = 0; j < latents; j += 1) {
        this.parameters[d * latents + j] = limit * (2 * u[d * 2 * latents + j] - 1);
        this.parameters[this.at.dec + j * m + d] = limit * (2 * u[d * 2 * latents + latents + j] - 1);
      }
    }
    this.adam = new Adam(size, settings.learningRate);
    this.current = new Float64Array(size);
    this.gradient = new Float64Array(size);
    this.unit = new Float64Array(latents * m);
    this.unitGradient = new Float64Array(latents * m);
    this.norms = new Float64Array(latents);
    this.lastFired = new Int32Array(latents).fill(-1);
    this.x = new Float64Array(4 * n);
    this.h = new Float64Array(m);
    this.error = new Float64Array(m);
    this.auxError = new Float64Array(m);
    this.pi = new Float64Array(latents);
    this.a = new Float64Array(latents);
    this.aux = new Float64Array(latents);
    this.chosen = new Uint8Array(latents);
    this.step = 0;
    this.nActive = 0;
  }

  /** Latents that fired for no sample of the last deadWindow steps (of all, while there are fewer). */
  dead() {
    const since = Math.max(this.step - this.settings.deadWindow, 0);
    return Array.from(this.lastFired, (last) => last < since);
  }

  /** One step; returns the loss. nActive is then the mean number of active latents a sample, L0. */
  advance() {
    const { settings, current, gradient, x, n } = this;
    current.set(this.parameters);
    gradient.fill(0);
    this.unitGradient.fill(0);
    this.setUnitRows(current);
    const dead = settings.architecture === "topk" ? this.dead() : null;
    const hasDead = dead !== null && dead.some(Boolean);
    const fired = new Uint8Array(this.latents);
    let loss = 0, active = 0;
    for (let quad = 0; 4 * quad < settings.batchSize; quad += 1) {
      this.sampler.fill(quad, this.step, x);
      const samples = Math.min(4, settings.batchSize - 4 * quad);
      for (let s = 0; s < samples; s += 1) {
        this.setHidden(s * n);
        loss += this.sample(hasDead ? dead : null);
        for (let j = 0; j < this.latents; j += 1) {
          if (this.a[j] > 0) {
            fired[j] = 1;
            active += 1;
          }
        }
      }
    }
    this.throughNorms(current, gradient);
    for (let k = 0; k < gradient.length; k += 1) gradient[k] /= settings.batchSize;
    this.adam.update(this.parameters, gradient, this.step + 1);
    current.set(this.parameters);
    this.setUnitRows(current);
    this.parameters.set(this.unit, this.at.dec);
    for (let j = 0; j < this.latents; j += 1) if (fired[j]) this.lastFired[j] = this.step;
    this.step += 1;
    this.nActive = active / settings.batchSize;
    return loss / settings.batchSize;
  }

  /** h = W x of the sample that begins at x[at]. */
  setHidden(at) {
    const { n, m, x, W, h } = this;
    for (let d = 0; d < m; d += 1) {
      let sum = 0;
      for (let i = 0; i < n; i += 1) sum += x[at + i] * W[d * n + i];
      h[d] = sum;
    }
  }

  /** Ŵ_dec and the norms of W_dec's rows. */
  setUnitRows(parameters) {
    const { m, latents, unit, norms, at } = this;
    for (let j = 0; j < latents; j += 1) {
      let squared = 0;
      for (let d = 0; d < m; d += 1) squared += parameters[at.dec + j * m + d] ** 2;
      norms[j] = Math.sqrt(squared);
      for (let d = 0; d < m; d += 1) unit[j * m + d] = parameters[at.dec + j * m + d] / (norms[j] + NORM_EPSILON);
    }
  }

  /** π and a of this.h. */
  encode(parameters) {
    const { m, latents, h, pi, a, at, settings } = this;
    for (let j = 0; j < latents; j += 1) {
      let sum = parameters[at.bEnc + j];
      for (let d = 0; d < m; d += 1) sum += (h[d] - parameters[at.bDec + d]) * parameters[d * latents + j];
      pi[j] = sum;
    }
    if (settings.architecture === "topk") this.markLargest(pi, null, settings.k);
    for (let j = 0; j < latents; j += 1) {
      a[j] = pi[j] > 0 && (settings.architecture !== "topk" || this.chosen[j]) ? pi[j] : 0;
    }
  }

  /** Marks the count largest values among those that `among` admits; of equals, the first. */
  markLargest(values, among, count) {
    this.chosen.fill(0);
    for (let turn = 0; turn < Math.min(count, values.length); turn += 1) {
      let best = -1;
      for (let j = 0; j < values.length; j += 1) {
        if (!this.chosen[j] && (among === null || among[j]) && (best < 0 || values[j] > values[best])) best = j;
      }
      if (best >= 0) this.chosen[best] = 1;
    }
  }

  /** Adds the gradient of one sample's loss, with respect to Ŵ_dec in unitGradient; returns the loss. */
  sample(dead) {
    const { m, latents, h, a, pi, unit, unitGradient, gradient, current, error, at, settings } = this;
    this.encode(current);
    let loss = 0;
    for (let d = 0; d < m; d += 1) {
      let sum = current[at.bDec + d] - h[d];
      for (let j = 0; j < latents; j += 1) if (a[j] > 0) sum += a[j] * unit[j * m + d];
      error[d] = sum;
      loss += sum * sum / m;
    }
    for (let d = 0; d < m; d += 1) gradient[at.bDec + d] += 2 * error[d] / m;
    const penalty = settings.architecture === "relu" ? settings.lambda : 0;
    for (let j = 0; j < latents; j += 1) {
      if (a[j] <= 0) continue;
      let slope = penalty;
      for (let d = 0; d < m; d += 1) {
        slope += 2 * error[d] * unit[j * m + d] / m;
        unitGradient[j * m + d] += 2 * error[d] * a[j] / m;
      }
      loss += penalty * a[j];
      this.addEncoderGradient(j, slope);
    }
    if (dead !== null) loss += this.auxiliary(dead, pi);
    return loss;
  }

  /** Adds the gradient of the encoder for one latent's slope in π. */
  addEncoderGradient(j, slope) {
    const { m, latents, h, gradient, current, at } = this;
    gradient[at.bEnc + j] += slope;
    for (let d = 0; d < m; d += 1) {
      gradient[d * latents + j] += slope * (h[d] - current[at.bDec + d]);
      gradient[at.bDec + d] -= slope * current[d * latents + j];
    }
  }

  /** AuxK (Gao et al. 2024): dead latents reconstruct the error h - h', which has no gradient itself. */
  auxiliary(dead, pi) {
    const { m, latents, unit, unitGradient, error, aux, auxError } = this;
    this.markLargest(pi, dead, Math.min(Math.max(1, m >> 1), latents));
    for (let j = 0; j < latents; j += 1) aux[j] = this.chosen[j] && pi[j] > 0 ? pi[j] : 0;
    let loss = 0;
    for (let d = 0; d < m; d += 1) {
      let sum = error[d]; // -(h - h')
      for (let j = 0; j < latents; j += 1) sum += aux[j] * unit[j * m + d];
      auxError[d] = sum;
      loss += AUXILIARY * sum * sum / m;
    }
    for (let j = 0; j < latents; j += 1) {
      if (aux[j] <= 0) continue;
      let slope = 0;
      for (let d = 0; d < m; d += 1) {
        slope += AUXILIARY * 2 * auxError[d] * unit[j * m + d] / m;
        unitGradient[j * m + d] += AUXILIARY * 2 * auxError[d] * aux[j] / m;
      }
      this.addEncoderGradient(j, slope);
    }
    return loss;
  }

  /** The gradient of W_dec, through the normalisation of its rows. */
  throughNorms(parameters, gradient) {
    const { m, latents, unitGradient, norms, at } = this;
    for (let j = 0; j < latents; j += 1) {
      const norm = norms[j], divisor = norm + NORM_EPSILON;
      let along = 0;
      for (let d = 0; d < m; d += 1) along += unitGradient[j * m + d] * parameters[at.dec + j * m + d];
      for (let d = 0; d < m; d += 1) {
        const radial = norm > 0 ? along * parameters[at.dec + j * m + d] / (norm * divisor * divisor) : 0;
        gradient[at.dec + j * m + d] += unitGradient[j * m + d] / divisor - radial;
      }
    }
  }

  /** Whether dead latents get new directions before the next step. */
  resamplesNow() {
    const { resampling, resampleEvery, steps, deadWindow } = this.settings;
    if (resampling === "none" || this.settings.architecture !== "relu") return false;
    return this.step > 0 && this.step % resampleEvery === resampleEvery - 1 && this.step <= steps - deadWindow;
  }

  /** Gives dead latents new directions, by ARENA's two schemes; returns which latents. */
  resample() {
    const dead = this.dead();
    if (!dead.some(Boolean)) return dead;
    const { m, latents, parameters, at, settings } = this;
    let directions, scale = settings.resampleScale;
    if (settings.resampling === "simple") {
      directions = standardNormal(this.seed, this.step, latents, m, PURPOSE.SAE_RESAMPLING);
      this.normalise(directions, 0);
    } else {
      directions = this.badlyReconstructed();
      if (directions === null) return dead.map(() => false);
      scale *= this.meanEncoderNorm(dead);
    }
    for (let j = 0; j < latents; j += 1) {
      if (!dead[j]) continue;
      for (let d = 0; d < m; d += 1) {
        parameters[at.dec + j * m + d] = directions[j * m + d];
        parameters[d * latents + j] = scale * directions[j * m + d];
      }
      parameters[at.bEnc + j] = 0;
    }
    return dead;
  }

  normalise(rows, epsilon) {
    for (let j = 0; j < this.latents; j += 1) {
      let squared = 0;
      for (let d = 0; d < this.m; d += 1) squared += rows[j * this.m + d] ** 2;
      for (let d = 0; d < this.m; d += 1) rows[j * this.m + d] /= Math.sqrt(squared) + epsilon;
    }
  }

  meanEncoderNorm(dead) {
    let sum = 0, count = 0;
    for (let j = 0; j < this.latents; j += 1) {
      if (dead[j]) continue;
      let squared = 0;
      for (let d = 0; d < this.m; d += 1) squared += this.parameters[d * this.latents + j] ** 2;
      sum += Math.sqrt(squared);
      count += 1;
    }
    return count ? sum / count : 1;
  }

  /** Directions of h - b_dec of fresh samples, drawn with probability ∝ their squared reconstruction loss. */
  badlyReconstructed() {
    const { n, m, latents, settings, parameters, at, a, x, h } = this;
    const sampler = new Sampler(this.seed, this.probability, PURPOSE.SAE_RESAMPLING);
    const size = settings.batchSize, hidden = new Float64Array(size * m), cumulative = new Float64Array(size);
    let largest = 0, total = 0;
    for (let k = 0; k < size; k += 1) {
      if (k % 4 === 0) sampler.fill(k / 4, this.step, x);
      this.setHidden((k % 4) * n);
      hidden.set(h, k * m);
      this.encode(parameters);
      let loss = 0;
      for (let d = 0; d < m; d += 1) {
        let sum = parameters[at.bDec + d] - h[d];
        for (let j = 0; j < latents; j += 1) sum += a[j] * parameters[at.dec + j * m + d];
        loss += sum * sum / m;
      }
      largest = Math.max(largest, loss);
      total += loss * loss;
      cumulative[k] = total;
    }
    if (largest < NEGLIGIBLE_LOSS) return null;
    // The words behind the last feature's are still unused at this step.
    const u = uniform(this.seed, this.step, latents, n + 1, PURPOSE.SAE_RESAMPLING);
    const directions = new Float64Array(latents * m);
    for (let j = 0; j < latents; j += 1) {
      let chosen = cumulative.findIndex((value) => value > u[j * (n + 1) + n] * total);
      if (chosen < 0) chosen = size - 1;
      for (let d = 0; d < m; d += 1) directions[j * m + d] = hidden[chosen * m + d] - parameters[at.bDec + d];
    }
    this.normalise(directions, 1e-8);
    return directions;
  }
}
