"""What toy models represent at each of several densities, for a linear output and for a ReLU."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from superposition_atlas.config import Experiment
from superposition_atlas.metrics.verdicts import FEATURE_DIFFERENCE, State, difference_verdict
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.storage import layout
from superposition_atlas.theory.shapes import ALIGNED

_COLUMNS = (
    *("case", "seed", "feature", "importance", "probability"),
    *("represented", "dedicated", "bias", "weights"),
)


@dataclass(frozen=True)
class AtDensity:
    """The toy models of one case at one density."""

    density: float
    n_models: int
    mean_represented: float
    mean_dedicated: float
    n_top: int
    """Toy models that represent the m most important features, each alone, and no other."""
    n_shared: int
    """Toy models with a feature in superposition: represented and not dedicated."""
    n_none_dedicated: int
    n_mixed: int
    """Toy models with features of both kinds,"""
    n_less_important_share: int
    """and those among them whose features in superposition are less important, by mean rank."""
    n_mostly_pairs: int
    """Toy models most of whose features in superposition have an antipode."""
    n_negative_biases: int
    """Toy models in which most biases of represented features are negative."""


def by_density(ledger: Ledger, experiment: Experiment, case: str) -> tuple[list[AtDensity], pd.DataFrame]:
    """The densities of a case, the densest first, and one row a toy model (`of_each_model`).

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column.
    """
    path = layout.case_table(experiment.name, case, "features")
    table = of_each_model(ledger.read(path, _COLUMNS), experiment.n_hidden)
    found = []
    for _, own in table.groupby("density", sort=True):
        facts = AtDensity(
            density=float(own["density"].iloc[0]),
            n_models=len(own),
            mean_represented=float(own["n_represented"].mean()),
            mean_dedicated=float(own["n_dedicated"].mean()),
            n_top=int(own["is_top"].sum()),
            n_shared=int(own["is_shared"].sum()),
            n_none_dedicated=int(own["none_dedicated"].sum()),
            n_mixed=int(own["is_mixed"].sum()),
            n_less_important_share=int(own["less_important_share"].sum()),
            n_mostly_pairs=int(own["mostly_pairs"].sum()),
            n_negative_biases=int(own["negative_biases"].sum()),
        )
        found.append(ledger.note(path, f"{experiment.name}.{case}.density_{facts.density:g}", facts))
    return found[::-1], table


def of_each_model(features: pd.DataFrame, n_hidden: int) -> pd.DataFrame:
    """One row a toy model: counts of its features, and what is asked of it.

    Args:
        features: a case's table of features.
        n_hidden: m.
    """
    rows = []
    for seed, own in features.sort_values("feature").groupby("seed", sort=False):
        rank = (-own["importance"]).rank(method="first").to_numpy() - 1
        represented, dedicated = (own[name].to_numpy(dtype=bool) for name in ("represented", "dedicated"))
        shared = represented & ~dedicated
        is_mixed = bool(shared.any() and dedicated.any())
        antipodal = _has_antipode(np.stack(own["weights"].to_list()).astype(np.float64), represented)
        rows.append(
            {
                "seed": seed,
                "density": float(own["probability"].iloc[0]),
                "n_represented": int(represented.sum()),
                "n_dedicated": int(dedicated.sum()),
                "is_top": bool((represented == (rank < n_hidden)).all() and not shared.any()),
                "is_shared": bool(shared.any()),
                "none_dedicated": not dedicated.any(),
                "is_mixed": is_mixed,
                "less_important_share": is_mixed and rank[shared].mean() > rank[dedicated].mean(),
                "mostly_pairs": bool(shared.any() and antipodal[shared].mean() > 0.5),
                "negative_biases": bool(np.median(own["bias"].to_numpy()[represented]) < 0)
                if represented.any()
                else False,
            }
        )
    return pd.DataFrame(rows)


def _has_antipode(
    weights: Float[np.ndarray, "feature hidden"], represented: Bool[np.ndarray, " feature"]
) -> Bool[np.ndarray, " feature"]:
    """Whether another represented feature has the opposite direction, up to a cosine of -ALIGNED."""
    length = np.linalg.norm(weights, axis=1, keepdims=True)
    unit = np.divide(weights, length, out=np.zeros_like(weights), where=length > 0)
    opposite = unit @ unit.T < -ALIGNED
    return np.asarray(represented & (opposite & represented).any(axis=1))


def more_as_sparser(table: pd.DataFrame, densities: Sequence[float]) -> list[State]:
    """Whether fewer features are represented at a density than at the next sparser one, a verdict a step.

    Toy models of two densities are independent, so which ones are paired does not matter. A step supports
    *more* if the mean difference is above the smallest difference of interest, and *not fewer* if it is not
    below it; here each must be not fewer.
    """
    counts = {
        density: own.sort_values("seed")["n_represented"].to_numpy(dtype=float)
        for density, own in table.groupby("density")
    }
    return [
        _difference(counts[dense], counts[sparse], "not smaller") for dense, sparse in pairwise(densities)
    ]


def more_at_last(table: pd.DataFrame, densities: Sequence[float]) -> State:
    """Whether more features are represented at the sparsest density than at the densest."""
    ends = [table[table["density"] == density] for density in (densities[0], densities[-1])]
    dense, sparse = (own.sort_values("seed")["n_represented"].to_numpy(dtype=float) for own in ends)
    return _difference(dense, sparse, "larger")


def _difference(
    before: Float[np.ndarray, " model"], after: Float[np.ndarray, " model"], requirement: str
) -> State:
    n = min(len(before), len(after))
    verdict = difference_verdict(after[:n] - before[:n], FEATURE_DIFFERENCE)
    return verdict.of_claim(requirement)
