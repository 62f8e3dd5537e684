"""The best solutions and the predictions for schedules; those of a map are kept as soon as they are there."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import SOLUTION_SCHEMA, MapPoints, row_files, stored_rows
from superposition_atlas.storage.store import Store
from superposition_atlas.theory.best import best_solutions
from superposition_atlas.theory.matching import match
from superposition_atlas.theory.predictor import predict
from superposition_atlas.theory.structures import axis_weights

logger = logging.getLogger(__name__)

Values = Float[np.ndarray, " feature"]

HELD_BIASES: dict[str, Callable[[Values], Values] | None] = {
    "trained": None,
    "zero": np.zeros_like,
    "mean": lambda probability: probability / 2,
}
"""Biases that a search can hold, from the probabilities; None leaves them free."""

_NAMES = ["key", "kind", "bias", "rank"]
"""Columns that name a row."""
_KEPT_EVERY = 30.0
"""Seconds after which what was found is kept: all that is lost if a job is killed."""


def solve_points(points: MapPoints, biases: Sequence[str], n_starts: int, store: Path) -> pd.DataFrame:
    """All minima that are found for each schedule, and the two predictions; what the store has is not sought.

    Args:
        points: the schedules, in ascending order of their keys.
        biases: names in HELD_BIASES; predictions are for free biases only.
        n_starts: random starts of a search.
        store: folder of what is there already; new rows are added.

    Raises:
        ArtefactError: if the store can't be written to.
        TheoryError: as `best_solutions`.
    """
    spec = {"kind": "solutions of a map, with the matching", "biases": list(biases), "n_starts": n_starts}
    before = Store(store, spec, code_digest("superposition_atlas.maps.solutions"), row_files(SOLUTION_SCHEMA))
    known = stored_rows(before, points.key, SOLUTION_SCHEMA).drop_duplicates(_NAMES)
    known = known[known["key"].isin(points.key)]
    there = set(known["key"])
    missing = [index for index, key in enumerate(points.key) if key not in there]
    logger.info("solves %d of %d schedules, %d are there already", len(missing), len(points), len(there))
    frames, fresh, since = [known], [], monotonic()
    for done, index in enumerate(missing, start=1):
        fresh.append(solutions_of(points, [index], biases, n_starts))
        if done == len(missing) or monotonic() - since >= _KEPT_EVERY:
            frames.append(pd.concat(fresh, ignore_index=True))
            before.add(frames[-1], frames[-1]["key"].tolist())
            logger.info("%d of %d are solved", done, len(missing))
            fresh, since = [], monotonic()
    return pd.concat(frames, ignore_index=True).sort_values(_NAMES, ignore_index=True)


def solutions_of(
    points: MapPoints, indices: Sequence[int], biases: Sequence[str], n_starts: int
) -> pd.DataFrame:
    """Minima and predictions for some of the points, in the columns of SOLUTION_SCHEMA."""
    rows = [
        {"key": points.key[index], "n_starts": 0, "structure": "", **row}
        for index in indices
        for row in _solve(
            points.importance[index], points.probability[index], points.n_hidden, biases, n_starts
        )
    ]
    return pd.DataFrame(rows, columns=SOLUTION_SCHEMA.names)


def _solve(
    importance: Values, probability: Values, n_hidden: int, biases: Sequence[str], n_starts: int
) -> Iterator[dict[str, object]]:
    for name in biases:
        hold = HELD_BIASES[name]
        held = None if hold is None else hold(probability)
        minima = best_solutions(importance, probability, n_hidden, n_starts, bias=held)
        for rank, found in enumerate(minima):
            about = {
                "kind": "minimum",
                "bias": name,
                "rank": rank,
                "loss": found.loss,
                "n_starts": found.n_starts,
            }
            yield about | {"W": found.W.ravel(), "b": found.b}
    n_features = len(importance)
    full, matched = predict(importance, probability, n_hidden), match(importance, probability, n_hidden)
    W = axis_weights(matched.structure, n_features, n_hidden)
    b = np.where(matched.is_kept, 0.0, probability / 2)
    for kind, cost, structure, weights in (
        ("predicted", full.cost, full.structure, (full.W, full.b)),
        ("matching", matched.cost / n_features, matched.structure, (W, b)),
    ):
        about = {"kind": kind, "bias": "trained", "rank": 0, "loss": cost, "structure": str(structure)}
        yield about | {"W": weights[0].ravel(), "b": weights[1]}
