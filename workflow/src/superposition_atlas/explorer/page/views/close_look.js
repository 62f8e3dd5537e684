// One toy model closely: bars of norms coloured by superposition, D_i, biases, and WᵀW.

import { groupsIn, measure, REPRESENTED_NORM, shapeInWords } from "../theory/measures.js";
import { colour, featureColour, fit, inkOn } from "./canvas.js";
import { byId, el, put, short } from "./dom.js";

const LONGEST = 1.5;

export class CloseLook {
  constructor(inks) {
    this.inks = inks;
    this.rows = [];
  }

  /** model: {W, b, n, m, seed, loss, still}. */
  draw(model) {
    const look = measure(model.W, model.n, model.m);
    if (this.rows.length !== model.n) this.build(model.n);
    this.rows.forEach(({ bar, value, bias, dot }, i) => {
      const superposition = Math.min(1, look.polysemanticity[i]), isRepresented = look.represented[i];
      bar.style.width = `${(100 * Math.min(look.norms[i], LONGEST)) / LONGEST}%`;
      bar.style.background = isRepresented ? colour("viridis", superposition) : "transparent";
      bar.classList.toggle("blank", !isRepresented);
      dot.style.background = featureColour(i, model.n);
      write(value, look.dimensionality[i].toFixed(2));
      write(bias, model.b[i].toFixed(2).replace("-", "−"));
    });
    const loss = Number.isFinite(model.loss) ? `loss ${short(model.loss, 4)} · ` : "";
    write(byId("close-title"), `Seed ${model.seed}`);
    write(byId("close-words"), `${loss}${shapeInWords(groupsIn(model.W, model.n, model.m))}`);
    this.drawProducts(look.products, model.n);
    if (model.still) byId("products").setAttribute("aria-label", describe(look.products, model.n));
  }

  build(n) {
    this.rows = Array.from({ length: n }, (_, i) => ({
      i, bar: el("span", { class: "norm-bar" }), value: el("td"), bias: el("td"), dot: el("span", { class: "dot" }),
    }));
    const marks = () => {
      const mark = el("span", { class: "norm-mark" });
      mark.style.left = `${(100 * REPRESENTED_NORM) / LONGEST}%`;
      return mark;
    };
    put(byId("norms"), this.rows.map(({ i, bar, value, bias, dot }) => el("tr", {},
      el("th", { scope: "row" }, dot, String(i)), el("td", { class: "norm-cell" }, el("div", { class: "norm-track" }, bar, marks())), value, bias)));
  }

  drawProducts(products, n) {
    const { context, width, height } = fit(byId("products")), size = Math.min(width, height) / n;
    const limit = Math.max(1, ...Array.from(products, Math.abs));
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `${Math.max(8, Math.min(12, size * 0.34))}px ${this.inks.font}`;
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < n; j += 1) {
        const value = products[i * n + j], paint = colour("signed", 0.5 + value / limit / 2);
        context.fillStyle = paint;
        context.fillRect(j * size, i * size, size + 0.5, size + 0.5);
        if (n > 10 || size < 17) continue;
        context.fillStyle = inkOn(paint);
        context.fillText(value.toFixed(1).replace("-0.0", "0.0").replace("-", "−"), (j + 0.5) * size, (i + 0.5) * size);
      }
    }
  }
}

/** The strongest couplings in words, for those who do not see the picture. */
function describe(products, n) {
  const pairs = [];
  for (let i = 0; i < n; i += 1) for (let j = i + 1; j < n; j += 1) pairs.push([i, j, products[i * n + j]]);
  pairs.sort((a, b) => Math.abs(b[2]) - Math.abs(a[2]));
  const strongest = pairs.slice(0, 3).map(([i, j, value]) => `${i} and ${j}: ${value.toFixed(2)}`).join("; ");
  return `Heat map of WᵀW, features down and across. Strongest couplings: ${strongest}`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
