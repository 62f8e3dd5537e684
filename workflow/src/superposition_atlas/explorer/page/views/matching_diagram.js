// The matching as a picture: a line for each hidden dimension with its features, and the absent ones beside.

import { featureColour } from "./canvas.js";
import { put, svg } from "./dom.js";

const ROW = 40, WIDTH = 320, MIDDLE = 130;

/** matching: of `match`; n features, m dimensions. */
export function drawMatching(picture, matching, n, m) {
  const rows = Array.from({ length: m }, (_, k) => matching.groups[k] ?? []), present = matching.groups.flat();
  const absent = Array.from({ length: n }, (_, i) => i).filter((i) => !present.includes(i));
  const feature = (i, x, y, hollow = false) => svg("g", {},
    svg("circle", { cx: x, cy: y, r: 11, class: hollow ? "match-absent" : "match-dot", fill: hollow ? "none" : featureColour(i, n) }),
    svg("text", { x, y: y + 4, class: hollow ? "match-text-absent" : "match-text", "text-anchor": "middle", fill: hollow ? null : inkFor(i, n) }, String(i)));
  picture.setAttribute("viewBox", `0 0 ${WIDTH} ${ROW * m + 8}`);
  put(picture,
    rows.map((group, k) => {
      const y = ROW * k + ROW / 2 + 4, ends = group.length === 2 ? [MIDDLE - 84, MIDDLE + 84] : [MIDDLE + 84];
      return svg("g", {},
        svg("line", { x1: MIDDLE - 100, x2: MIDDLE + 100, y1: y, y2: y, class: "match-axis" }),
        svg("line", { x1: MIDDLE, x2: MIDDLE, y1: y - 5, y2: y + 5, class: "match-axis" }),
        group.map((i, place) => svg("line", { x1: MIDDLE, x2: ends[place], y1: y, y2: y, class: "match-line", stroke: featureColour(i, n) })),
        group.map((i, place) => feature(i, ends[place], y)));
    }),
    absent.map((i, k) => feature(i, 258 + 27 * (k % 3), 18 + 27 * Math.floor(k / 3), true)));
  const rowsOfAbsent = Math.ceil(absent.length / 3);
  picture.setAttribute("viewBox", `0 0 ${WIDTH + 12} ${Math.max(ROW * m + 8, 27 * rowsOfAbsent + 10)}`);
  picture.setAttribute("aria-label", `${rows.map((group, k) => `dimension ${k + 1}: ${group.length ? group.join(" and ") : "empty"}`).join("; ")}; absent: ${absent.join(", ") || "none"}`);
}

/** What can be read on a feature's colour. */
function inkFor(i, n) {
  const hex = featureColour(i, n), [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#222222" : "#ffffff";
}
