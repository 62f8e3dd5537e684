// Handing out m dimensions: the maximum-weight matching with at most m groups, exactly, over subsets (n ≤ 12).
//
// A dimension saves V_i if it is feature i's alone, and V_i + V_j - c_ij if i and j share it.

import { dropCosts, pairCost, pairCosts, dropCost } from "./costs.js";

/** Best saving of at most k groups of the features of each subset: table[k][mask]. */
export function savings(V, c, m) {
  const n = V.length, size = 1 << n, table = [new Float64Array(size)];
  for (let k = 1; k <= m; k += 1) {
    const fewer = table[k - 1], found = new Float64Array(size);
    for (let mask = 1; mask < size; mask += 1) {
      const i = 31 - Math.clz32(mask), rest = mask ^ (1 << i);
      let best = Math.max(found[rest], fewer[rest] + V[i]);
      for (let j = 0; j < i; j += 1) {
        if (rest & (1 << j)) best = Math.max(best, fewer[rest ^ (1 << j)] + V[i] + V[j] - c[i][j]);
      }
      found[mask] = best;
    }
    table.push(found);
  }
  return table;
}

/** The groups of the best choice: [[i], [i, j], …] ascending. Of equals, a feature alone goes before a shared one. */
function groupsOf(table, V, c, m) {
  const groups = [];
  let mask = (1 << V.length) - 1, k = m;
  while (mask && k) {
    const i = 31 - Math.clz32(mask), rest = mask ^ (1 << i), best = table[k][mask];
    const slack = 1e-13 * Math.abs(best);
    if (table[k][rest] >= best - slack) {
      mask = rest;
      continue;
    }
    k -= 1;
    if (table[k][rest] + V[i] >= best - slack) {
      groups.push([i]);
      mask = rest;
      continue;
    }
    for (let j = 0; j < i; j += 1) {
      const less = rest ^ (1 << j);
      if (rest & (1 << j) && table[k][less] + V[i] + V[j] - c[i][j] >= best - slack) {
        groups.push([j, i]);
        mask = less;
        break;
      }
    }
  }
  return groups.sort((one, other) => one[0] - other[0]);
}

/** The matching of a schedule {importance, probability}: groups, what it saves, what is left of the loss. */
export function match(schedule, m) {
  const V = dropCosts(schedule), c = pairCosts(schedule), table = savings(V, c, m);
  const groups = groupsOf(table, V, c, m);
  const nothing = V.reduce((sum, value) => sum + value, 0);
  const saved = table[m][(1 << V.length) - 1];
  return { groups, saved, cost: nothing - saved, nothing };
}

const TIE = 1e-9; // relative

/**
 * What would change it: for each feature, and for its p and its I, the smallest relative change that makes another
 * choice for the feature save as much as the matching's. Only the feature's group depends on its p and I, so the best of each
 * choice (absent, alone, with j) is a closed form in them, and borders are roots of quadratics.
 *
 * Returns {tie, borders}: tie says whether two choices save the same already, so that the least change decides; borders are the
 * nearest first, {feature, quantity ("p" or "I"), from, to, change, becomes}, where change is to / from - 1 and becomes is the
 * matching on the other side.
 */
export function borders(schedule, m) {
  const { importance, probability } = schedule, n = importance.length;
  const V = dropCosts(schedule), c = pairCosts(schedule), table = savings(V, c, m), all = (1 << n) - 1;
  const groups = groupsOf(table, V, c, m), found = [];
  let tie = false;
  for (let i = 0; i < n; i += 1) {
    const without = all ^ (1 << i);
    const choices = [{ partner: null, rest: table[m][without] }, { partner: -1, rest: table[m - 1][without] }];
    for (let j = 0; j < n; j += 1) {
      if (j !== i) choices.push({ partner: j, rest: table[m - 1][without ^ (1 << j)] + V[j] });
    }
    const group = groups.find((members) => members.includes(i));
    const partner = group === undefined ? null : group.length === 1 ? -1 : group.find((member) => member !== i);
    const now = choices.find((choice) => choice.partner === partner);
    for (const quantity of ["p", "I"]) {
      const from = quantity === "p" ? probability[i] : importance[i];
      const present = coefficients(now, i, quantity, schedule);
      let nearest = null;
      for (const choice of choices) {
        if (choice === now) continue;
        const other = coefficients(choice, i, quantity, schedule);
        tie ||= Math.abs(valueAt(other, from) - valueAt(present, from)) < TIE * Math.abs(table[m][all]);
        for (const root of roots(other.map((value, power) => value - present[power]))) {
          const reachable = root > 0 && (quantity === "I" || root <= 1) && Math.abs(root / from - 1) > TIE;
          if (reachable && (nearest === null || Math.abs(Math.log(root / from)) < Math.abs(Math.log(nearest / from)))) {
            if (beyond(schedule, m, i, quantity, root, from, groups) !== null) nearest = root;
          }
        }
      }
      if (nearest !== null) {
        const becomes = beyond(schedule, m, i, quantity, nearest, from, groups);
        found.push({ feature: i, quantity, from, to: nearest, change: nearest / from - 1, becomes });
      }
    }
  }
  found.sort((one, other) => Math.abs(Math.log1p(one.change)) - Math.abs(Math.log1p(other.change)));
  return { tie, borders: found };
}

const valueAt = ([constant, linear, square], x) => constant + x * (linear + x * square);

/** The matching just beyond a root, or null where it is what it was (a choice that never was the best crosses it). */
function beyond(schedule, m, i, quantity, root, from, groups) {
  const step = root > from ? 1 + 1e-7 : 1 - 1e-7, value = quantity === "p" ? Math.min(1, root * step) : root * step;
  const changed = { importance: [...schedule.importance], probability: [...schedule.probability] };
  changed[quantity === "p" ? "probability" : "importance"][i] = value;
  const after = match(changed, m).groups;
  return JSON.stringify(after) === JSON.stringify(groups) ? null : after;
}

/** What a choice for feature i saves, as a quadratic in its p or I: [constant, linear, square]. */
function coefficients({ partner, rest }, i, quantity, { importance, probability }) {
  if (partner === null) return [rest, 0, 0];
  const I = importance[i], p = probability[i];
  const shared = partner < 0 ? 0 : probability[partner] / 6, other = partner < 0 ? 0 : importance[partner];
  if (quantity === "p") return [rest, I / 3 - shared * (I + other), -I / 4];
  return [rest - shared * p * other, p / 3 - (p * p) / 4 - shared * p, 0];
}

function roots([constant, linear, square]) {
  if (Math.abs(square) < 1e-15) return Math.abs(linear) < 1e-15 ? [] : [-constant / linear];
  const under = linear * linear - 4 * square * constant;
  if (under < 0) return [];
  const half = -(linear + (linear < 0 ? -1 : 1) * Math.sqrt(under)) / 2;
  return half === 0 ? [0] : [half / square, constant / half];
}

/** Words for groups: "0 alone, 1 with 4". */
export function inWords(groups) {
  if (!groups.length) return "nothing";
  return groups.map((group) => (group.length === 1 ? `${group[0]} alone` : group.length === 2
    ? `${group[0]} with ${group[1]}` : `${group.join("-")} as a polygon`)).join(", ");
}
