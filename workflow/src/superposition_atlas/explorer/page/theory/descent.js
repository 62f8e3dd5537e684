// Downhill on the exact loss by BFGS, with a line search that meets the (weak) Wolfe conditions.

const MOST_STEPS = 400, C1 = 1e-4, C2 = 0.9, IDLE_STEPS = 4;

/**
 * Minimises objective(x, gradient) → value from start; returns {x, value}. scale is a typical value; a descent ends after some
 * steps that gain less than `precision` of the value each.
 */
export function descend(objective, start, scale, precision) {
  const size = start.length;
  let x = Float64Array.from(start), gradient = new Float64Array(size), value = objective(x, gradient);
  let inverse = identity(size, 1), fresh = true, idle = 0;
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if (largest(gradient) <= 1e-10 * scale) break;
    let direction = times(inverse, gradient, -1), slope = dot(direction, gradient);
    if (slope >= 0) {
      inverse = identity(size, 1);
      direction = gradient.map((g) => -g);
      slope = -dot(gradient, gradient);
      fresh = true;
    }
    const first = fresh ? Math.min(1, 0.1 / Math.sqrt(-slope)) : 1;
    const found = lineSearch(objective, x, value, slope, direction, first);
    if (found === null) {
      if (fresh) break;
      inverse = identity(size, 1);
      fresh = true;
      continue;
    }
    const moved = found.x.map((entry, k) => entry - x[k]), turned = found.gradient.map((entry, k) => entry - gradient[k]);
    const curvature = dot(moved, turned);
    if (curvature > 1e-14 * Math.sqrt(dot(moved, moved) * dot(turned, turned))) {
      if (fresh) inverse = identity(size, curvature / dot(turned, turned));
      update(inverse, moved, turned, curvature);
      fresh = false;
    }
    idle = value - found.value <= precision * (value + 1e-6 * scale) ? idle + 1 : 0;
    ({ x, value, gradient } = found);
    if (idle >= IDLE_STEPS) break;
  }
  return { x, value };
}

/** A point that meets the weak Wolfe conditions, by bisection and doubling; null where none lies downhill. */
function lineSearch(objective, x, value, slope, direction, first) {
  let low = 0, high = Infinity, rate = first, best = null;
  for (let trial = 0; trial < 40; trial += 1) {
    const tried = x.map((entry, k) => entry + rate * direction[k]), gradient = new Float64Array(x.length);
    const reached = objective(tried, gradient);
    if (reached > value + C1 * rate * slope) high = rate;
    else {
      best = { x: tried, value: reached, gradient };
      if (dot(gradient, direction) >= C2 * slope) return best;
      low = rate;
    }
    rate = high < Infinity ? (low + high) / 2 : 2 * rate;
  }
  return best;
}

function identity(size, scale) {
  const matrix = new Float64Array(size * size);
  for (let k = 0; k < size; k += 1) matrix[k * size + k] = scale;
  return matrix;
}

function times(matrix, vector, sign) {
  const size = vector.length, found = new Float64Array(size);
  for (let r = 0; r < size; r += 1) {
    let sum = 0;
    for (let k = 0; k < size; k += 1) sum += matrix[r * size + k] * vector[k];
    found[r] = sign * sum;
  }
  return found;
}

/** The BFGS update of the inverse Hessian, in place. */
function update(inverse, moved, turned, curvature) {
  const size = moved.length, product = times(inverse, turned, 1), scale = (1 + dot(turned, product) / curvature) / curvature;
  for (let r = 0; r < size; r += 1) {
    for (let k = 0; k < size; k += 1) {
      inverse[r * size + k] += scale * moved[r] * moved[k] - (moved[r] * product[k] + product[r] * moved[k]) / curvature;
    }
  }
}

const dot = (a, b) => a.reduce((sum, entry, k) => sum + entry * b[k], 0);
const largest = (values) => values.reduce((most, entry) => Math.max(most, Math.abs(entry)), 0);
