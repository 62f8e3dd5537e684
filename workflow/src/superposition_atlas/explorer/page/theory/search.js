// The best known solution of a schedule: minima of the exact loss, from many starts.
//
// Starts are the cheapest structures (dedicated features, pairs, polygons), slightly disturbed, and random weights; then the best
// one again with features exchanged.

import { PURPOSE, standardNormal } from "../engine/philox.js";
import { dropCosts, pairCosts } from "./costs.js";
import { descend } from "./descent.js";
import { ExactLoss } from "./exact_loss.js";

/** Most features of a search in the page. */
export const LARGEST_SEARCHED = 6;
const N_AXES = 8, N_POLYGONS = 4, N_RANDOM = 12, DISTURBANCE = 0.05, SCALES = [0.2, 0.6, 1.0], SAME_LOSS = 1e-5;
const QUICK = 1e-7, CLOSE = 1e-13;

/** All ways to give each of at most m dimensions to one feature or to a pair. */
export function axisStructures(features, m) {
  if (!features.length || !m) return [[]];
  const [first, ...rest] = features;
  const found = axisStructures(rest, m);
  for (const others of axisStructures(rest, m - 1)) found.push([[first], ...others]);
  for (const partner of rest) {
    const left = rest.filter((feature) => feature !== partner);
    for (const others of axisStructures(left, m - 1)) found.push([[first, partner], ...others]);
  }
  return found;
}

/** All polygons of so many of the features, each cyclic order once. */
export function polygons(n, corners) {
  const found = [];
  const grow = (order, left) => {
    if (order.length === corners) {
      if (order[1] < order[corners - 1]) found.push(order);
      return;
    }
    left.forEach((feature, k) => grow([...order, feature], left.filter((_, other) => other !== k)));
  };
  for (let first = 0; first < n; first += 1) {
    grow([first], Array.from({ length: n - first - 1 }, (_, k) => first + 1 + k));
  }
  return found;
}

/** Parameters (W row by row, then b) of a structure: axes with weights 1 and -1, or one regular polygon. */
function weightsOf(structure, { probability }, m, isPolygon) {
  const n = probability.length, x = new Float64Array(m * n + n);
  for (let i = 0; i < n; i += 1) x[m * n + i] = probability[i] / 2;
  structure.forEach((group, axis) => group.forEach((feature, place) => {
    if (isPolygon) {
      const norm = group.length === 3 ? 0.95 : 1.12, angle = (2 * Math.PI * place) / group.length;
      x[feature] = norm * Math.cos(angle);
      x[n + feature] = norm * Math.sin(angle);
      x[m * n + feature] = group.length === 3 ? -0.06 : -0.22;
    } else {
      x[axis * n + feature] = place ? -1 : 1;
      x[m * n + feature] = 0;
    }
  }));
  return x;
}

function starts(schedule, m, exact) {
  const n = schedule.probability.length, V = dropCosts(schedule), c = pairCosts(schedule);
  const saved = (groups) => groups.reduce((sum, [i, j]) => sum + V[i] + (j === undefined ? 0 : V[j] - c[i][j]), 0);
  const axes = axisStructures(Array.from({ length: n }, (_, i) => i), m)
    .map((groups) => ({ groups, saved: saved(groups) })).sort((a, b) => b.saved - a.saved).slice(0, N_AXES);
  const found = axes.map(({ groups }) => weightsOf(groups, schedule, m, false));
  if (m === 2) {
    const ranked = [3, 5].flatMap((corners) => polygons(n, corners)).map((order) => {
      const x = weightsOf([order], schedule, m, true);
      return { x, loss: exact.mean(x.subarray(0, m * n), x.subarray(m * n), m) };
    });
    found.push(...ranked.sort((a, b) => a.loss - b.loss).slice(0, N_POLYGONS).map(({ x }) => x));
  }
  const structured = found.length, rows = m + 1;
  const noise = standardNormal(0, 0, (structured + N_RANDOM) * rows, n, PURPOSE.INITIAL_WEIGHTS);
  for (let k = 0; k < structured + N_RANDOM; k += 1) {
    const x = k < structured ? found[k] : new Float64Array(m * n + n);
    const scale = k < structured ? DISTURBANCE : SCALES[k % SCALES.length], ofBias = k < structured ? DISTURBANCE : 0.1;
    for (let i = 0; i < n; i += 1) {
      x[m * n + i] += ofBias * noise[k * rows * n + i];
      for (let h = 0; h < m; h += 1) x[h * n + i] += scale * noise[(k * rows + 1 + h) * n + i];
    }
    if (k >= structured) found.push(x);
  }
  return found;
}

function exchanged(x, n, m, i, j) {
  const other = Float64Array.from(x);
  for (let row = 0; row <= m; row += 1) [other[row * n + i], other[row * n + j]] = [other[row * n + j], other[row * n + i]];
  return other;
}

/**
 * Yields after each descent {done, total, best: {W, b, loss, nStarts}, nEnds}: loss is the mean over the features, nStarts the
 * number of descents that ended at it.
 */
export function* search(schedule, m) {
  const n = schedule.probability.length, exact = new ExactLoss(schedule);
  const nothing = dropCosts(schedule).reduce((sum, value) => sum + value, 0);
  const objective = (x, gradient) => exact.withGradient(
    x.subarray(0, m * n), x.subarray(m * n), m, gradient.subarray(0, m * n), gradient.subarray(m * n),
  );
  const ends = [];
  const report = (total) => {
    const best = ends.reduce((one, other) => (other.value < one.value ? other : one));
    const slack = SAME_LOSS * best.value + 1e-10 * nothing;
    return {
      done: ends.length, total: Math.max(total, ends.length),
      best: {
        W: Array.from(best.x.subarray(0, m * n)), b: Array.from(best.x.subarray(m * n)), loss: best.value / n,
        nStarts: ends.filter((end) => end.value - best.value <= slack).length,
      },
    };
  };
  const first = starts(schedule, m, exact), swaps = (n * (n - 1)) / 2;
  for (const start of first) {
    ends.push(descend(objective, start, nothing, QUICK));
    yield report(first.length + swaps);
  }
  const lowest = () => ends.reduce((one, other) => (other.value < one.value ? other : one));
  for (let best = lowest(), previous = null; best !== previous;) {
    Object.assign(best, descend(objective, best.x, nothing, CLOSE));
    for (let i = 0; i < n; i += 1) {
      for (let j = i + 1; j < n; j += 1) {
        ends.push(descend(objective, exchanged(best.x, n, m, i, j), nothing, QUICK));
        yield report(first.length + swaps);
      }
    }
    previous = best;
    if (lowest().value < best.value * (1 - SAME_LOSS)) best = lowest();
  }
  const winner = lowest();
  Object.assign(winner, descend(objective, winner.x, nothing, CLOSE));
  yield report(ends.length);
}
