"""Measures a map's toy models beside the best solutions for their schedules."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas import storage
from superposition_atlas.artefacts.maps import (
    MapModels,
    MapPoints,
    distinct_points,
    read_map_models,
    read_point_frame,
    read_points,
    read_solutions,
    variants_of,
)
from superposition_atlas.digest import code_digest
from superposition_atlas.maps.features import best_features, feature_table, trained_features
from superposition_atlas.maps.measures import (
    Schedules,
    as_uncentred,
    model_table,
    solution_table,
    summary_table,
)


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
    frame = pd.concat([read_point_frame(path) for path in arguments.points], ignore_index=True)
    points = distinct_points(frame, read_points(arguments.points[0]).n_hidden)
    found, W = read_solutions(arguments.solutions, points.n_hidden, points.n_features)
    solved = solution_table(found, W, Schedules.at(points, found["key"]))
    shards = [(read_map_models(path, points.n_hidden), variants_of(path)) for path in arguments.weights]
    filled = [(models, variants) for models, variants in shards if len(models)]
    measured = [_measured(*shard, points, solved) for shard in filled or [(_no_models(points), {})]]
    models = pd.concat([table for table, _ in measured], ignore_index=True)
    best = best_features(found, W, np.stack(found["b"].to_list())) if len(found) else None
    features = feature_table(frame, [table for _, table in measured] if filled else [], best)
    spec = {"tables": [str(path) for path in (*arguments.points, *arguments.weights, *arguments.solutions)]}
    provenance = storage.provenance(spec, code_digest("superposition_atlas.commands.map_measures"))
    for table, path in (
        (models, arguments.output_models),
        (solved, arguments.output_solutions),
        (summary_table(models, solved, frame), arguments.output_points),
        (features, arguments.output_features),
    ):
        storage.write_table(table, path, provenance)


def _measured(
    models: MapModels, variants: Mapping[str, Mapping[str, Any]], points: MapPoints, solved: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The toy models of one shard, and their features."""
    table = pd.DataFrame(
        {"key": models.key, "variant": models.variant, "seed": models.seed, "loss": models.loss}
    )
    schedules = Schedules.at(points, models.key)
    trainings = [variants[name] for name in models.variant]
    b = as_uncentred(models.b, models.W, schedules.probability, trainings)
    measured = model_table(table, models.W, b, schedules, trainings, solved)
    return measured, trained_features(measured, models.W, b)


def _no_models(points: MapPoints) -> MapModels:
    """Of a map whose points are not trained at: its tables have the same columns."""
    W = np.zeros((0, points.n_hidden, points.n_features), np.float32)
    return MapModels([], [], np.zeros(0, np.uint64), W, W[:, 0], np.zeros(0))
