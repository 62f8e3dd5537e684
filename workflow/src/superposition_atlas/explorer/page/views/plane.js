// Feature directions as lines from the origin: in the plane for two hidden dimensions, on a line for one, and in a
// picture that can be turned for three.

import { REPRESENTED_NORM } from "../theory/measures.js";
import { featureColour, fit } from "./canvas.js";

const LIMIT = 1.45;

/** Where columns of W [hidden, feature] are in the picture: [x, y, depth]. */
export function project(W, n, m, turn) {
  const points = [];
  for (let i = 0; i < n; i += 1) {
    if (m === 1) points.push([W[i], 0, 0]);
    else if (m === 2) points.push([W[i], W[n + i], 0]);
    else {
      const x = W[i] * Math.cos(turn) - W[n + i] * Math.sin(turn), y = W[i] * Math.sin(turn) + W[n + i] * Math.cos(turn);
      const z = W[2 * n + i], tilt = 0.42;
      points.push([x, z * Math.cos(tilt) - y * Math.sin(tilt), y * Math.cos(tilt) + z * Math.sin(tilt)]);
    }
  }
  return points;
}

/** The empty picture: axes, the unit circle, and shaded where features are not represented. Returns the scale. */
export function frame(canvas, inks, m, limit = LIMIT) {
  const { context, width, height } = fit(canvas), unit = Math.min(width, height) / (2 * limit);
  context.translate(width / 2, height / 2);
  if (m !== 1) {
    context.fillStyle = inks.shade;
    context.beginPath();
    context.arc(0, 0, REPRESENTED_NORM * unit, 0, 2 * Math.PI);
    context.fill();
    context.strokeStyle = inks.faint;
    context.lineWidth = 1;
    context.beginPath();
    context.arc(0, 0, unit, 0, 2 * Math.PI);
    context.stroke();
  } else {
    context.fillStyle = inks.shade;
    context.fillRect(-REPRESENTED_NORM * unit, -unit, 2 * REPRESENTED_NORM * unit, 2 * unit);
  }
  context.strokeStyle = inks.faint;
  context.lineWidth = 1;
  context.beginPath();
  const half = Math.min(width, height) / 2;
  context.moveTo(-half, 0);
  context.lineTo(half, 0);
  if (m !== 1) {
    context.moveTo(0, -half);
    context.lineTo(0, half);
  } else {
    for (const x of [-unit, unit]) {
      context.moveTo(x, -5);
      context.lineTo(x, 5);
    }
  }
  context.stroke();
  return { context, unit };
}

/** Draws the features of W; look: {labels, size, grey, turn}. In one dimension features stand apart in rows. */
export function drawFeatures({ context, unit }, inks, W, n, m, look = {}) {
  const { labels = true, size = 1, grey = false, turn = 0 } = look, points = project(W, n, m, turn);
  const norm = (i) => Math.hypot(...Array.from({ length: m }, (_, d) => W[d * n + i]));
  const isRepresented = points.map((_, i) => norm(i) > REPRESENTED_NORM);
  // Earlier features on top: where some coincide, the more important one is seen.
  const order = points.map((_, i) => i).sort((a, b) => isRepresented[a] - isRepresented[b] || points[a][2] - points[b][2] || b - a);
  const row = (i) => (m === 1 ? ((i + 0.5) / n - 0.5) * 1.7 * unit : 0);
  for (const i of order) {
    const [x, y] = points[i], tip = [x * unit, row(i) - y * unit], ink = grey ? inks.feature : isRepresented[i] ? featureColour(i, n) : inks.muted;
    context.strokeStyle = ink;
    context.lineWidth = (isRepresented[i] ? 2.2 : 1.2) * size;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(0, row(i));
    context.lineTo(...tip);
    context.stroke();
    context.beginPath();
    context.arc(...tip, (isRepresented[i] ? 4 : 2.6) * size, 0, 2 * Math.PI);
    context.fillStyle = isRepresented[i] ? ink : inks.card;
    context.fill();
    context.lineWidth = 1.2 * size;
    context.stroke();
  }
  if (labels) {
    const tips = points.map(([x, y], i) => [x * unit, row(i) - y * unit]);
    name({ context, unit }, inks, tips, isRepresented.flatMap((flag, i) => (flag ? [i] : [])), size);
  }
}

/** Numbers beyond the tips, pushed away from each other. */
function name({ context, unit }, inks, tips, named, size) {
  const gap = 13 * size, apart = 13 * size, edge = LIMIT * unit - 7;
  const places = named.map((i, k) => {
    const [x, y] = tips[i], length = Math.hypot(x, y) || 1;
    return [x + (gap * x) / length - 0.4 * k * (y / length), y + (gap * y) / length + 0.4 * k * (x / length)];
  });
  for (let turn = 0; turn < 12; turn += 1) {
    for (let a = 0; a < places.length; a += 1) {
      for (let b = a + 1; b < places.length; b += 1) {
        const dx = places[b][0] - places[a][0], dy = places[b][1] - places[a][1], distance = Math.hypot(dx, dy) || 0.1;
        const push = Math.max(0, apart - distance) / 2;
        places[a] = [places[a][0] - (push * dx) / distance, places[a][1] - (push * dy) / distance];
        places[b] = [places[b][0] + (push * dx) / distance, places[b][1] + (push * dy) / distance];
      }
    }
  }
  context.font = `600 ${Math.round(11 * Math.max(size, 0.9))}px ${inks.font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  named.forEach((i, k) => {
    const [x, y] = places[k].map((value) => Math.min(edge, Math.max(-edge, value)));
    context.strokeStyle = inks.card;
    context.lineWidth = 3;
    context.strokeText(String(i), x, y);
    context.fillStyle = inks.ink;
    context.fillText(String(i), x, y);
  });
}
