"""Finds the best solutions for the schedules of one shard of a map, but for those that are there already.

Where toy models were trained, the descents of the lowest join what the search found.
"""

import argparse
from pathlib import Path

from superposition_atlas import arguments as check
from superposition_atlas.maps.feedback import with_descents
from superposition_atlas.maps.solutions import HELD_BIASES, solve_points
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import (
    SOLUTION_SCHEMA,
    read_map_models,
    read_points,
    remove_other_shards,
    variants_of,
)
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--points", required=True, type=Path, help="the shard's points (Parquet)")
    parser.add_argument(
        "--weights",
        type=Path,
        nargs="*",
        default=[],
        help="the shard's toy models (Parquet), if there are any",
    )
    parser.add_argument("--biases", required=True, nargs="+", choices=sorted(HELD_BIASES))
    parser.add_argument("--n-starts", required=True, type=int, help="random starts of each search")
    parser.add_argument("--shards", required=True, type=int, help="how many shards there are")
    parser.add_argument("--store", required=True, type=Path, help="folder of what was found before")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file to write")


def run(arguments: argparse.Namespace) -> None:
    """Solves what is missing and writes all."""
    shards = check.integer("--shards", arguments.shards)
    n_starts = check.integer("--n-starts", arguments.n_starts)
    points = read_points(arguments.points)
    solutions = solve_points(points, arguments.biases, n_starts, arguments.store)
    for path in arguments.weights:
        models, variants = read_map_models(path, points.n_hidden), variants_of(path)
        trainings = [variants[name] for name in models.variant]
        solutions = with_descents(solutions, points, models.key, models.W, models.b, trainings)
    spec = {
        "points": str(arguments.points),
        "weights": [str(path) for path in arguments.weights],
        "n_hidden": points.n_hidden,
        "biases": arguments.biases,
        "n_starts": n_starts,
    }
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.map_solutions"))
    write_table(solutions, arguments.output, provenance, SOLUTION_SCHEMA)
    remove_other_shards(arguments.output, shards)
