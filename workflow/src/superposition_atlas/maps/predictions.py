"""Predictions beside the best solutions, one row a schedule: is the predictor right?"""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.errors import ArtefactError
from superposition_atlas.metrics.features import REPRESENTED_NORM, norms
from superposition_atlas.theory.shapes import shape_of

_ROW = ["key", "kind", "bias", "rank"]
_COPIED = ("n_represented", "kept")
RULES = {"predicted": "agrees", "matching": "matching_agrees"}
"""Kinds of prediction, and the column that says whether it keeps the features that a best solution keeps."""
SOLVED = [*_ROW, *_COPIED, "is_best"]
"""Columns of a map's table of solutions that are compared."""


def prediction_table(
    points: pd.DataFrame,
    solved: pd.DataFrame,
    solutions: pd.DataFrame,
    W: Float[np.ndarray, "row hidden feature"],
) -> pd.DataFrame:
    """One row a schedule, with a free bias.

    Args:
        points: of all shards, with coordinates; a schedule that stands at several is taken at the first.
        solved: the map's table of solutions.
        solutions: the same ones, with b.
        W: their weights, by row.

    Returns:
        Coordinates, importance and probability. best_loss, best_n_represented, best_kept, best_shape:
        exact loss, features, which ones, and their shape in the best minimum. best_W, best_b: its weights,
        hidden dimension by hidden dimension, and biases. best_lowest_b: its most negative bias of a
        represented feature. best_norm_of_lowest_b: that feature's norm. margin: by how much the best minimum
        that keeps other features loses more than the best, relative to the best. predicted_loss,
        predicted_n_represented, predicted_kept, predicted_shape, predicted_structure: of the predictor.
        agrees: whether it keeps what a best solution keeps. matching_loss, matching_n_represented,
        matching_kept, matching_shape, matching_structure, matching_agrees: likewise of the matching.
        predicted_excess, matching_excess: `margin` of the best minimum that keeps the features that are
        predicted. NaN where no such minimum was found.

    Raises:
        ArtefactError: if a schedule has no solution.
    """
    free = (solutions["bias"] == "trained").to_numpy()
    rows = solutions[free].merge(solved[SOLVED], on=_ROW, validate="one_to_one")
    rows["W"] = list(W[free])
    by_key = {key: group.sort_values("rank") for key, group in rows.groupby("key")}
    coordinates = points.drop_duplicates("key", ignore_index=True)
    if missing := set(coordinates["key"]) - by_key.keys():
        raise ArtefactError(f"no solution of the schedule {min(missing)}: got solutions of other points")
    compared = pd.DataFrame([_compared(by_key[key]) for key in coordinates["key"]])
    return pd.concat([coordinates, compared], axis=1)


def _compared(rows: pd.DataFrame) -> dict[str, object]:
    """Columns of one schedule."""
    minima = rows[rows["kind"] == "minimum"]
    best, answers = minima.iloc[0], set(minima.loc[minima["is_best"], "kept"])
    row = _described("best", best) | {"best_W": best["W"].ravel(), "best_b": best["b"]}
    row |= _most_negative(best["W"], best["b"])
    row["margin"] = _excess(minima[~minima["kept"].isin(answers)], best["loss"])
    for kind, agrees in RULES.items():
        prediction = rows[rows["kind"] == kind].iloc[0]
        name = kind.removeprefix("predicted_")
        row |= _described(name, prediction) | {f"{name}_structure": prediction["structure"]}
        row[agrees] = prediction["kept"] in answers
        row[f"{name}_excess"] = _excess(minima[minima["kept"] == prediction["kept"]], best["loss"])
    return row


def _described(name: str, solution: "pd.Series[Any]") -> dict[str, object]:
    row = {f"{name}_{column}": solution[column] for column in ("loss", *_COPIED)}
    return row | {f"{name}_shape": shape_of(np.asarray(solution["W"]))}


def _most_negative(W: Float[np.ndarray, "hidden feature"], b: np.ndarray) -> dict[str, float]:
    length = norms(W[None])[0]
    candidates = np.where(length > REPRESENTED_NORM, b, np.inf)
    lowest = int(candidates.argmin())
    return {"best_lowest_b": float(b[lowest]), "best_norm_of_lowest_b": float(length[lowest])}


def _excess(minima: pd.DataFrame, best: float) -> float:
    """Lowest loss minus the best, relative to the best; infinite if the best is 0."""
    if minima.empty:
        return np.nan
    more = float(minima["loss"].min()) - best
    return more / best if best > 0 else np.inf
