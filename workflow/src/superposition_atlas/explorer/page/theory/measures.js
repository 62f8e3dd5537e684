// The geometry of a toy model, as superposition_atlas.metrics.features and theory.shapes have it.

export const REPRESENTED_NORM = 0.5, DEDICATED_DIMENSIONALITY = 0.9;
const ORTHOGONAL = 0.2, ALIGNED = 0.9;

/** Norms, WᵀW, D_i, polysemanticity sqrt(Σ_{j≠i} (Ŵ_i · W_j)²), and what is represented or dedicated. */
export function measure(W, n, m) {
  const products = new Float64Array(n * n), norms = new Float64Array(n);
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j < n; j += 1) {
      for (let h = 0; h < m; h += 1) products[i * n + j] += W[h * n + i] * W[h * n + j];
    }
    norms[i] = Math.sqrt(products[i * n + i]);
  }
  const dimensionality = new Float64Array(n), polysemanticity = new Float64Array(n);
  const represented = [], dedicated = [];
  for (let i = 0; i < n; i += 1) {
    let others = 0;
    for (let j = 0; j < n; j += 1) if (j !== i && norms[i] > 0) others += (products[i * n + j] / norms[i]) ** 2;
    const squared = norms[i] ** 2;
    dimensionality[i] = squared > 0 ? squared / (squared + others) : 0;
    polysemanticity[i] = Math.sqrt(others);
    represented.push(norms[i] > REPRESENTED_NORM);
    dedicated.push(represented[i] && dimensionality[i] > DEDICATED_DIMENSIONALITY);
  }
  return { products, norms, dimensionality, polysemanticity, represented, dedicated };
}

export const count = (flags) => flags.reduce((sum, flag) => sum + (flag ? 1 : 0), 0);

/** Represented features that share dimensions: groups of features that are not orthogonal, the largest first. */
export function groupsIn(W, n, m) {
  const { products, norms, represented } = measure(W, n, m);
  const cosine = (i, j) => products[i * n + j] / (norms[i] * norms[j]);
  const waiting = new Set(represented.flatMap((flag, i) => (flag ? [i] : []))), groups = [];
  while (waiting.size) {
    const group = [], next = [waiting.values().next().value];
    while (next.length) {
      const i = next.pop();
      if (!waiting.delete(i)) continue;
      group.push(i);
      for (const j of waiting) if (Math.abs(cosine(i, j)) > ORTHOGONAL) next.push(j);
    }
    groups.push(group.sort((a, b) => a - b));
  }
  return groups.sort((a, b) => b.length - a.length || a[0] - b[0]).map((group) => ({ group, shape: shapeOf(group, cosine, m) }));
}

function shapeOf(group, cosine, m) {
  if (group.length === 1) return "alone";
  const pairs = group.flatMap((i, k) => group.slice(k + 1).map((j) => cosine(i, j)));
  if (pairs.some((value) => value > ALIGNED)) return "stack";
  if (group.length === 2 && pairs[0] < -ALIGNED) return "pair";
  return (m === 2 && { 3: "triangle", 5: "pentagon" }[group.length]) || "group";
}

/** "0 alone, 1 with 4", of groupsIn. */
export function shapeInWords(groups) {
  if (!groups.length) return "nothing";
  return groups.map(({ group, shape }) => {
    if (shape === "alone") return `${group[0]} alone`;
    return shape === "pair" ? `${group[0]} with ${group[1]}` : `${shape} ${group.join("-")}`;
  }).join(", ");
}
