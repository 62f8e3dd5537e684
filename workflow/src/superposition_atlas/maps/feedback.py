"""What training found and the search did not: the lowest toy models' descents join the solutions.

So no toy model is ever below the best solution that it is compared with, and a table in which one is says so.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.maps.comparison import search_of
from superposition_atlas.maps.measures import NOTHING_LOST, SAME_LOSS, Schedules, as_uncentred
from superposition_atlas.maps.solutions import HELD_BIASES
from superposition_atlas.storage.map_files import SOLUTION_SCHEMA, MapPoints
from superposition_atlas.theory.descent import Landscape
from superposition_atlas.theory.exact_loss import exact_loss

logger = logging.getLogger(__name__)

_ORDER = ["key", "kind", "bias", "rank"]


def with_descents(
    found: pd.DataFrame,
    points: MapPoints,
    keys: Sequence[str],
    W: Float[np.ndarray, "instance hidden feature"],
    b: Float[np.ndarray, "instance feature"],
    trainings: Sequence[Mapping[str, Any]],
) -> pd.DataFrame:
    """The solutions, and where the lowest toy model of each search leads to if that is below them all.

    Args:
        found: in the columns of SOLUTION_SCHEMA.
        points: the schedules, all of `keys` among them.
        keys: of the schedule of each toy model.
        W: their weights.
        b: their biases, as trained.
        trainings: how each was trained, as `TrainingSettings.as_dict` gives it.

    Returns:
        The same columns. A minimum that joins has rank 0 and no starts: none of the search ended there.
    """
    searches = np.array([search_of(training) for training in trainings], dtype=object)
    compared = np.flatnonzero(searches != "")
    if not len(compared):
        return found
    schedules = Schedules.at(points, keys)
    b = as_uncentred(b, W, schedules.probability, trainings)
    losses = np.full(len(keys), np.inf)
    arrays = (W, b, schedules.importance, schedules.probability)
    losses[compared] = exact_loss(*(array[compared] for array in arrays)).mean(axis=1)
    minima = found[found["kind"] == "minimum"]
    best = minima.groupby(["key", "bias"])["loss"].min().to_dict()
    lowest: dict[tuple[str, str], int] = {}
    for model in compared[np.argsort(losses[compared], kind="stable")].tolist():
        lowest.setdefault((keys[model], str(searches[model])), model)
    joining: list[dict[str, object]] = []
    for (key, bias), model in lowest.items():
        if (key, bias) not in best:
            continue
        importance, probability = schedules.importance[model], schedules.probability[model]
        hold = HELD_BIASES[bias]
        landscape = Landscape(importance, probability, points.n_hidden, hold and hold(probability))
        end = landscape.past_saddles(landscape.descend(W[model].astype(np.float64), b[model]))
        slack = SAME_LOSS * best[key, bias] + NOTHING_LOST * landscape.nothing
        if end.loss < best[key, bias] - slack:
            row = {"key": key, "kind": "minimum", "bias": bias, "rank": -1, "loss": end.loss, "n_starts": 0}
            joining.append(row | {"structure": "", "W": end.W.ravel(), "b": end.b})
            logger.warning("training found a better solution of %s than the search (bias: %s)", key, bias)
    if not joining:
        return found
    return _ranked(pd.concat([found, pd.DataFrame(joining, columns=SOLUTION_SCHEMA.names)]))


def _ranked(solutions: pd.DataFrame) -> pd.DataFrame:
    solutions = solutions.sort_values(_ORDER, ignore_index=True)
    minima = solutions["kind"] == "minimum"
    solutions.loc[minima, "rank"] = solutions[minima].groupby(["key", "bias"]).cumcount()
    return solutions
