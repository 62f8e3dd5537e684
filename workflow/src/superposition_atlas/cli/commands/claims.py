"""Tests the talk's observations on every experiment."""

import argparse
from pathlib import Path

import pyarrow as pa

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
    "weights",
]


_TYPES = {
    "str": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "object": pa.list_(pa.int64()),
}
SCHEMA = pa.schema({name: _TYPES[kind] for name, kind in claims.COLUMNS.items()})


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
    rows = []
    for schedules, features in zip(arguments.schedules, arguments.features, strict=True):
        experiment = read_experiment(schedules)
        table = read_table(features, COLUMNS)
        trainings = {name: case.training for name, case in experiment.cases.items()}
        rows += claims.unjudged(experiment.name, experiment.family, table, trainings)
    spec = {"features": [str(path) for path in arguments.features]}
    code = code_digest("superposition_atlas.cli.commands.claims")
    write_table(claims.judged(rows), arguments.output, provenance_of(spec, code), SCHEMA)
