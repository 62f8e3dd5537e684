"""Judges the talk's observations by the atlas, and says what decides."""

import argparse
from pathlib import Path

from superposition_atlas import storage
from superposition_atlas.answer import judge
from superposition_atlas.digest import code_digest
from superposition_atlas.maps.effects import effects


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--claims", required=True, type=Path, help="the tested observations (Parquet)")
    parser.add_argument("--points", required=True, type=Path, help="the atlas's points")
    parser.add_argument("--features", required=True, type=Path, help="the atlas's features")
    parser.add_argument("--solutions", required=True, type=Path, nargs="*", help="of the talk's experiments")
    parser.add_argument("--output-answer", required=True, type=Path, help="Parquet, one row an observation")
    parser.add_argument("--output-effects", required=True, type=Path, help="Parquet, one row a coefficient")


def run(arguments: argparse.Namespace) -> None:
    """Writes both tables."""
    solved = {path.parent.name: storage.read_table(path) for path in arguments.solutions}
    points, claims = storage.read_table(arguments.points), storage.read_table(arguments.claims)
    spec = {
        "claims": str(arguments.claims),
        "points": str(arguments.points),
        "features": str(arguments.features),
        "solutions": [str(path) for path in arguments.solutions],
    }
    provenance = storage.provenance(spec, code_digest("superposition_atlas.commands.answer"))
    found = effects(storage.read_table(arguments.features))
    storage.write_table(found, arguments.output_effects, provenance)
    storage.write_table(judge(points, claims, solved, found), arguments.output_answer, provenance)
