// The guided tour: shows a step's words, sets the page, and lights the section that the step is about.

import { byId, el, put } from "../views/dom.js";
import { STEPS } from "./steps.js";

export class Tour {
  /** page: {store, training, saes}. */
  constructor(page) {
    this.page = page;
    this.at = -1;
    this.before = null;
    byId("tour-start").addEventListener("click", () => this.show(0));
    byId("tour-next").addEventListener("click", () => (this.at + 1 < STEPS.length ? this.show(this.at + 1) : this.end()));
    byId("tour-back").addEventListener("click", () => this.show(Math.max(0, this.at - 1)));
    byId("tour-close").addEventListener("click", () => this.end());
    byId("tour").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.end();
    });
    window.addEventListener("resize", () => this.makeRoom());
    this.dots = STEPS.map(({ title }, k) => el("button", { type: "button", "aria-label": `Step ${k + 1}: ${title}`, onclick: () => this.show(k) }));
    put(byId("tour-dots"), this.dots);
  }

  show(at) {
    const { title, text, look, section, values, play, sae } = STEPS[at], { store, training, saes } = this.page;
    this.at = at;
    byId("tour").hidden = false;
    byId("tour-number").textContent = `Step ${at + 1} of ${STEPS.length}`;
    byId("tour-title").textContent = title;
    byId("tour-text").textContent = text;
    byId("tour-look").textContent = look;
    byId("tour-back").disabled = at === 0;
    byId("tour-next").textContent = at + 1 < STEPS.length ? "Next" : "Finish";
    this.dots.forEach((dot, k) => (k === at ? dot.setAttribute("aria-current", "step") : dot.removeAttribute("aria-current")));
    this.makeRoom();
    store.set(values);
    training.setPace("most");
    training.reset();
    if (play) training.play();
    this.waiting = sae ? () => saes.begin(true) : null;
    this.light(section);
    byId("tour-title").focus({ preventScroll: true });
  }

  /** Called when training has ended: a step about SAEs trains one then. */
  trained() {
    const begin = this.waiting;
    this.waiting = null;
    begin?.();
  }

  /** Tells the style sheet how much of the window the tour takes. */
  makeRoom() {
    const { offsetHeight, hidden } = byId("tour");
    document.documentElement.style.setProperty("--tour", `${hidden ? 0 : offsetHeight}px`);
  }

  light(section) {
    for (const card of document.querySelectorAll(".card.lit")) card.classList.remove("lit");
    if (section === null) return;
    const card = byId(section);
    card.classList.add("lit");
    card.scrollIntoView({ block: "start" });
  }

  end() {
    byId("tour").hidden = true;
    this.at = -1;
    this.waiting = null;
    this.makeRoom();
    this.light(null);
    byId("tour-start").focus({ preventScroll: true });
  }
}
