"""Measures a map's toy models beside the best solutions for their schedules.

Shard by shard: what is measured of a point needs that point's rows alone, and all of a map may be more than
fits into memory.
"""

import argparse
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas.errors import ArtefactError
from superposition_atlas.maps.feature_fates import best_features, fate_table, trained_features
from superposition_atlas.maps.measures import (
    Schedules,
    as_uncentred,
    excess_table,
    point_table,
    solution_table,
)
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import (
    MapModels,
    MapPoints,
    distinct_points,
    read_map_models,
    read_point_frame,
    read_points,
    read_solutions,
    variants_of,
)
from superposition_atlas.storage.parquet import write_joined, write_table
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--points", required=True, type=Path, nargs="+", help="points of all shards")
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="toy models of all shards")
    parser.add_argument("--solutions", type=Path, nargs="*", default=[], help="solutions of all shards")
    parser.add_argument("--output-models", required=True, type=Path, help="Parquet, one row a toy model")
    parser.add_argument("--output-solutions", required=True, type=Path, help="Parquet, one row a solution")
    parser.add_argument("--output-points", required=True, type=Path, help="Parquet, one row a point, variant")
    parser.add_argument(
        "--output-features", required=True, type=Path, help="Parquet, one row a schedule, variant and feature"
    )


def run(arguments: argparse.Namespace) -> None:
    """Writes the four tables."""
    lists = (arguments.points, arguments.weights, arguments.solutions)
    outputs = {
        "models": arguments.output_models,
        "solutions": arguments.output_solutions,
        "points": arguments.output_points,
        "features": arguments.output_features,
    }
    spec = {"tables": [str(path) for paths in lists for path in paths]}
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.map_measures"))
    parts: dict[str, list[Path]] = {name: [] for name in outputs}
    with TemporaryDirectory() as folder:
        for number, shard in enumerate(zip_longest(*lists)):
            for name, table in _tables(*shard).items():
                parts[name].append(Path(folder) / f"{number}_{name}.parquet")
                write_table(table, parts[name][-1], provenance)
        for name, path in outputs.items():
            write_joined(parts[name], path, provenance)


def _tables(points_path: Path, weights: Path | None, solutions: Path | None) -> dict[str, pd.DataFrame]:
    """The four tables of a shard; of one without points there are none."""
    frame = read_point_frame(points_path)
    if frame.empty:
        return {}
    points = distinct_points(frame, read_points(points_path).n_hidden)
    found, W = read_solutions([solutions] if solutions else [], points.n_hidden, points.n_features)
    _check_keys(found["key"], frame["key"], solutions, points_path)
    solved = solution_table(found, W, Schedules.at(points, found["key"]))
    if weights:
        trained = read_map_models(weights, points.n_hidden)
        _check_keys(trained.key, frame["key"], weights, points_path)
        models, features = _measured(trained, variants_of(weights), points, solved)
    else:
        models, features = _measured(_no_models(points), {}, points, solved)
    best = best_features(found, W, np.stack(found["b"].to_list())) if len(found) else None
    return {
        "models": models,
        "solutions": solved,
        "points": point_table(models, solved, frame, points.n_hidden),
        "features": fate_table(frame, [features] if weights else [], best),
    }


def _check_keys(keys: Iterable[str], known: Iterable[str], path: Path | None, points: Path) -> None:
    if not set(keys) <= set(known):
        raise ArtefactError(f"{path}: is not of the points of {points}")


def _measured(
    models: MapModels, variants: Mapping[str, Mapping[str, Any]], points: MapPoints, solved: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The toy models of one shard, and their features.

    key: of the schedule. variant: name of the way of training. seed: within the schedule's block of seeds.
    training_seed: seed of its stream of samples, as `sa.train` takes it. loss: mean training loss of the last
    100 steps.
    """
    table = pd.DataFrame(
        {
            "key": models.key,
            "variant": models.variant,
            "seed": models.seed,
            "training_seed": models.training_seed,
            "loss": models.loss,
        }
    )
    schedules = Schedules.at(points, models.key)
    trainings = [variants[name] for name in models.variant]
    b = as_uncentred(models.b, models.W, schedules.probability, trainings)
    measured = excess_table(table, models.W, b, schedules, trainings, solved)
    return measured, trained_features(measured, models.W, b)


def _no_models(points: MapPoints) -> MapModels:
    """Tables of a map at whose points nothing is trained, with the same columns."""
    W = np.zeros((0, points.n_hidden, points.n_features), np.float32)
    none = np.zeros(0, np.uint64)
    return MapModels([], [], none, none, W, W[:, 0], np.zeros(0))
