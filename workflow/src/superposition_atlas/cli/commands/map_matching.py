"""Compares a map's toy models with the matching of their schedules, shard by shard."""

import argparse
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from superposition_atlas.errors import ArtefactError, AtlasError
from superposition_atlas.maps.matching_summary import SCHEMA, is_matched, matching_row
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import (
    MapModels,
    distinct_points,
    read_map_models,
    read_point_frame,
    read_points,
    variants_of,
)
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.theory.structures import PerFeature
from superposition_atlas.toy_model import ToyModels, TrainingSettings


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--points", required=True, type=Path, nargs="+", help="points of all shards")
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="toy models of all shards")
    parser.add_argument("--output", required=True, type=Path, help="Parquet, one row a schedule and variant")


def run(arguments: argparse.Namespace) -> None:
    """Writes the table; variants for which the matching's costs do not hold have no row.

    key: of the schedule. variant: way of training; empty without toy models.
    """
    n_points, n_weights = len(arguments.points), len(arguments.weights)
    if n_weights not in (0, n_points):
        raise AtlasError(
            f"--weights: got {n_weights} files, allowed is one a file of --points ({n_points}) or none"
        )
    shards = zip_longest(arguments.points, arguments.weights)
    rows = [row for points, weights in shards for row in _rows(points, weights)]
    schema = pa.schema([("key", pa.string()), ("variant", pa.string()), *SCHEMA])
    spec = {"tables": [str(path) for path in (*arguments.points, *arguments.weights)]}
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.map_matching"))
    write_table(pd.DataFrame(rows, columns=schema.names), arguments.output, provenance, schema)


def _rows(points_path: Path, weights: Path | None) -> Iterator[dict[str, Any]]:
    """The rows of a shard; without toy models one a schedule, whose variant is empty."""
    frame = read_point_frame(points_path)
    if frame.empty:
        return
    points = distinct_points(frame, read_points(points_path).n_hidden)
    trained = read_map_models(weights, points.n_hidden) if weights else None
    settings = {
        name: TrainingSettings(**values) for name, values in (variants_of(weights) if weights else {}).items()
    }
    if trained is not None and not set(trained.key) <= set(points.key):
        raise ArtefactError(f"{weights}: is not of the points of {points_path}")
    schedules = zip(points.key, points.importance, points.probability, strict=True)
    for key, importance, probability in schedules:
        if trained is None:
            row = matching_row(importance, probability, points.n_hidden, None, 0)
            yield {"key": key, "variant": "", **row}
            continue
        for variant, training in settings.items():
            if is_matched(training):
                models = _toy_models(trained, key, variant, importance, probability, training)
                row = matching_row(importance, probability, points.n_hidden, models, len(trained))
                yield {"key": key, "variant": variant, **row}


def _toy_models(
    trained: MapModels,
    key: str,
    variant: str,
    importance: PerFeature,
    probability: PerFeature,
    settings: TrainingSettings,
) -> ToyModels | None:
    """The toy models of one point and variant; None where there are none."""
    own = np.flatnonzero((np.array(trained.key) == key) & (np.array(trained.variant) == variant))
    if not len(own):
        return None
    return ToyModels(
        **{name: getattr(trained, name)[own] for name in ("W", "b", "loss")},
        seeds=trained.training_seed[own],
        importance=np.tile(importance.astype(np.float32), (len(own), 1)),
        probability=np.tile(probability.astype(np.float32), (len(own), 1)),
        settings=settings,
        engine="",
    )
