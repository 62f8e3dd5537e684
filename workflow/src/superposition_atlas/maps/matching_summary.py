"""The matching of each schedule beside the toy models that were trained on it: one row a schedule."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from superposition_atlas.maps.comparison import search_of
from superposition_atlas.maps.matchings import compared
from superposition_atlas.metrics.features import dedicated, represented
from superposition_atlas.theory.beyond_pairs import pentagon_gain
from superposition_atlas.theory.matching import Matching, match
from superposition_atlas.theory.rankings import RANKINGS, greedy, most_valuable
from superposition_atlas.theory.structures import PerFeature
from superposition_atlas.toy_model import ToyModels, TrainingSettings

MOST_COMPARED = 1000
"""Toy models of a schedule that are compared, the first ones: overlaps are between all pairs of them."""

_MEANS = (
    "n_kept_trained",
    "n_alone_trained",
    "loss_share_trained",
    "loss_ratio",
    "jaccard_rule",
    "jaccard_ceiling",
    *(f"jaccard_{name}" for name in RANKINGS),
    *(f"jaccard_{name}_at_rule" for name in RANKINGS),
    "jaccard_greedy",
    "jaccard_linear",
    "same_features",
    "polygon_share",
)
"""Columns of `compared` whose means over toy models the table has."""

_numbers, _words = pa.list_(pa.float64()), pa.list_(pa.string())
_COUNTS = ("n_features", "n_hidden", "n_models", "n_kept_rule", "n_alone_rule", "n_pairs_rule")
_COSTS = ("saved", "cost", "loss_share_rule", "gap", "pentagon_gain")

SCHEMA = pa.schema(
    {
        **dict.fromkeys(_COUNTS, pa.int64()),
        "importance": _numbers,
        "probability": _numbers,
        "label": _words,
        "partner": pa.list_(pa.int64()),
        **{f"by_{name}": pa.list_(pa.bool_()) for name in (*RANKINGS, "greedy", "linear")},
        **dict.fromkeys(_COSTS, pa.float64()),
        "pairs_suffice": pa.bool_(),
        "share_alone": _numbers,
        "share_shared": _numbers,
        **dict.fromkeys((*_MEANS, "squared_norm_trained", "squared_norm_largest"), pa.float64()),
    }
)
"""Columns of a schedule, without its name.

n_features: n. n_hidden: m. n_models: toy models compared. n_kept_rule, n_alone_rule, n_pairs_rule: features
that the matching represents, alone and in pairs. Lists with a value a feature: importance: I_i. probability:
p_i. label: alone, shared or absent, by the matching. partner: the other feature of its pair, -1 for none.
by_importance, by_probability, by_sparsity, by_value: whether it is among the first by I, p, 1 - p or V, as
many as the matching represents. by_greedy: whether a greedy choice of groups represents it. by_linear:
whether a linear model does. share_alone, share_shared: shares of toy models in which it is alone (D_i > .9)
or represented otherwise. Numbers: saved, cost: what the matching saves and leaves of the loss of representing
nothing, Σ_i V_i. loss_share_rule: cost over Σ_i V_i. gap: what is not proved, no matching saves more than
saved + gap. pentagon_gain: what a pentagon would save more than pairs, known before any training.
pairs_suffice: whether that is 0. Means over toy models, of `matchings.compared`: n_kept_trained,
n_alone_trained: represented, and alone. loss_share_trained: loss over that of representing nothing.
loss_ratio: that over the matching's. jaccard_rule: overlap of represented features with the matching's.
jaccard_ceiling: with those of the other toy models. jaccard_importance, jaccard_probability,
jaccard_sparsity, jaccard_value: with the first by an order, as many as the toy model represents.
jaccard_importance_at_rule, jaccard_probability_at_rule, jaccard_sparsity_at_rule, jaccard_value_at_rule:
likewise, as many as the matching represents. jaccard_greedy, jaccard_linear: with a greedy choice, and with a
linear model. same_features: share with exactly the matching's. polygon_share: share of represented features
that are neither alone nor in a pair. squared_norm_trained: ‖W‖_F². squared_norm_largest: its largest, of the
first toy models, as many as figures show. Without toy models these are NaN, and the two shares empty.
"""


def is_matched(settings: TrainingSettings) -> bool:
    """Whether the two costs are theirs: ReLU outputs, magnitudes U[0, 1], a trained bias."""
    return search_of(settings.as_dict()) == "trained"


def schedules_in(models: ToyModels) -> Iterator[ToyModels]:
    """The toy models of each schedule in turn, in the order in which schedules first occur."""
    rows = np.concatenate([models.importance, models.probability], axis=1)
    _, first, schedule = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    for number in np.argsort(first):
        yield models.select(np.flatnonzero(schedule.reshape(-1) == number))


def matching_row(
    importance: PerFeature, probability: PerFeature, n_hidden: int, models: ToyModels | None, n_shown: int
) -> dict[str, Any]:
    """A row of SCHEMA.

    Args:
        importance: I_i of the schedule.
        probability: p_i of the schedule.
        n_hidden: m.
        models: toy models trained on it; None where there are none.
        n_shown: the largest squared norm is that of the first `n_shown` toy models.

    Raises:
        TheoryError: as `match`.
    """
    found = match(importance, probability, n_hidden)
    gain = pentagon_gain(importance, probability, found)
    chosen = np.zeros(found.n_features, dtype=bool)
    chosen[list(greedy(importance, probability, n_hidden).kept)] = True
    n_kept = len(found.kept)
    row = {
        "n_features": found.n_features,
        "n_hidden": n_hidden,
        "n_models": 0,
        "n_kept_rule": n_kept,
        "n_alone_rule": len(found.alone),
        "n_pairs_rule": len(found.pairs),
        "importance": importance,
        "probability": probability,
        "label": found.labels,
        "partner": found.partner,
        **{f"by_{name}": first(importance, probability, n_kept) for name, first in RANKINGS.items()},
        "by_greedy": chosen,
        "by_linear": most_valuable(importance, probability, n_hidden),
        "saved": found.saved,
        "cost": found.cost,
        "loss_share_rule": found.loss_share,
        "gap": found.gap,
        "pentagon_gain": gain,
        "pairs_suffice": gain == 0.0,
        "share_alone": [],
        "share_shared": [],
    }
    return row if models is None else row | _trained(importance, probability, found, gain, models, n_shown)


def _trained(
    importance: PerFeature,
    probability: PerFeature,
    rule: Matching,
    gain: float,
    models: ToyModels,
    n_shown: int,
) -> dict[str, Any]:
    """What is measured of toy models of one schedule."""
    some = models.select(slice(MOST_COMPARED))
    means = compared(importance, probability, rule, gain, some)[list(_MEANS)].astype(float).mean()
    W = some.W.astype(np.float64)
    present, alone = represented(W), dedicated(W)
    squared_norm = (W**2).sum(axis=(1, 2))
    return {
        "n_models": len(some),
        "share_alone": alone.mean(axis=0),
        "share_shared": (present & ~alone).mean(axis=0),
        **{name: float(means[name]) for name in _MEANS},
        "squared_norm_trained": squared_norm.mean(),
        "squared_norm_largest": squared_norm[:n_shown].max(),
    }
