// Canvases that are sharp on every screen, and the colours of the paper.

let scales = { plasma: ["#000000"], viridis: ["#000000"], signed: ["#000000"], amount: ["#000000"], excess: ["#000000"] };

/** Colour scales as lists of hex codes, from the package's figures. */
export function setScales(given) {
  scales = given;
}

/** The colour of a share of a scale, 0 to 1. */
export function colour(scale, share) {
  const list = scales[scale], place = Math.round(Math.min(1, Math.max(0, share)) * (list.length - 1));
  return list[Number.isFinite(place) ? place : 0];
}

/** "#222222" or "#ffffff", whichever can be read on a colour of a scale. */
export function inkOn(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.3 ? "#222222" : "#ffffff";
}

export const isDark = () => document.documentElement.dataset.theme === "dark";

/** The colour of feature i of n, the same everywhere: dark for the first; in the dark, light enough to be seen. */
export function featureColour(i, n) {
  const [from, to] = isDark() ? [0.28, 1] : [0, 0.86];
  return colour("plasma", n > 1 ? from + ((to - from) * i) / (n - 1) : from);
}

/** A colour of the style sheet by its name. */
export function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Colours of the style sheet, read once until the theme changes. */
export class Inks {
  constructor(names) {
    this.names = names;
    this.read();
  }

  read() {
    for (const name of this.names) this[name] = ink(name);
  }
}

/** Fits a canvas to its box; returns the context in CSS pixels, and its width and height. */
export function fit(canvas) {
  const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
  const w = Math.round(width * ratio), h = Math.round(height * ratio);
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
