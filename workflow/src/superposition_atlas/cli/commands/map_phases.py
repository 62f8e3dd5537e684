"""Writes the phase diagram of a map: what becomes of the last feature, trained and at the optimum."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from superposition_atlas.maps.phases import AXES, phase_table
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import read_map_models, read_points, read_solutions
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.theory.phase_borders import phase_borders

_NAMES = ["key", "variant", "seed"]
_N_PLACES = 200
"""Densities at which the borders are computed."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--points", required=True, type=Path, nargs="+", help="points of all shards")
    parser.add_argument("--weights", required=True, type=Path, nargs="+", help="toy models of all shards")
    parser.add_argument("--solutions", required=True, type=Path, nargs="+", help="solutions of all shards")
    parser.add_argument("--models", required=True, type=Path, help="the map's table of toy models")
    parser.add_argument("--output-phases", required=True, type=Path, help="one row a point and variant")
    parser.add_argument("--output-borders", required=True, type=Path, help="one row a point of a border")


def run(arguments: argparse.Namespace) -> None:
    """Writes both tables; toy models are ranked by exact loss, and where there is none by training loss."""
    points = pd.concat([read_table(path, ("key", *AXES)) for path in arguments.points], ignore_index=True)
    shards_of_points = [read_points(path) for path in arguments.points]
    n_features = max(own.n_features for own in shards_of_points)  # a shard may have no points
    n_hidden = shards_of_points[0].n_hidden
    shards = [own for path in arguments.weights if len(own := read_map_models(path, n_hidden))]
    trained = pd.concat(
        [
            pd.DataFrame(
                {"key": own.key, "variant": own.variant, "seed": own.seed, "training_loss": own.loss}
            )
            for own in shards
        ],
        ignore_index=True,
    )
    exact = read_table(arguments.models, [*_NAMES, "exact_loss"])
    models = trained.merge(exact, on=_NAMES, how="left", validate="one_to_one")
    models["loss"] = models["exact_loss"].fillna(models["training_loss"])
    found, solved = read_solutions(arguments.solutions, n_hidden, n_features)
    phases = phase_table(points, models, np.concatenate([own.W for own in shards]), found, solved)
    densities = np.geomspace(points["density"].min(), points["density"].max(), _N_PLACES)
    has_borders = n_features == n_hidden + 1
    borders = phase_borders(densities if has_borders else densities[:1], n_hidden)
    spec = {"tables": [str(path) for path in (*arguments.points, *arguments.weights, *arguments.solutions)]}
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.map_phases"))
    write_table(phases, arguments.output_phases, provenance)
    write_table(borders if has_borders else borders[:0], arguments.output_borders, provenance)
