"""Measures a map's toy models beside the best solutions for their schedules."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas import storage
from superposition_atlas.artefacts.maps import (
    MapModels,
    read_map_models,
    read_point_frame,
    read_points,
    read_solutions,
    variants_of,
)
from superposition_atlas.digest import code_digest
from superposition_atlas.maps.features import best_features, feature_table, trained_features
from superposition_atlas.maps.measures import Schedules, model_table, solution_table, summary_table


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
    points = pd.concat([read_point_frame(path) for path in arguments.points], ignore_index=True)
    schedules = points.drop_duplicates("key").set_index("key")[["importance", "probability"]]

    def of(keys: pd.Series) -> Schedules:
        rows = schedules.loc[keys]
        return Schedules(np.stack(rows["importance"].to_list()), np.stack(rows["probability"].to_list()))

    solved, best = None, None
    if arguments.solutions:
        found, W = read_solutions(arguments.solutions)
        solved = solution_table(found, W, of(found["key"]))
        best = best_features(found, W, np.stack(found["b"].to_list()))
    n_hidden = read_points(arguments.points[0]).n_hidden
    shards = [(read_map_models(path, n_hidden), variants_of(path)) for path in arguments.weights]
    measured = [_measured(models, variants, of, solved) for models, variants in shards if len(models)]
    models = pd.concat([table for table, _ in measured], ignore_index=True) if measured else pd.DataFrame()
    summary = summary_table(models, solved, points)
    features = feature_table(points, [table for _, table in measured], best)
    spec = {"tables": [str(path) for path in (*arguments.points, *arguments.weights, *arguments.solutions)]}
    provenance = storage.provenance(spec, code_digest("superposition_atlas.commands.map_measures"))
    for table, path in (
        (models, arguments.output_models),
        (pd.DataFrame() if solved is None else solved, arguments.output_solutions),
        (summary, arguments.output_points),
        (features, arguments.output_features),
    ):
        storage.write_table(table, path, provenance)


def _measured(
    models: MapModels,
    variants: Mapping[str, Mapping[str, Any]],
    of: Callable[[pd.Series], Schedules],
    solved: pd.DataFrame | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The toy models of one shard, and their features."""
    table = pd.DataFrame(
        {"key": models.key, "variant": models.variant, "seed": models.seed, "loss": models.loss}
    )
    # Searches hold what the variant holds; a bias of numbers has none to be compared with.
    biases = {name: settings["bias"] for name, settings in variants.items()}
    table["bias"] = [bias if isinstance(bias := biases[name], str) else "" for name in models.variant]
    schedules = of(table["key"])
    centred = np.array([variants[name]["centred_inputs"] for name in models.variant])
    W, b = models.W.astype(np.float64), models.b.astype(np.float64)
    uncentred = b - centred[:, None] * np.einsum("kmi,kmj,kj->ki", W, W, schedules.probability / 2)
    return model_table(table, W, uncentred, schedules, solved), trained_features(table, W, uncentred)
