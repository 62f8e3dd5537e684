// Theory beside the training: what each feature is worth, who pairs with whom, the best known solution, each seed's
// excess loss, and what would change the picture.

import { Search } from "../engine/requests.js";
import { dropCosts, pairCosts } from "../theory/costs.js";
import { borders, inWords, match } from "../theory/matching.js";
import { count, groupsIn, measure, shapeInWords } from "../theory/measures.js";
import { LARGEST_SEARCHED } from "../theory/search.js";
import { LIMITS } from "../state.js";
import { colour, featureColour, fit, Inks, inkOn } from "./canvas.js";
import { byId, el, onceAFrame, percent, put, short } from "./dom.js";
import { drawExcess } from "./excess.js";
import { drawMatching } from "./matching_diagram.js";
import { drawFeatures, frame } from "./plane.js";

const PAUSE = 250; // milliseconds without a change before a search begins
const SHOWN_BORDERS = 3;

export class TheoryView {
  /** training: TrainingView; atlas: what `Atlas` says of a schedule, or null. */
  constructor(store, makeWorker, training, atlas) {
    Object.assign(this, { store, training, atlas });
    this.inks = new Inks(["ink", "muted", "faint", "shade", "card", "feature", "accent", "blue", "font"]);
    this.searching = new Search(makeWorker);
    this.draw = onceAFrame(() => this.drawNow());
    // What changes while training or a search goes on is drawn by itself: the rest keeps its focus, and frames are short.
    this.drawFound = onceAFrame(() => this.drawBestAndSeeds());
    this.drawLosses = onceAFrame(() => this.drawSeeds());
    training.onJudged(() => this.drawLosses());
    store.on(["chosen"], () => this.drawLosses());
    store.on(["importance", "probability", "m"], () => this.renew());
    this.renew();
  }

  /** Everything in closed form at once; the search when the schedule has come to rest. */
  renew() {
    const { importance, probability, m } = this.store.values;
    this.schedule = { importance, probability };
    this.matching = match(this.schedule, m);
    this.borders = borders(this.schedule, m);
    this.best = null;
    this.progress = null;
    this.searching.stop();
    clearTimeout(this.timer);
    const stored = this.atlas?.bestOf(this.schedule, m) ?? null;
    if (stored) this.best = { ...stored, source: "stored in the atlas" };
    if (importance.length <= LARGEST_SEARCHED) this.timer = setTimeout(() => this.search(m), PAUSE);
    this.draw();
  }

  search(m) {
    this.searching.start(this.schedule, m, ({ done, total, best }) => {
      this.progress = { done, total };
      const source = `found here: ${best.nStarts} of ${done} descents of the exact loss end at it`;
      if (!this.best || best.loss <= this.best.loss * (1 + 1e-9)) this.best = { ...best, source };
      this.drawFound();
    });
  }

  /** What everything is compared with: a loss that is a mean over the features, or null. */
  get reference() {
    return this.best?.loss ?? null;
  }

  drawNow() {
    const { m } = this.store.values, n = this.schedule.probability.length;
    this.drawFeatureTable(n);
    this.drawPairCosts(n);
    drawMatching(byId("matching-diagram"), this.matching, n, m);
    byId("matching-words").textContent = inWords(this.matching.groups);
    byId("matching-loss").textContent = `${percent(this.matching.cost / this.matching.nothing)} of the loss of nothing is left`;
    this.drawBorders();
    this.drawBestAndSeeds();
  }

  drawBestAndSeeds() {
    const { m } = this.store.values, n = this.schedule.probability.length;
    this.drawBest(n, m);
    this.drawSeeds();
    this.training.setKnown({ best: this.reference, matching: this.matching.cost / n });
  }

  drawFeatureTable(n) {
    const V = dropCosts(this.schedule), most = Math.max(...V);
    put(byId("worth"), V.map((value, i) => {
      const group = this.matching.groups.find((members) => members.includes(i));
      const role = group === undefined ? "absent" : group.length === 1 ? "alone" : `with ${group.find((other) => other !== i)}`;
      const dot = el("span", { class: "dot" }), bar = el("span", { class: "worth-bar" });
      dot.style.background = featureColour(i, n);
      bar.style.width = `${most > 0 ? (100 * value) / most : 0}%`;
      return el("tr", { "data-role": role.split(" ")[0] }, el("th", { scope: "row" }, dot, String(i)),
        el("td", { class: "worth-cell" }, el("div", { class: "worth-track" }, bar)), el("td", {}, short(value)), el("td", { class: "role" }, role));
    }));
  }

  /** c_ij as a heat map; pairs of the matching are framed, pairs that cost more than they bring are struck out. */
  drawPairCosts(n) {
    const canvas = byId("pair-costs"), { context, width, height } = fit(canvas), size = Math.min(width, height) / n;
    const c = pairCosts(this.schedule), V = dropCosts(this.schedule), most = Math.max(...c.flat(), 1e-12);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `${Math.max(8, Math.min(11, size * 0.28))}px ${this.inks.font}`;
    let paying = 0;
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < n; j += 1) {
        const x = j * size, y = i * size, paint = i === j ? this.inks.shade : colour("amount", c[i][j] / most);
        context.fillStyle = paint;
        context.fillRect(x, y, size - 1, size - 1);
        if (i === j) continue;
        const pays = c[i][j] < Math.min(V[i], V[j]);
        paying += pays && i < j ? 1 : 0;
        if (!pays) {
          context.strokeStyle = inkOn(paint);
          context.globalAlpha = 0.45;
          context.beginPath();
          context.moveTo(x + 3, y + size - 4);
          context.lineTo(x + size - 4, y + 3);
          context.stroke();
          context.globalAlpha = 1;
        }
        if (size >= 26) {
          context.fillStyle = inkOn(paint);
          context.fillText(short(c[i][j], 2).replace(/^0\./, "."), x + size / 2, y + size / 2);
        }
        if (this.matching.groups.some((group) => group.length === 2 && group.includes(i) && group.includes(j))) {
          context.strokeStyle = this.inks.accent;
          context.lineWidth = 2.5;
          context.strokeRect(x + 1.5, y + 1.5, size - 4, size - 4);
          context.lineWidth = 1;
        }
      }
    }
    canvas.setAttribute("aria-label", `Costs of sharing, features down and across. ${paying} of ${(n * (n - 1)) / 2} pairs cost less than either feature is worth`);
  }

  drawBest(n, m) {
    const words = byId("best-words"), source = byId("best-source"), canvas = byId("best-plane");
    const nearest = this.atlas?.nearest(this.schedule, m) ?? null;
    const picture = frame(canvas, this.inks, m);
    if (this.best) {
      drawFeatures(picture, this.inks, this.best.W, n, m, { turn: this.training.turn });
      const nRepresented = count(measure(this.best.W, n, m).represented);
      words.textContent = `${nRepresented} of ${n} represented: ${shapeInWords(groupsIn(this.best.W, n, m))}`;
      source.textContent = `Loss ${short(this.best.loss, 5)}, ${this.best.source}.`;
    } else if (n > LARGEST_SEARCHED) {
      words.textContent = "not searched for";
      source.textContent = `With more than ${LARGEST_SEARCHED} features the page does not search: the matching stands in for it.`;
    } else {
      words.textContent = "searching …";
      source.textContent = "Descents of the exact loss, from pairs, polygons and random weights.";
    }
    canvas.setAttribute("aria-label", `Best known solution: ${words.textContent}`);
    const near = byId("best-nearest");
    near.hidden = nearest === null || nearest.distance < 1e-6;
    if (!near.hidden) near.textContent = `Nearest schedule of the atlas (${nearest.words}): its best represents ${nearest.nRepresented} of ${n}, loss ${short(nearest.loss, 3)}.`;
    const bar = byId("search-progress"), { done, total } = this.progress ?? { done: 0, total: 1 };
    bar.max = total;
    bar.value = done;
    bar.hidden = this.progress === null || done >= total;
  }

  drawBorders() {
    const { tie, borders: found } = this.borders, list = byId("borders");
    const names = { p: "Probability", I: "Importance" };
    byId("borders-tie").hidden = !tie;
    put(list, found.slice(0, SHOWN_BORDERS).map((border) => {
      const { feature, quantity, from, to, change, becomes } = border, rises = change > 0;
      const text = `${names[quantity]} of ${feature} ${rises ? "up" : "down"} ${percent(Math.abs(change))} (${short(from)} → ${short(to)}): ${inWords(becomes)}.`;
      return el("li", {}, el("span", {}, text), el("button", {
        type: "button", class: "small", "aria-label": `Cross the border: ${text}`, onclick: () => this.cross(border),
      }, "Cross it"));
    }));
    byId("borders-none").hidden = found.length > 0;
  }

  /** Sets the schedule just beyond a border. */
  cross({ feature, quantity, to, change }) {
    const key = quantity === "p" ? "probability" : "importance", values = [...this.store.values[key]];
    const beyond = to * (change > 0 ? 1.02 : 0.98);
    values[feature] = Number((quantity === "p" ? Math.min(1, Math.max(beyond, LIMITS.probability[0])) : beyond).toPrecision(4));
    this.store.set({ [key]: values });
  }

  drawSeeds() {
    const n = this.schedule.probability.length, { losses, exact, ensemble, judgedStep } = this.training, nothing = this.matching.nothing / n;
    const base = this.reference ?? this.matching.cost / n;
    const shares = losses.map((loss) => (loss - base) / nothing);
    const what = this.reference === null ? "the matching" : "the best known";
    byId("excess-title").textContent = `Excess loss over ${what}`;
    byId("excess-note").textContent = losses.length
      ? `${exact ? "Exact losses" : "Losses on 16,384 held-out samples"} at step ${judgedStep.toLocaleString("en")}, less that of ${what}, as a share of the loss of representing nothing.`
      : "Losses are taken once training has begun.";
    drawExcess(byId("excess"), shares, ensemble.models.map(({ seed }) => seed), (index) => this.store.set({ chosen: index }), this.store.values.chosen);
  }

  /** Colours have changed. */
  recolour() {
    this.inks.read();
    this.draw();
  }
}
