// Bars that are dragged, one a feature: sliders to the keyboard and to screen readers.

import { clamp, rounded } from "../state.js";
import { featureColour } from "./canvas.js";
import { el, put, short } from "./dom.js";

/**
 * A row of bars. look: {label, limits, logarithmic, ticks, key}; get: () → values; set: (values) → void.
 * Dragging goes on over neighbouring bars, so that a schedule can be drawn in one go.
 */
export class Bars {
  constructor(box, look, get, set) {
    Object.assign(this, { look, get, set });
    this.columns = el("div", { class: "bars-columns" });
    const ticks = look.ticks.map((value) => {
      const tick = el("span", { class: "bars-tick" }, short(value));
      tick.style.bottom = `${100 * this.share(value)}%`;
      return tick;
    });
    this.values = el("div", { class: "bars-values", "aria-hidden": "true" });
    put(box, el("div", { class: "bars-plot" }, el("div", { class: "bars-axis", "aria-hidden": "true" }, ticks), this.columns), this.values);
    this.dragging = false;
    this.columns.addEventListener("pointerdown", (event) => {
      this.dragging = true;
      this.columns.setPointerCapture(event.pointerId);
      this.drag(event);
      event.preventDefault();
    });
    this.columns.addEventListener("pointermove", (event) => this.dragging && this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) this.columns.addEventListener(end, () => { this.dragging = false; });
    this.draw();
  }

  /** Height of a value, 0 to 1. */
  share(value) {
    const [low, high] = this.look.limits;
    if (!this.look.logarithmic) return clamp((value - low) / (high - low), [0, 1]);
    return clamp(Math.log(value / low) / Math.log(high / low), [0, 1]);
  }

  valueAt(share) {
    const [low, high] = this.look.limits;
    const value = this.look.logarithmic ? low * (high / low) ** share : low + share * (high - low);
    return clamp(rounded(value, this.look.logarithmic ? 3 : 2), this.look.limits);
  }

  change(i, value) {
    const values = [...this.get()];
    values[i] = value;
    this.set(values);
  }

  drag(event) {
    const box = this.columns.getBoundingClientRect(), n = this.get().length;
    const i = clamp(Math.floor(((event.clientX - box.left) / box.width) * n), [0, n - 1]);
    this.change(i, this.valueAt(clamp((box.bottom - event.clientY) / box.height, [0, 1])));
    this.columns.children[i]?.focus({ preventScroll: true });
  }

  press(event, i) {
    const now = this.share(this.get()[i]);
    const shares = {
      ArrowUp: now + 0.02, ArrowRight: now + 0.02, ArrowDown: now - 0.02, ArrowLeft: now - 0.02,
      PageUp: now + 0.1, PageDown: now - 0.1, Home: 0, End: 1,
    };
    if (!(event.key in shares)) return;
    event.preventDefault();
    this.change(i, this.valueAt(clamp(shares[event.key], [0, 1])));
  }

  /** Draws the values as they are now. */
  draw() {
    const values = this.get(), n = values.length;
    while (this.columns.children.length > n) this.columns.lastChild.remove();
    while (this.columns.children.length < n) {
      const i = this.columns.children.length;
      const column = el("div", {
        class: "bars-column", role: "slider", tabindex: 0, "aria-orientation": "vertical",
        onkeydown: (event) => this.press(event, i),
      }, el("div", { class: "bars-bar" }));
      this.columns.append(column);
    }
    values.forEach((value, i) => {
      const column = this.columns.children[i], bar = column.firstChild, [low, high] = this.look.limits;
      column.setAttribute("aria-label", `${this.look.label} of feature ${i}`);
      column.setAttribute("aria-valuemin", low);
      column.setAttribute("aria-valuemax", high);
      column.setAttribute("aria-valuenow", value);
      column.setAttribute("aria-valuetext", short(value));
      bar.style.height = `${Math.max(1, 100 * this.share(value))}%`;
      bar.style.background = featureColour(i, n);
    });
    put(this.values, values.map((value) => el("span", {}, short(value, n > 8 ? 2 : 3).replace(/^0\./, "."))));
  }
}
