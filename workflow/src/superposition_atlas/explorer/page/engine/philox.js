// The stream of samples of superposition_atlas, word for word: Philox4x32 with seven rounds.
//
// A word is a pure function of (seed, step, position, feature, purpose):
//   key = (seed mod 2^32, seed div 2^32), counter = (position div 4, feature, step, purpose),
//   word = output[position mod 4].

export const PURPOSE = {
  INPUTS: 0, INITIAL_WEIGHTS: 1, SAE_INPUTS: 2, SAE_INITIAL_WEIGHTS: 3, SAE_RESAMPLING: 4, EVALUATION: 5,
};

const ROUNDS = 7;
const M0 = 0xd2511f53 | 0, M0_LOW = 0x1f53, M0_HIGH = 0xd251;
const M1 = 0xcd9e8d57 | 0, M1_LOW = 0x8d57, M1_HIGH = 0xcd9e;
const W0 = 0x9e3779b9 | 0, W1 = 0xbb67ae85 | 0;

/** Philox4x32 of one counter: four words into out, as signed integers. */
export function philox(c0, c1, c2, c3, k0, k1, out) {
  for (let round = 0; round < ROUNDS; round += 1) {
    // High words of 32 × 32 bits by 16-bit products, none of which overflows 32 bits.
    const a0 = c0 & 0xffff, a1 = c0 >>> 16, b0 = c2 & 0xffff, b1 = c2 >>> 16;
    const ta = (Math.imul(a1, M0_LOW) + (Math.imul(a0, M0_LOW) >>> 16)) | 0;
    const ua = (Math.imul(a0, M0_HIGH) + (ta & 0xffff)) | 0;
    const highA = (Math.imul(a1, M0_HIGH) + (ta >>> 16) + (ua >>> 16)) | 0;
    const tb = (Math.imul(b1, M1_LOW) + (Math.imul(b0, M1_LOW) >>> 16)) | 0;
    const ub = (Math.imul(b0, M1_HIGH) + (tb & 0xffff)) | 0;
    const highB = (Math.imul(b1, M1_HIGH) + (tb >>> 16) + (ub >>> 16)) | 0;
    const lowA = Math.imul(c0, M0), lowB = Math.imul(c2, M1);
    c0 = highB ^ c1 ^ k0;
    c1 = lowB;
    c2 = highA ^ c3 ^ k1;
    c3 = lowA;
    k0 = (k0 + W0) | 0;
    k1 = (k1 + W1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** The two words of a key. Seeds are whole numbers below 2^53, or BigInts below 2^64. */
export function keyOf(seed) {
  const wide = BigInt(seed);
  return [Number(wide & 0xffffffffn) | 0, Number(wide >> 32n) | 0];
}

/** stream.words of one seed: Uint32Array [position, feature]. */
export function words(seed, step, nPositions, nFeatures, purpose) {
  const [k0, k1] = keyOf(seed);
  const found = new Uint32Array(nPositions * nFeatures), quad = new Int32Array(4);
  for (let q = 0; 4 * q < nPositions; q += 1) {
    for (let f = 0; f < nFeatures; f += 1) {
      philox(q, f, step | 0, purpose, k0, k1, quad);
      for (let w = 0; w < 4 && 4 * q + w < nPositions; w += 1) found[(4 * q + w) * nFeatures + f] = quad[w];
    }
  }
  return found;
}

/** stream.uniform of one seed: U(0, 1) [position, feature]. */
export function uniform(seed, step, nPositions, nFeatures, purpose) {
  return Float64Array.from(words(seed, step, nPositions, nFeatures, purpose), (word) => (word + 0.5) * 2 ** -32);
}

/** stream.standard_normal of one seed [position, feature]: Box and Muller's transform of neighbouring positions. */
export function standardNormal(seed, step, nPositions, nFeatures, purpose) {
  const u = uniform(seed, step, 2 * nPositions, nFeatures, purpose);
  const normal = new Float64Array(nPositions * nFeatures);
  for (let p = 0; p < nPositions; p += 1) {
    for (let f = 0; f < nFeatures; f += 1) {
      const first = u[2 * p * nFeatures + f], second = u[(2 * p + 1) * nFeatures + f];
      normal[p * nFeatures + f] = Math.sqrt(-2 * Math.log(first)) * Math.cos(2 * Math.PI * second);
    }
  }
  return normal;
}

/** NumPy's rint: to the nearest whole number, ties to even. */
function rint(value) {
  const floor = Math.floor(value), rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** stream.thresholds and stream.scales: a feature is active iff word ≤ threshold, and then x = word · scale. */
export function thresholds(probability) {
  const threshold = Uint32Array.from(probability, (p) => Math.max(rint(p * 2 ** 32), 1) - 1);
  const scale = Float32Array.from(threshold, (value) => 1 / (value + 1));
  return { threshold, scale };
}

const SIGN = 0x80000000 | 0;

/** Draws batches of one seed, four neighbouring samples at a time. */
export class Sampler {
  constructor(seed, probability, purpose) {
    [this.k0, this.k1] = keyOf(seed);
    this.purpose = purpose;
    this.n = probability.length;
    const { threshold, scale } = thresholds(probability);
    // With the sign bit turned, unsigned words compare as signed integers.
    this.turned = Int32Array.from(threshold, (value) => value ^ SIGN);
    this.scale = scale;
    this.words = new Int32Array(4);
  }

  /** x of the samples 4·quad … 4·quad + 3 into x[4 · n]. */
  fill(quad, step, x) {
    const { n, k0, k1, purpose, turned, scale, words: four } = this;
    for (let f = 0; f < n; f += 1) {
      philox(quad, f, step, purpose, k0, k1, four);
      const limit = turned[f], factor = scale[f];
      for (let w = 0; w < 4; w += 1) {
        const word = four[w];
        x[w * n + f] = (word ^ SIGN) <= limit ? Math.fround(Math.fround(word >>> 0) * factor) : 0;
      }
    }
  }

  /** stream.sample: the batch of one step, Float32Array [batch, feature]. */
  batch(step, size) {
    const x = new Float32Array(size * this.n), four = new Float64Array(4 * this.n);
    for (let quad = 0; 4 * quad < size; quad += 1) {
      this.fill(quad, step | 0, four);
      x.set(four.subarray(0, this.n * Math.min(4, size - 4 * quad)), 4 * quad * this.n);
    }
    return x;
  }
}
