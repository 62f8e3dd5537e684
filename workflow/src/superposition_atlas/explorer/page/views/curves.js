// Loss over steps, a line a seed, on logarithmic heights.

import { fit } from "./canvas.js";
import { short } from "./dom.js";

const LEFT = 46, RIGHT = 10, TOP = 10, BOTTOM = 22;

/** curves: [{steps, losses}]; known: {best, matching}, losses drawn as levels. */
export function drawCurves(canvas, inks, curves, chosen, total, known) {
  const { context, width, height } = fit(canvas);
  const levels = [["best known", known.best, inks.accent, [5, 3]], ["matching", known.matching, inks.blue, [1.5, 3]]]
    .filter(([, value]) => value > 0);
  const values = [...curves.flatMap(({ losses }) => losses), ...levels.map(([, value]) => value)].filter((value) => value > 0);
  context.font = `11px ${inks.font}`;
  if (!values.length) {
    context.fillStyle = inks.muted;
    context.textAlign = "center";
    context.fillText("losses appear as training goes on", width / 2, height / 2);
    return;
  }
  const low = Math.log10(Math.min(...values)) - 0.08, high = Math.max(Math.log10(Math.max(...values)) + 0.08, low + 0.3);
  const x = (step) => LEFT + ((width - LEFT - RIGHT) * step) / total;
  const y = (loss) => TOP + ((height - TOP - BOTTOM) * (high - Math.log10(loss))) / (high - low);
  drawAxes(context, inks, { x, y, low, high, width, height, total });
  for (const [label, value, ink, dashes] of levels) {
    context.setLineDash(dashes);
    line(context, ink, 1.5, [[LEFT, y(value)], [width - RIGHT, y(value)]]);
    context.setLineDash([]);
  }
  curves.forEach(({ steps, losses }, index) => {
    if (index !== chosen) line(context, inks.feature, 1, steps.map((step, k) => [x(step), y(losses[k])]));
  });
  const ofChosen = curves[chosen];
  if (ofChosen) line(context, inks.ink, 1.6, ofChosen.steps.map((step, k) => [x(step), y(ofChosen.losses[k])]));
  for (const [label, value, ink] of levels) {
    context.textAlign = "right";
    context.lineWidth = 4;
    context.strokeStyle = inks.card;
    const at = [label, width - RIGHT, y(value) + (label === "matching" ? -6 : 13)];
    context.strokeText(...at);
    context.fillStyle = ink;
    context.fillText(...at);
  }
}

function line(context, ink, width, points) {
  context.strokeStyle = ink;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.beginPath();
  points.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}

function drawAxes(context, inks, { x, y, low, high, width, height, total }) {
  context.fillStyle = inks.muted;
  context.textBaseline = "middle";
  context.textAlign = "right";
  const marks = [];
  for (let power = Math.floor(low); power <= high; power += 1) {
    for (const factor of [1, 2, 5]) marks.push(factor * 10 ** power);
  }
  const seen = marks.filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
  const every = Math.max(1, Math.ceil(seen.length / 5));
  seen.filter((_, k) => k % every === 0).forEach((value) => {
    line(context, inks.faint, 0.7, [[LEFT, y(value)], [width - RIGHT, y(value)]]);
    context.fillText(short(value), LEFT - 6, y(value));
  });
  context.textBaseline = "alphabetic";
  for (const share of [0, 0.5, 1]) {
    context.textAlign = share === 0 ? "left" : share === 1 ? "right" : "center";
    const step = Math.round(total * share);
    context.fillText(share === 1 ? `step ${step.toLocaleString("en")}` : step.toLocaleString("en"), x(step), height - 6);
  }
}
