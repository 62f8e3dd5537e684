"""The numbers of the one-page answer: verdicts, what decides, and how training differs from the best."""

from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas.figures import catalogue
from superposition_atlas.metrics.verdicts import exact_interval
from superposition_atlas.report.shared_tables import finite
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage import layout
from superposition_atlas.storage.map_files import of_variant
from superposition_atlas.storage.parquet import read_table

Document = dict[str, Any]

_POINTS = (
    "key",
    "variant",
    "mean_density",
    "steepness",
    "n_seeds",
    "not_all_represented",
    "best_not_all_represented",
    "keeps_best",
    "median_excess",
    "least_excess",
)


def answer(sources: Sources) -> Document | None:
    """All numbers of the answer, or None without an atlas.

    Raises:
        ArtefactError: if a table is missing, damaged, or lacks a column.
    """
    judged_by = sources.config.map_of_role("observations")
    if judged_by is None or not catalogue.answers(sources.config):
        return None
    verdicts = read_table(sources.locate(layout.answer()))
    rows = [
        {name: value if isinstance(value, str) else finite(value) for name, value in row.items()}
        for row in verdicts.to_dict("records")
    ]
    effects = read_table(sources.locate(layout.effects()))
    path = sources.locate(layout.map_table(judged_by.name, "points"))
    points = of_variant(read_table(path, _POINTS), judged_by.main_variant, path)
    return {
        "verdicts": rows,
        "effects": effects.to_dict("records"),
        "all_represented": _all_represented(points.drop_duplicates("key")),
        "training": _training(points.drop_duplicates("key")),
        "predictor": _predictor(sources),
    }


def _all_represented(points: pd.DataFrame) -> Document:
    """How often training represents every feature where the best solution does."""
    possible = points[~points["best_not_all_represented"].astype(bool) & (points["steepness"] > 1)]
    impossible = points[points["best_not_all_represented"].astype(bool) & (points["steepness"] > 1)]
    return {
        "n_schedules": len(points[points["steepness"] > 1]),
        "n_possible": len(possible),
        "share_where_possible": finite(1 - possible["not_all_represented"].mean()),
        "share_where_not": finite(1 - impossible["not_all_represented"].mean()),
        "densest_possible": finite(possible["mean_density"].max()),
    }


def _training(points: pd.DataFrame) -> Document:
    """How often toy models keep what the best solution keeps, and what they lose."""
    return {
        "n_models": int(points["n_seeds"].sum()),
        "n_schedules": len(points),
        "keeps_best": finite(np.average(points["keeps_best"], weights=points["n_seeds"])),
        "most_keep_best": finite((points["keeps_best"] > 0.5).mean()),
        "some_keeps_best": finite((points["keeps_best"] > 0).mean()),
        "median_excess": finite(points["median_excess"].median()),
        "least_excess": finite(points["least_excess"].median()),
    }


def _predictor(sources: Sources) -> Document | None:
    random = catalogue.solved_maps(sources.config, "random")
    if not random:
        return None
    points = read_table(sources.locate(layout.map_table(random[0], "points")))
    # A prediction is of a schedule, with free biases, whatever is trained there, if anything.
    points = points.dropna(subset=["agrees"]).drop_duplicates("key")
    found: Document = {"n_schedules": len(points)}
    for rule, column in (("full", "agrees"), ("bare", "bare_agrees")):
        n_agreeing = int(points[column].sum())
        low, high = exact_interval(n_agreeing, len(points))
        found[rule] = {"share": n_agreeing / len(points), "low": low, "high": high}
    return found
