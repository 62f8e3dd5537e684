"""Compares an experiment's toy models with the best solutions for their schedules."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from superposition_atlas import storage
from superposition_atlas.artefacts.maps import MapPoints
from superposition_atlas.digest import code_digest
from superposition_atlas.maps.measures import Schedules, model_table, solution_table
from superposition_atlas.maps.points import point_key
from superposition_atlas.maps.solutions import solutions_of

_COLUMNS = ["case", "seed", "shown", "feature", "importance", "probability", "bias", "weights"]
_BIAS = "trained"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--features", required=True, type=Path, help="the experiment's features (Parquet)")
    parser.add_argument("--n-starts", default=8, type=int, help="random starts of each search")
    parser.add_argument("--output-losses", required=True, type=Path, help="Parquet, one row a toy model")
    parser.add_argument("--output-solutions", required=True, type=Path, help="Parquet, one row a solution")


def run(arguments: argparse.Namespace) -> None:
    """Solves every schedule of the experiment and writes both tables."""
    features = storage.read_table(arguments.features, _COLUMNS).sort_values(["case", "seed", "feature"])
    models = features.drop_duplicates(["case", "seed"])[["case", "seed", "shown"]].reset_index(drop=True)

    def per_model(column: str) -> np.ndarray:
        return np.stack(features[column].to_list()).reshape(len(models), -1, *_tail(features[column]))

    W, b = per_model("weights").swapaxes(1, 2).astype(np.float64), per_model("bias")
    schedules = Schedules(per_model("importance"), per_model("probability"))
    models["key"] = [
        point_key(W.shape[1], *pair) for pair in zip(schedules.importance, schedules.probability, strict=True)
    ]
    models = models.assign(bias=_BIAS)
    _, first = np.unique(models["key"], return_index=True)
    points = MapPoints(
        models["key"].iloc[first].tolist(),
        schedules.importance[first],
        schedules.probability[first],
        n_hidden=W.shape[1],
    )
    found = solutions_of(points, range(len(points)), [_BIAS], arguments.n_starts)
    place = {key: index for index, key in zip(first, points.key, strict=True)}
    rows = [place[key] for key in found["key"]]
    solved = solution_table(
        found,
        np.stack(found["W"].to_list()).reshape(len(found), *W.shape[1:]),
        Schedules(schedules.importance[rows], schedules.probability[rows]),
    )
    spec = {"features": str(arguments.features), "n_starts": arguments.n_starts}
    provenance = storage.provenance(spec, code_digest("superposition_atlas.commands.losses"))
    cases = models[["case", "key"]].drop_duplicates()
    storage.write_table(
        model_table(models, W, b, schedules, solved).drop(columns="bias"),
        arguments.output_losses,
        provenance,
    )
    storage.write_table(cases.merge(solved), arguments.output_solutions, provenance)


def _tail(column: pd.Series) -> tuple[int, ...]:
    return np.shape(column.iloc[0])
