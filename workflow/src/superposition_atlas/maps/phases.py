"""Phase diagrams: what becomes of the last feature as its importance and the density of all features vary.

Elhage et al. 2022, *Toy Models of Superposition*: toy models at every point of a grid, the one with the
highest loss discarded, means of the others; beside them the best solution of the exact loss, and the
cheapest of the solutions with closed forms.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.metrics.features import REPRESENTED_NORM, interference, norms
from superposition_atlas.theory.phase_borders import DEDICATED, NOT_REPRESENTED, PHASES, SUPERPOSITION
from superposition_atlas.theory.shapes import shape_of

SHARED = REPRESENTED_NORM**2
"""Least Σ_{j≠i} (Ŵ_i · W_j)² of a feature in superposition. In one dimension it is what one other feature of
the least norm that is represented adds; an equilateral triangle has 1/2, an antipodal pair 1."""
N_DISCARDED = 1
"""Toy models of a point that are left out, those of the highest loss; a point with one keeps it."""

AXES = ("density", "relative_importance")
"""Coordinates of a map of the kind `phases`."""
_BIAS = "trained"
_COUNTS = {phase: f"n_{phase.replace(' ', '_')}" for phase in PHASES}

Weights = Float[np.ndarray, "instance hidden feature"]
Values = Float[np.ndarray, " instance"]


def phase_of(norm: Values, superposition: Values) -> np.ndarray:
    """The phase of a feature, a word of PHASES, by ‖W_i‖ and Σ_{j≠i} (Ŵ_i · W_j)², or by means of them."""
    conditions = [norm <= REPRESENTED_NORM, superposition < SHARED]
    return np.select(conditions, [NOT_REPRESENTED, DEDICATED], default=SUPERPOSITION)


def last_feature(W: Weights) -> pd.DataFrame:
    """Norm, superposition and phase of the last feature, one row each of the weights."""
    W = W.astype(np.float64)
    norm, superposition = norms(W)[:, -1], interference(W)[:, -1]
    phase = phase_of(norm, superposition)
    return pd.DataFrame({"norm": norm, "superposition": superposition, "phase": phase})


def phase_table(
    points: pd.DataFrame, models: pd.DataFrame, W: Weights, solutions: pd.DataFrame, solved: Weights
) -> pd.DataFrame:
    """One row a point and variant.

    Args:
        points: key and AXES of each.
        models: key, variant and loss (by which the worst are discarded) of each toy model.
        W: their weights.
        solutions: key, kind, bias and rank of each (and the structure of predictions, which is not used).
        solved: their weights.

    Returns:
        key: of the schedule. density: p_i of all features. relative_importance: importance of the last
        feature, all others have 1. variant: name of the way of training. n_models: toy models but the worst.
        mean_norm, mean_superposition: of the last feature, over them. phase: that of these means (not
        represented, superposition or dedicated). n_not_represented, n_superposition, n_dedicated: how many of
        them are in each phase. lowest_phase: that of the toy model with the lowest loss. best_norm,
        best_superposition, best_phase, best_structure: of the best solution with free biases. minima: phases
        of all minima that the search found, apart by commas. rule_phase: that of the cheapest solution with a
        closed form.
    """
    trained = pd.concat([models.reset_index(drop=True), last_feature(W)], axis=1)
    table = points[["key", *AXES]].merge(_over_seeds(trained), on="key", how="left")
    return table.merge(_solved(solutions, solved), on="key", how="left")


def without_the_worst(models: pd.DataFrame) -> pd.DataFrame:
    """The toy models but for the N_DISCARDED of the highest loss at each point and variant."""
    groups = models.groupby(["key", "variant"])["loss"]
    place = groups.rank(method="first", ascending=False)
    return models[(place > N_DISCARDED) | (groups.transform("size") <= N_DISCARDED)]


def _over_seeds(models: pd.DataFrame) -> pd.DataFrame:
    kept = without_the_worst(models)
    groups = kept.groupby(["key", "variant"], sort=False)
    found = groups[["norm", "superposition"]].mean().add_prefix("mean_")
    found.insert(0, "n_models", groups.size())
    found["phase"] = phase_of(found["mean_norm"].to_numpy(), found["mean_superposition"].to_numpy())
    for phase, column in _COUNTS.items():
        found[column] = (kept["phase"] == phase).groupby([kept["key"], kept["variant"]], sort=False).sum()
    found["lowest_phase"] = (
        kept.sort_values("loss", kind="stable").groupby(["key", "variant"])["phase"].first()
    )
    return found.reset_index()


def _solved(solutions: pd.DataFrame, W: Weights) -> pd.DataFrame:
    looks = last_feature(W).assign(structure=[shape_of(own) for own in W])
    table = pd.concat([solutions.drop(columns="structure").reset_index(drop=True), looks], axis=1)
    table = table[table["bias"] == _BIAS].sort_values(["key", "rank"])
    minima = table[table["kind"] == "minimum"]
    best = minima.drop_duplicates("key").set_index("key")
    found = best[["norm", "superposition", "phase", "structure"]].add_prefix("best_")
    found["minima"] = minima.groupby("key")["phase"].agg(lambda phases: ", ".join(dict.fromkeys(phases)))
    rule = table[table["kind"] == "matching"].set_index("key")["phase"]
    return found.join(rule.rename("rule_phase")).reset_index()
