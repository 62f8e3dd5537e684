// Each seed's excess loss on a logarithmic line.

import { el, percent, put } from "./dom.js";

const LOW = 1e-4, HIGH = 1;

/** Dots at their share's place; a dot is a button that chooses its seed. */
export function drawExcess(box, shares, seeds, choose, chosen) {
  const place = (share) => Math.log(Math.min(HIGH, Math.max(LOW, share)) / LOW) / Math.log(HIGH / LOW);
  const ticks = [1e-4, 1e-3, 1e-2, 1e-1, 1].map((value) => {
    const tick = el("span", { class: "excess-tick", "aria-hidden": "true" }, value === LOW ? "≤ .01 %" : percent(value));
    tick.style.left = `${100 * place(value)}%`;
    return tick;
  });
  const taken = new Map();
  const dots = shares.map((share, index) => {
    const at = place(share), bucket = Math.round(at * 26), stacked = taken.get(bucket) ?? 0;
    taken.set(bucket, stacked + 1);
    const words = `Seed ${seeds[index]}: excess ${share <= LOW ? "at most 0.01 %" : percent(share)}`;
    const dot = el("button", {
      type: "button", class: "excess-dot", title: words, "aria-label": words, "aria-pressed": String(index === chosen), onclick: () => choose(index),
    }, String(seeds[index]));
    dot.style.left = `${100 * at}%`;
    dot.style.bottom = `${22 + 20 * stacked}px`;
    return dot;
  });
  const rows = Math.max(1, ...taken.values());
  box.style.height = `${Math.max(66, 26 + 20 * rows)}px`;
  const focused = [...box.querySelectorAll(".excess-dot")].indexOf(document.activeElement);
  put(box, el("div", { class: "excess-line" }), ticks, dots);
  if (focused >= 0) dots[focused]?.focus({ preventScroll: true });
}
