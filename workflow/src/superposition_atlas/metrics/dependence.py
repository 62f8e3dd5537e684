"""Features that depend on one another: how toy models lay them."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Integer

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError
from superposition_atlas.metrics.features import norms, represented
from superposition_atlas.sampling.structure import SHARED, Intervals, is_shared, joint_probability
from superposition_atlas.toy_model import ToyModels

ORTHOGONAL_COSINE = 0.2
"""Two features are orthogonal if the absolute cosine of their weights is below this,"""
ALIGNED_COSINE = 0.8
"""side by side above this, antipodal below minus this."""


def pair_table(models: ToyModels, like: ToyModels | None = None) -> pd.DataFrame:
    """One row a toy model and pair of features of one group: how their weights lie.

    instance, seed: place and seed of the toy model. feature, other: the pair, feature < other. probability,
    other_probability, joint_probability: of each, and of both being active. cosine: of W_feature and W_other,
    NaN where one is 0. arrangement: absent where one of the two is not represented; else orthogonal, side by
    side or antipodal by the two thresholds, or between.

    Args:
        models: the toy models.
        like: toy models whose groups are taken, those of the first; `models` by default. Pairs of independent
            features are a control for the same pairs where they depend on one another.

    Raises:
        ArgumentError: if no features of `like` depend on one another, or it has another number of features.
    """
    grouped = groups_of(models, like)
    W, joint = models.W.astype(np.float64), joint_probability(models.probability, models.structure)
    same = (grouped[:, :, None] == grouped[:, None, :]) & (grouped >= 0)[:, :, None]
    instance, i, j = np.nonzero(np.triu(same, 1))
    length = norms(W)
    lengths = length[instance, i] * length[instance, j]
    cosine = np.full(len(instance), np.nan)
    products = np.einsum("km,km->k", W[instance, :, i], W[instance, :, j])
    np.divide(products, lengths, out=cosine, where=lengths > 0)
    kept = represented(W)
    return pd.DataFrame(
        {
            "instance": instance,
            "seed": np.asarray(models.seeds)[instance],
            "feature": i,
            "other": j,
            "probability": models.probability[instance, i].astype(np.float64),
            "other_probability": models.probability[instance, j].astype(np.float64),
            "joint_probability": joint[instance, i, j],
            "cosine": cosine,
            "arrangement": arrangements(cosine, kept[instance, i] & kept[instance, j]),
        }
    )


def groups_of(models: ToyModels, like: ToyModels | None = None) -> Integer[np.ndarray, "instance feature"]:
    """The first feature of the group of each feature, -1 for a feature in no group.

    Args:
        models: the toy models.
        like: toy models whose first one has the groups, `models` by default.

    Raises:
        ArgumentError: if no features of `like` depend on one another, or it has another number of features.
    """
    structure = structure_like(models, like)
    return np.where(is_shared(structure), structure[..., 0].astype(np.int64) - SHARED, -1)


def structure_like(models: ToyModels, like: ToyModels | None = None) -> Intervals:
    """The structure of each toy model: its own, or the one of the first of `like`.

    Raises:
        ArgumentError: as `groups_of`.
    """
    arguments.instance("models", models, ToyModels, "ToyModels")
    name, said = ("models", models) if like is None else ("like", like)
    arguments.instance(name, said, ToyModels, "ToyModels")
    if said.n_features != models.n_features:
        raise ArgumentError(
            f"like has {said.n_features} features: must be {models.n_features}, as models has"
        )
    if said.structure is None:
        raise ArgumentError(f"{name} have independent features: must have a structure")
    if like is None:
        return said.structure
    return np.broadcast_to(said.structure[0], (len(models), *said.structure.shape[1:]))


def arrangements(cosine: Float[np.ndarray, " pair"], both: Bool[np.ndarray, " pair"]) -> np.ndarray:
    """How pairs of features lie, as words: `pair_table` has them.

    Args:
        cosine: of their weights.
        both: whether both are represented.
    """
    return np.select(
        [~both, np.abs(cosine) < ORTHOGONAL_COSINE, cosine > ALIGNED_COSINE, cosine < -ALIGNED_COSINE],
        ["absent", "orthogonal", "side by side", "antipodal"],
        "between",
    )


def pair_summary(pairs: pd.DataFrame) -> pd.DataFrame:
    """One row a case and toy model of a table of pairs, in the table's order.

    probabilities: the distinct ones of its features in pairs, descending, to six digits. arrangement: that of
    all its pairs; mixed where they differ, incomplete where one is absent. least_cosine, mean_cosine: over
    its pairs. best, matched: what the theory says of the pairs, put together as the arrangement is. excess,
    reaches: as of the table.

    Args:
        pairs: `pair_table` with a column `case`, as the pipeline's tables are; the theory's columns may lack.
    """
    grouped = pairs.groupby(["case", "instance"], sort=False)
    columns = {
        "seed": grouped["seed"].first(),
        "arrangement": grouped["arrangement"].agg(_together),
        "least_cosine": grouped["cosine"].min(),
        "mean_cosine": grouped["cosine"].mean(),
    }
    for name in ("best", "matched"):
        if name in pairs and pairs[name].notna().all():
            columns[name] = grouped[name].agg(_together)
    for name in ("excess", "reaches"):
        if name in pairs:
            columns[name] = grouped[name].first()
    summary = pd.DataFrame(columns).reset_index()
    summary["probabilities"] = [_distinct(own) for _, own in grouped]
    return summary


def by_probability(summary: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of `pair_summary` for each set of probabilities, the highest first."""
    every: list[tuple[float, ...]] = summary["probabilities"].tolist()
    return [summary[[own == one for own in every]] for one in sorted(set(every), reverse=True)]


def _distinct(pairs: pd.DataFrame) -> tuple[float, ...]:
    ends = pairs[["probability", "other_probability"]].to_numpy().round(6)
    return tuple(sorted({float(p) for p in ends.reshape(-1)}, reverse=True))


def _together(words: pd.Series) -> str:
    """One word for all pairs of a toy model."""
    distinct = set(words)
    if "absent" in distinct:
        return "incomplete"
    return distinct.pop() if len(distinct) == 1 else "mixed"
