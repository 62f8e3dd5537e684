"""The phase diagram of pairs: two features in one dimension, over both of their probabilities.

The phase diagram of *Toy Models of Superposition* (Elhage et al. 2022) has one density for both features, and
so can't show that the partner's density decides. Features are 1, the more important, and 2.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.theory.best import best_solutions
from superposition_atlas.theory.matching import match, partner_threshold
from superposition_atlas.theory.structures import drop_costs

PHASES = ("first", "second", "shared", "aligned", "neither")
"""Features that one dimension represents: 1 or 2 alone; both, antipodal; both, in one direction; neither."""

IMPORTANCE_RATIOS = (1.0, 0.6, 0.3)
"""I_2 / I_1 of the panels."""

_REPRESENTED = 0.5
_N_STARTS = 4
"""Random starts of each search beside those from all structures; more starts changed no loss."""


def phase_of(W: Float[np.ndarray, "*any 1 feature=2"]) -> np.ndarray:
    """Which phase each W is in, an array of words of PHASES; represented: |w_i| > 0.5."""
    first, second = W[..., 0, 0], W[..., 0, 1]
    is_in = np.abs(first) > _REPRESENTED, np.abs(second) > _REPRESENTED
    conditions = [
        is_in[0] & ~is_in[1],
        ~is_in[0] & is_in[1],
        is_in[0] & is_in[1] & (first * second < 0),
        is_in[0] & is_in[1],
    ]
    return np.select(conditions, PHASES[:4], default=PHASES[4])


def pair_phases(
    probabilities: Sequence[float] | Float[np.ndarray, " value"],
    importance_ratios: Sequence[float] = IMPORTANCE_RATIOS,
) -> pd.DataFrame:
    """The phase of the optimum of the exact loss and that of the matching, at each pair of probabilities.

    Args:
        probabilities: p_1 and p_2 on both axes, in (0, 1].
        importance_ratios: I_2 / I_1, with I_1 = 1.

    Returns:
        importance_ratio: I_2 / I_1. p_1, p_2: probabilities. optimum: phase of the best solution (first,
        second, shared, aligned, neither). rule: that of the matching. loss_share_optimum, loss_share_rule:
        shares of the loss of representing nothing.

    Raises:
        TheoryError: if a value is out of its range.
    """
    rows = []
    for ratio in importance_ratios:
        importance = np.array([1.0, ratio])
        for p_1 in probabilities:
            for p_2 in probabilities:
                probability = np.array([p_1, p_2], dtype=np.float64)
                best = best_solutions(importance, probability, 1, n_starts=_N_STARTS)[0]
                rule = match(importance, probability, 1)
                nothing = drop_costs(importance, probability).mean()
                found = "shared" if rule.pairs else PHASES[rule.alone[0]]
                optimum = str(phase_of(best.W))
                rows.append((ratio, p_1, p_2, optimum, found, best.loss / nothing, rule.loss_share))
    names = ["importance_ratio", "p_1", "p_2", "optimum", "rule", "loss_share_optimum", "loss_share_rule"]
    return pd.DataFrame(rows, columns=names)


def phase_boundaries(
    probabilities: Sequence[float] | Float[np.ndarray, " value"],
    importance_ratios: Sequence[float] = IMPORTANCE_RATIOS,
) -> pd.DataFrame:
    """The lines between the matching's phases in closed form.

    Args:
        probabilities: of the feature that joins, the line's parameter.
        importance_ratios: I_2 / I_1.

    Returns:
        importance_ratio: I_2 / I_1. boundary: `second absent` is p_1 = p_1*(p_2), to the right of which
        feature 2 is absent; `first absent` is p_2 = p_2*(p_1), above which feature 1 is. p_1, p_2: a point of
        it; those outside [0, 1] are left out.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    frames = []
    for ratio in importance_ratios:
        of_first = partner_threshold(p, ratio, 1.0)  # feature 2 joins feature 1
        of_second = partner_threshold(p, 1.0, ratio)
        for name, p_1, p_2 in (("second absent", of_first, p), ("first absent", p, of_second)):
            frame = pd.DataFrame({"importance_ratio": ratio, "boundary": name, "p_1": p_1, "p_2": p_2})
            frames.append(frame[(p_1 <= 1) & (p_2 <= 1)])
    return pd.concat(frames, ignore_index=True)
