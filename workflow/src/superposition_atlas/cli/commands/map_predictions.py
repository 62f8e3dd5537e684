"""Compares the predictions for a map's schedules with the best solutions."""

import argparse
from pathlib import Path

import pandas as pd

from superposition_atlas.maps.predictions import SOLVED, prediction_table
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import read_points, read_solutions
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--points", required=True, type=Path, nargs="+", help="points of all shards")
    parser.add_argument("--solutions", required=True, type=Path, nargs="+", help="solutions of all shards")
    parser.add_argument("--solved", required=True, type=Path, help="the map's table of solutions")
    parser.add_argument("--output", required=True, type=Path, help="Parquet, one row a schedule")


def run(arguments: argparse.Namespace) -> None:
    """Writes the table."""
    first = read_points(arguments.points[0])
    solutions, W = read_solutions(arguments.solutions, first.n_hidden, first.n_features)
    points = pd.concat([read_table(path) for path in arguments.points], ignore_index=True)
    table = prediction_table(points, read_table(arguments.solved, SOLVED), solutions, W)
    spec = {"tables": [str(path) for path in (*arguments.points, *arguments.solutions)]}
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.map_predictions"))
    write_table(table, arguments.output, provenance)
