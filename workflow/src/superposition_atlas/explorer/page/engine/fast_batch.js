// The gradient of a batch in WebAssembly, sixteen samples at a time: the stream's words of four quads, and then
// forward and back in four lanes. The program is made for one number of features and dimensions.

import { assemble, get, i32, loop, number, set, v } from "./wasm.js";
import { keyOf, thresholds } from "./philox.js";

const ROUNDS = 7, M0 = 0xd2511f53 | 0, M1 = 0xcd9e8d57 | 0, W0 = 0x9e3779b9 | 0, W1 = 0xbb67ae85 | 0;
const VECTOR = 16;

/** Samples of one turn. */
export const TURN = 16;

/** Where everything is in memory, in bytes; each number fills a vector. */
function places(n, m) {
  const sizes = { keys: 2 * ROUNDS, multipliers: 2, lanes: 1, threshold: n, scale: n, importance: n, parameters: m * n + n, x: 4 * n, gradient: m * n + n, loss: 1 };
  const found = {};
  let next = 0;
  for (const [name, count] of Object.entries(sizes)) {
    found[name] = next;
    next += count * VECTOR;
  }
  return found;
}

/** Numbers of locals, in the order in which they are declared. */
function numbering(n, m) {
  let next = 3; // the parameters: turns, step, purpose
  const some = (count) => Array.from({ length: count }, () => next++);
  const ints = { turn: next++, word: next++ };
  const first = next;
  const vectors = {
    counter: some(4), wide: some(4), parameters: some(m * n + n), gradient: some(m * n + n), h: some(m), dh: some(m),
    loss: next++, z: next++, error: next++, slope: next++, x: next++,
  };
  return { ...ints, ...vectors, nInts: first - 3, nVectors: next - first };
}

/** Philox4x32 of four counters, in the locals `counter`. */
function philoxCode(at, local) {
  const [c0, c1, c2, c3] = local.counter, [a, b, c, d] = local.wide, code = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const m0 = v.load(at.multipliers), m1 = v.load(at.multipliers + VECTOR);
    code.push(
      ...set(a, v.wideLow(get(c0), m0)), ...set(b, v.wideHigh(get(c0), m0)),
      ...set(c, v.wideLow(get(c2), m1)), ...set(d, v.wideHigh(get(c2), m1)),
      ...set(c0, v.xor(v.xor(v.highWords(get(c), get(d)), get(c1)), v.load(at.keys + 2 * round * VECTOR))),
      ...set(c1, v.lowWords(get(c), get(d))),
      ...set(c2, v.xor(v.xor(v.highWords(get(a), get(b)), get(c3)), v.load(at.keys + (2 * round + 1) * VECTOR))),
      ...set(c3, v.lowWords(get(a), get(b))),
    );
  }
  return code;
}

/** x of sixteen samples into memory: word w of each quad in lanes, at x + (w · n + feature). */
function samplesCode(n, at, local) {
  const code = [], [c0, c1, c2, c3] = local.counter;
  for (let f = 0; f < n; f += 1) {
    code.push(
      ...set(c0, v.addInt(v.splat(i32.mul(get(local.turn), number(4))), v.load(at.lanes))),
      ...set(c1, v.splat(number(f))), ...set(c2, v.splat(get(1))), ...set(c3, v.splat(get(2))),
      ...philoxCode(at, local),
    );
    local.counter.forEach((word, w) => {
      const size = v.mul(v.toFloat(get(word)), v.load(at.scale + f * VECTOR));
      const active = v.lessOrEqual(get(word), v.load(at.threshold + f * VECTOR));
      code.push(...v.store(at.x + (w * n + f) * VECTOR, v.and(size, active)));
    });
  }
  return code;
}

/** Forward and back of four samples, whose x begins at the address in the local `word`. */
function modelCode(n, m, at, local) {
  const code = [], x = (i) => v.load(at.x + i * VECTOR, get(local.word)), W = (d, i) => get(local.parameters[d * n + i]);
  const grow = (k, value) => set(local.gradient[k], v.add(get(local.gradient[k]), value));
  for (let d = 0; d < m; d += 1) {
    let sum = v.mul(x(0), W(d, 0));
    for (let i = 1; i < n; i += 1) sum = v.add(sum, v.mul(x(i), W(d, i)));
    code.push(...set(local.h[d], sum));
  }
  for (let i = 0; i < n; i += 1) {
    let z = get(local.parameters[m * n + i]);
    for (let d = 0; d < m; d += 1) z = v.add(z, v.mul(get(local.h[d]), W(d, i)));
    code.push(
      ...set(local.z, z), ...set(local.x, v.positive(get(local.z))),
      ...set(local.error, v.sub(v.and(get(local.z), get(local.x)), x(i))),
      ...set(local.slope, v.mul(v.load(at.importance + i * VECTOR), get(local.error))),
      ...set(local.loss, v.add(get(local.loss), v.mul(get(local.slope), get(local.error)))),
      ...set(local.slope, v.and(get(local.slope), get(local.x))),
      ...grow(m * n + i, get(local.slope)),
    );
    for (let d = 0; d < m; d += 1) {
      const back = v.mul(get(local.slope), W(d, i));
      code.push(...grow(d * n + i, v.mul(get(local.slope), get(local.h[d]))), ...set(local.dh[d], i ? v.add(get(local.dh[d]), back) : back));
    }
  }
  for (let i = 0; i < n; i += 1) {
    code.push(...set(local.x, x(i)));
    for (let d = 0; d < m; d += 1) code.push(...grow(d * n + i, v.mul(get(local.x), get(local.dh[d]))));
  }
  return code;
}

/** run(turns, step, purpose): gradients and loss of 16 · turns samples, summed up in lanes. */
function program(n, m) {
  const at = places(n, m), local = numbering(n, m), size = m * n + n;
  const each = (make) => Array.from({ length: size }, (_, k) => make(k)).flat();
  const samples = [...modelCode(n, m, at, local), ...set(local.word, i32.add(get(local.word), number(n * VECTOR)))];
  const body = [
    ...each((k) => set(local.parameters[k], v.load(at.parameters + k * VECTOR))),
    ...loop([
      ...samplesCode(n, at, local),
      ...set(local.word, number(0)),
      ...loop(samples, i32.lessThan(get(local.word), number(4 * n * VECTOR))),
      ...set(local.turn, i32.add(get(local.turn), number(1))),
    ], i32.lessThan(get(local.turn), get(0))),
    ...each((k) => v.store(at.gradient + k * VECTOR, get(local.gradient[k]))),
    ...v.store(at.loss, get(local.loss)),
  ];
  return assemble(3, local.nInts, local.nVectors, body);
}

const modules = new Map();

/** Batches of one toy model. */
export class FastBatch {
  /** Throws where the browser has no WebAssembly with vectors, or does not allow it. */
  constructor(seed, settings, purpose) {
    const n = settings.probability.length, { m } = settings, name = `${n} ${m}`;
    if (!modules.has(name)) modules.set(name, new WebAssembly.Module(program(n, m)));
    const { memory, run } = new WebAssembly.Instance(modules.get(name)).exports;
    Object.assign(this, { run, purpose, size: m * n + n, at: places(n, m) });
    this.floats = new Float32Array(memory.buffer);
    this.ints = new Int32Array(memory.buffer);
    let [k0, k1] = keyOf(seed);
    for (let round = 0; round < ROUNDS; round += 1) {
      this.fill(this.ints, this.at.keys, 2 * round, k0);
      this.fill(this.ints, this.at.keys, 2 * round + 1, k1);
      k0 = (k0 + W0) | 0;
      k1 = (k1 + W1) | 0;
    }
    this.fill(this.ints, this.at.multipliers, 0, M0);
    this.fill(this.ints, this.at.multipliers, 1, M1);
    this.ints.set([0, 1, 2, 3], this.at.lanes / 4);
    const { threshold, scale } = thresholds(settings.probability);
    threshold.forEach((value, f) => this.fill(this.ints, this.at.threshold, f, value | 0));
    scale.forEach((value, f) => this.fill(this.floats, this.at.scale, f, value));
    settings.importance.forEach((value, f) => this.fill(this.floats, this.at.importance, f, value));
  }

  /** A number into all four lanes of a vector. */
  fill(view, place, index, value) {
    const from = place / 4 + 4 * index;
    view.fill(value, from, from + 4);
  }

  /** Adds the gradient of the first 16 · turns samples of a step to `gradient`; returns the sum of their losses. */
  add(parameters, step, turns, gradient) {
    const { floats, at, size } = this;
    for (let k = 0; k < size; k += 1) this.fill(floats, at.parameters, k, parameters[k]);
    this.run(turns, step | 0, this.purpose);
    const lanes = (place) => floats[place] + floats[place + 1] + floats[place + 2] + floats[place + 3];
    for (let k = 0; k < size; k += 1) gradient[k] += lanes(at.gradient / 4 + 4 * k);
    return lanes(at.loss / 4);
  }
}
