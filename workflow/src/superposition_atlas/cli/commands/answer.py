"""Judges the talk's observations by the atlas, and says what decides."""

import argparse
from pathlib import Path

from superposition_atlas.maps.effects import FEATURE_COLUMNS, effects
from superposition_atlas.observations.answer import POINT_COLUMNS, judge
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.experiment_files import read_experiment
from superposition_atlas.storage.map_files import of_variant
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--claims", required=True, type=Path, help="the tested observations (Parquet)")
    parser.add_argument("--points", required=True, type=Path, help="the atlas's points")
    parser.add_argument("--features", required=True, type=Path, help="the atlas's features")
    parser.add_argument("--variant", required=True, help="the atlas's way of training that is judged")
    parser.add_argument("--solutions", required=True, type=Path, nargs="*", help="of the talk's experiments")
    parser.add_argument("--schedules", required=True, type=Path, nargs="*", help="of the same experiments")
    parser.add_argument("--output-answer", required=True, type=Path, help="Parquet, one row an observation")
    parser.add_argument("--output-effects", required=True, type=Path, help="Parquet, one row a coefficient")


def run(arguments: argparse.Namespace) -> None:
    """Writes both tables."""
    solved = {path.parent.name: read_table(path) for path in arguments.solutions}
    described = [read_experiment(path) for path in arguments.schedules]
    roles = {experiment.name: experiment.roles for experiment in described}
    claims = read_table(arguments.claims)
    points = read_table(arguments.points, list(dict.fromkeys(["variant", *POINT_COLUMNS])))
    features = read_table(arguments.features, list(dict.fromkeys(["variant", *FEATURE_COLUMNS])))
    points = of_variant(points, arguments.variant, arguments.points)
    features = of_variant(features, arguments.variant, arguments.features)
    spec = {
        "claims": str(arguments.claims),
        "points": str(arguments.points),
        "features": str(arguments.features),
        "variant": arguments.variant,
        "solutions": [str(path) for path in arguments.solutions],
        "schedules": [str(path) for path in arguments.schedules],
    }
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.answer"))
    found = effects(features)
    write_table(found, arguments.output_effects, provenance)
    write_table(judge(points, claims, solved, roles, found), arguments.output_answer, provenance)
