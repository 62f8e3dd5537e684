// Two costs in closed form, for magnitudes U[0, 1], and the matching that they decide.

/** V_i = I_i (p_i / 3 - p_i² / 4): what not representing feature i costs. */
export const dropCost = (importance, p) => importance * (p / 3 - (p * p) / 4);

/** c_ij = p_i p_j (I_i + I_j) / 6: what an antipodal pair costs. */
export const pairCost = (importanceI, importanceJ, pI, pJ) => (pI * pJ * (importanceI + importanceJ)) / 6;

export const dropCosts = ({ importance, probability }) =>
  importance.map((value, i) => dropCost(value, probability[i]));

/** c [feature][feature] with 0 on the diagonal. */
export const pairCosts = ({ importance, probability }) => importance.map((value, i) =>
  importance.map((other, j) => (i === j ? 0 : pairCost(value, other, probability[i], probability[j]))));

/** p_j below which i shares j's dimension rather than being absent. */
export const partnerThreshold = (pI, importanceI, importanceJ) =>
  ((2 - 1.5 * pI) * importanceI) / (importanceI + importanceJ);
