"""The best solutions and the predictions for a map's schedules, a table for each shard."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from superposition_atlas.artefacts.maps import SOLUTION_SCHEMA, MapPoints
from superposition_atlas.digest import code_digest
from superposition_atlas.maps.store import Store
from superposition_atlas.theory.best import best_solutions
from superposition_atlas.theory.predictor import predict, predict_bare

logger = logging.getLogger(__name__)

HELD_BIASES: dict[str, Callable[[np.ndarray], np.ndarray] | None] = {
    "trained": None,
    "zero": np.zeros_like,
    "mean": lambda probability: probability / 2,
}
"""Biases that a search can hold, from the probabilities; None leaves them free."""

_CHUNK = 40


def solve_points(points: MapPoints, biases: Sequence[str], n_starts: int, store: Path) -> pd.DataFrame:
    """All minima that are found for each schedule, and the two predictions; what the store has is not sought.

    Args:
        points: the schedules.
        biases: names in HELD_BIASES; predictions are for free biases only.
        n_starts: random starts of a search.
        store: folder of what is there already; new rows are added.

    Raises:
        ArtefactError: if the store can't be written to.
        TheoryError: as `best_solutions`.
    """
    spec = {"kind": "solutions of a map", "biases": list(biases), "n_starts": n_starts}
    kept = Store(store, spec, code_digest("superposition_atlas.maps.solutions"), SOLUTION_SCHEMA)
    known = kept.read(points.key)
    known = known.drop_duplicates(["key", "kind", "bias", "rank"])
    there = set(known["key"])
    missing = [index for index, key in enumerate(points.key) if key not in there]
    logger.info("solves %d of %d schedules, %d are there already", len(missing), len(points), len(there))
    frames = [known[known["key"].isin(points.key)]]
    for start in range(0, len(missing), _CHUNK):
        frame = solutions_of(points, missing[start : start + _CHUNK], biases, n_starts)
        kept.add(frame)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True).sort_values(
        ["key", "kind", "bias", "rank"], ignore_index=True
    )


def solutions_of(
    points: MapPoints, indices: Sequence[int], biases: Sequence[str], n_starts: int
) -> pd.DataFrame:
    """Minima and predictions for some of the points, in the columns of SOLUTION_SCHEMA."""
    rows = [row for index in indices for row in _solve(points, index, biases, n_starts)]
    return pd.DataFrame(rows, columns=SOLUTION_SCHEMA.names)


def _solve(
    points: MapPoints, index: int, biases: Sequence[str], n_starts: int
) -> Iterator[dict[str, object]]:
    importance, probability = points.importance[index], points.probability[index]

    def row(kind: str, bias: str, rank: int, loss: float, W: np.ndarray, b: np.ndarray) -> dict[str, object]:
        nothing = {"n_starts": 0, "structure": ""}
        about = {"key": points.key[index], "kind": kind, "bias": bias, "rank": rank, "loss": loss}
        return about | nothing | {"W": W.ravel(), "b": b}

    for bias in biases:
        hold = HELD_BIASES[bias]
        held = None if hold is None else hold(probability)
        minima = best_solutions(importance, probability, points.n_hidden, n_starts, bias=held)
        for rank, found in enumerate(minima):
            yield row("minimum", bias, rank, found.loss, found.W, found.b) | {"n_starts": found.n_starts}
    for kind, predictor in (("predicted", predict), ("predicted_bare", predict_bare)):
        made = predictor(importance, probability, points.n_hidden)
        yield row(kind, "trained", 0, made.cost, made.W, made.b) | {"structure": str(made.structure)}
