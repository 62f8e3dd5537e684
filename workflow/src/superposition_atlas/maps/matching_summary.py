"""The matching of each schedule beside the toy models that were trained on it: one row a schedule."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from superposition_atlas.maps.comparison import search_of
from superposition_atlas.maps.matchings import compared
from superposition_atlas.metrics.features import dedicated, represented
from superposition_atlas.theory.beyond_pairs import pentagon_gain
from superposition_atlas.theory.matching import match
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

Lists have a value a feature: importance, probability, label (alone, shared, absent) and partner (-1: none)
by the matching, whether simple rules represent it (as many features as the matching), and the shares of toy
models in which it is alone (D_i > .9) or represented otherwise. `saved` and `cost` are parts of the loss of
representing nothing, Σ_i V_i; names in `_MEANS` are means over toy models, see `matchings.compared`;
`squared_norm_largest` is of the first toy models, as many as figures show. Without toy models these are NaN,
and the two shares empty.
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
    return row if models is None else row | _trained(importance, probability, models, n_shown)


def _trained(
    importance: PerFeature, probability: PerFeature, models: ToyModels, n_shown: int
) -> dict[str, Any]:
    """What is measured of toy models of one schedule."""
    some = models.select(slice(MOST_COMPARED))
    means = compared(importance, probability, some)[list(_MEANS)].astype(float).mean()
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
