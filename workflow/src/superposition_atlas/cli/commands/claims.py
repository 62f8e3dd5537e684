"""Tests the talk's observations on every experiment."""

import argparse
from pathlib import Path

import pandas as pd

from superposition_atlas.errors import AtlasError
from superposition_atlas.observations import claims
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.experiment_files import read_experiment
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.provenance import provenance_of

COLUMNS = [
    "case",
    "seed",
    "shown",
    "feature",
    "importance",
    "probability",
    "norm",
    "dimensionality",
    "interference",
    "weights",
]


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--schedules", required=True, type=Path, nargs="*", help="one file an experiment")
    parser.add_argument("--features", required=True, type=Path, nargs="*", help="in the same order")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file to write")


def run(arguments: argparse.Namespace) -> None:
    """Writes one row an observation, case, sample of seeds and pair of thresholds."""
    if len(arguments.schedules) != len(arguments.features):
        n_schedules, n_features = len(arguments.schedules), len(arguments.features)
        raise AtlasError(
            f"--features: got {n_features} files, allowed is one a file of --schedules ({n_schedules})"
        )
    # Typed also where no experiment is tested.
    tables = [claims.EMPTY]
    for schedules, features in zip(arguments.schedules, arguments.features, strict=True):
        experiment = read_experiment(schedules)
        table = read_table(features, COLUMNS)
        tables.append(claims.tested(experiment.name, experiment.family, table, experiment.roles))
    spec = {"features": [str(path) for path in arguments.features]}
    code = code_digest("superposition_atlas.cli.commands.claims")
    joined = pd.concat(tables, ignore_index=True)
    write_table(joined, arguments.output, provenance_of(spec, code))
