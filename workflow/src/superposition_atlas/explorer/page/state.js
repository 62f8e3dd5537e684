// What is set, in one place; views read it and are told of changes. And the same as a link's fragment.

export const LIMITS = {
  n: [2, 12], m: [1, 3], probability: [0.001, 1], importance: [0, 2], batchSize: [16, 8192], steps: [100, 100000],
  learningRate: [0.00001, 0.1], seeds: [1, 16], firstSeed: [0, 4294967295], initScale: [0.001, 5],
};

export const DEFAULTS = {
  importance: [1, 0.9, 0.81, 0.729, 0.6561], probability: [1, 0.3760603093, 0.1414213562, 0.05318295897, 0.02],
  m: 2, initScale: 0.2, learningRate: 0.001, batchSize: 1024, steps: 10000, seeds: 8, firstSeed: 0,
};

export const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));

/** A value to so many significant digits, as a number. */
export const rounded = (value, digits) => Number(value.toPrecision(digits));

export class Store {
  constructor(values) {
    this.values = values;
    this.listeners = [];
  }

  /** Calls listener(values, changed keys) after each change of one of the keys. */
  on(keys, listener) {
    this.listeners.push({ keys, listener });
  }

  set(patch) {
    const changed = Object.keys(patch).filter((key) => JSON.stringify(patch[key]) !== JSON.stringify(this.values[key]));
    if (!changed.length) return;
    Object.assign(this.values, Object.fromEntries(changed.map((key) => [key, patch[key]])));
    for (const { keys, listener } of [...this.listeners]) {
      if (keys.some((key) => changed.includes(key))) listener(this.values, changed);
    }
  }
}

const NAMES = {
  m: "m", initScale: "scale", learningRate: "rate", batchSize: "batch", steps: "steps", seeds: "seeds", firstSeed: "first",
};
const WHOLE = ["m", "batchSize", "steps", "seeds", "firstSeed"];

/** The fragment of a link to these values. */
export function toFragment(values) {
  const parts = [
    `I=${values.importance.join(",")}`, // all digits: what comes back is the same schedule
    `p=${values.probability.join(",")}`,
  ];
  for (const [key, name] of Object.entries(NAMES)) parts.push(`${name}=${values[key]}`);
  return parts.join("&");
}

/** The values that a fragment sets; what is missing or out of range is left out. */
export function fromFragment(fragment) {
  const given = new URLSearchParams(fragment.replace(/^#/, "")), found = {};
  const lists = ["I", "p"].map((name) => (given.get(name) ?? "").split(",").map(Number));
  const inside = (value, [low, high]) => Number.isFinite(value) && value >= low && value <= high;
  const fits = lists[0].length === lists[1].length && inside(lists[0].length, LIMITS.n);
  // A permalink may hold importances above what the bars reach, and probabilities below.
  if (fits && lists[0].every((value) => inside(value, [0, 1e6])) && lists[1].every((value) => value > 0 && value <= 1)) {
    [found.importance, found.probability] = lists;
  }
  for (const [key, name] of Object.entries(NAMES)) {
    if (!given.has(name)) continue;
    const text = given.get(name), value = Number(text);
    if (key === "initScale" && (text === "xavier" || text === "unit")) found[key] = text;
    else if (inside(value, LIMITS[key]) && (!WHOLE.includes(key) || Number.isInteger(value))) found[key] = value;
  }
  return found;
}
