// The expected loss of a toy model in closed form: no samples, no noise, and its gradient.
//
// The expectation runs over the supports of x and, on each, over the cube of active magnitudes u. With
// z = b + Σ g_j u_j and any s in [0, 1]^k with b = -Σ g_j s_j, integration by parts gives
//   (q + k) E z₊^q = Σ_j (1 - s_j) E[z₊^q | u_j = 1] + s_j E[z₊^q | u_j = 0],
// where nothing is subtracted or divided by a coupling. A state says of each feature whether it is absent (0), at
// 1 (1) or random (2): 3^n states, each of which follows from smaller ones.

const SQUARE = 0, FIRST = 1, POSITIVE = 2, WITH_OWN = 3;

/** Most features that the page takes on: a loss of 8 features takes some 10 ms. */
export const LARGEST_EXACT = 8;

/** Exact losses of toy models with one schedule. */
export class ExactLoss {
  /** schedule: {importance, probability}. */
  constructor({ importance, probability }) {
    const n = probability.length, size = 3 ** n;
    Object.assign(this, { n, size, importance: Float64Array.from(importance), probability: Float64Array.from(probability) });
    this.powers = Array.from({ length: n }, (_, j) => 3 ** j);
    this.digits = new Uint8Array(size * n);
    this.count = new Uint8Array(size);
    this.random = new Uint8Array(size * n);
    this.weight = new Float64Array(size);
    for (let state = 0; state < size; state += 1) {
      let weight = 1;
      for (let j = 0; j < n; j += 1) {
        const digit = Math.floor(state / this.powers[j]) % 3;
        this.digits[state * n + j] = digit;
        if (digit === 2) this.random[state * n + this.count[state]++] = j;
        weight *= digit === 2 ? probability[j] : digit === 0 ? 1 - probability[j] : 0;
      }
      this.weight[state] = weight;
    }
    this.columns = WITH_OWN + 3 * n;
    this.moments = new Float64Array(size * this.columns);
    this.g = new Float64Array(n);
    this.dg = new Float64Array(n);
    this.s = new Float64Array(n);
  }

  /** I_i E(x_i - x'_i)² of every feature. W [hidden, feature], b [feature]. */
  perFeature(W, b, m) {
    return this.run(W, b, m, null, null);
  }

  /** The mean over the features, as in training. */
  mean(W, b, m) {
    return this.perFeature(W, b, m).reduce((sum, value) => sum + value, 0) / this.n;
  }

  /** The sum over the features, and its gradient into dW and db. */
  withGradient(W, b, m, dW, db) {
    dW.fill(0);
    return this.run(W, b, m, dW, db).reduce((sum, value) => sum + value, 0);
  }

  run(W, b, m, dW, db) {
    const { n, g, dg, importance, probability } = this, losses = new Float64Array(n), gradient = dW !== null;
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < n; j += 1) {
        g[j] = 0;
        for (let h = 0; h < m; h += 1) g[j] += W[h * n + i] * W[h * n + j];
      }
      this.fillMoments(b[i], i, gradient);
      const [total, slope] = this.collect(i, gradient);
      losses[i] = Math.max(0, importance[i] * (probability[i] / 3 + total));
      if (!gradient) continue;
      db[i] = importance[i] * slope;
      for (let j = 0; j < n; j += 1) {
        for (let h = 0; h < m; h += 1) {
          dW[h * n + i] += importance[i] * dg[j] * W[h * n + j];
          dW[h * n + j] += importance[i] * dg[j] * W[h * n + i];
        }
      }
    }
    return losses;
  }

  /** Sums over the supports: E z₊² - 2 E x_i z₊, its slope in b_i, and its slopes dg in the couplings. */
  collect(i, gradient) {
    const { n, size, weight, digits, count, random, columns, moments, dg } = this, bound = WITH_OWN + n, both = bound + n;
    let total = 0, slope = 0;
    dg.fill(0);
    for (let state = 0; state < size; state += 1) {
      const w = weight[state];
      if (w === 0) continue;
      const factor = digits[state * n + i] === 2 ? 2 : 0, at = state * columns;
      total += w * (moments[at + SQUARE] - factor * moments[at + WITH_OWN + i]);
      if (!gradient) continue;
      slope += w * (2 * moments[at + FIRST] - factor * moments[at + bound + i]);
      for (let a = 0; a < count[state]; a += 1) {
        const j = random[state * n + a];
        dg[j] += w * (2 * moments[at + WITH_OWN + j] - factor * moments[at + both + j]);
      }
    }
    return [total, slope];
  }

  fillMoments(b, i, gradient) {
    const { n, size, digits, count, random, g, s, columns, moments } = this;
    for (let state = 0; state < size; state += 1) {
      const k = count[state], from = state * n;
      let base = b;
      for (let j = 0; j < n; j += 1) if (digits[from + j] === 1) base += g[j];
      let low = base, high = base;
      for (let a = 0; a < k; a += 1) {
        const value = g[random[from + a]];
        if (value < 0) low += value;
        else high += value;
      }
      if (low >= 0 && high > 0) {
        this.polynomials(state, base, i);
        continue;
      }
      const at = state * columns;
      moments.fill(0, at, at + columns);
      if (high > 0) {
        const t = -low / (high - low);
        for (let a = 0; a < k; a += 1) s[a] = g[random[from + a]] > 0 ? t : 1 - t;
        this.follow(state, i, gradient);
      }
    }
  }

  /** Where z is positive throughout. */
  polynomials(state, base, i) {
    const { n, count, random, g, columns, moments } = this, at = state * columns, k = count[state];
    let mean = base, variance = 0;
    for (let a = 0; a < k; a += 1) {
      const value = g[random[state * n + a]];
      mean += value / 2;
      variance += (value * value) / 12;
    }
    moments[at + SQUARE] = mean * mean + variance;
    moments[at + FIRST] = mean;
    moments[at + POSITIVE] = 1;
    for (let a = 0; a < k; a += 1) {
      const j = random[state * n + a];
      moments[at + WITH_OWN + j] = mean / 2 + g[j] / 12;
      moments[at + WITH_OWN + n + j] = 0.5;
      moments[at + WITH_OWN + 2 * n + j] = j === i ? 1 / 3 : 0.25;
    }
  }

  /** Where z can have either sign: from smaller states. A factor u_j is 0 at one end, and has a slope. */
  follow(state, i, gradient) {
    const { n, digits, count, random, powers, s, columns, moments: M } = this;
    const k = count[state], from = state * n, at = state * columns, bound = WITH_OWN + n, both = bound + n;
    for (let c = 0; c < k; c += 1) {
      const power = powers[random[from + c]], one = (state - power) * columns, zero = (state - 2 * power) * columns;
      for (let q = 0; q < WITH_OWN; q += 1) M[at + q] += (1 - s[c]) * M[one + q] + s[c] * M[zero + q];
    }
    M[at + SQUARE] /= k + 2;
    M[at + FIRST] /= k + 1;
    M[at + POSITIVE] /= k;
    for (let a = 0; a < k; a += 1) {
      const j = random[from + a];
      if (!gradient && j !== i) continue;
      let value = 0, sign = 0;
      for (let c = 0; c < k; c += 1) {
        const power = powers[random[from + c]], one = (state - power) * columns, zero = (state - 2 * power) * columns;
        if (c === a) {
          value += (1 - s[c]) * M[one + FIRST] + s[c] * M[at + FIRST];
          sign += (1 - s[c]) * M[one + POSITIVE] + s[c] * M[at + POSITIVE];
        } else {
          value += (1 - s[c]) * M[one + WITH_OWN + j] + s[c] * M[zero + WITH_OWN + j];
          sign += (1 - s[c]) * M[one + bound + j] + s[c] * M[zero + bound + j];
        }
      }
      M[at + WITH_OWN + j] = value / (k + 2);
      M[at + bound + j] = sign / (k + 1);
    }
    if (!gradient || digits[from + i] !== 2) return;
    for (let a = 0; a < k; a += 1) {
      const j = random[from + a];
      let total = 0;
      for (let c = 0; c < k; c += 1) {
        const other = random[from + c], power = powers[other];
        const one = (state - power) * columns, zero = (state - 2 * power) * columns;
        if (other === i && c === a) total += (1 - s[c]) * M[one + POSITIVE] + 2 * s[c] * M[at + bound + i];
        else if (other === i) total += (1 - s[c]) * M[one + bound + j] + s[c] * M[at + bound + j];
        else if (c === a) total += (1 - s[c]) * M[one + bound + i] + s[c] * M[at + bound + i];
        else total += (1 - s[c]) * M[one + both + j] + s[c] * M[zero + both + j];
      }
      M[at + both + j] = total / (k + 2);
    }
  }
}
