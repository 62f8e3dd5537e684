"""Judges the talk's observations over schedules: by the atlas, and by random schedules."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from superposition_atlas.maps.effects import FEATURE_COLUMNS, effects
from superposition_atlas.observations.answer import CLAIMS, answer
from superposition_atlas.observations.over_schedules import ANSWERS, Map
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import of_variant
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.provenance import provenance_of

_POINTS = ("key", "variant", "observations", *(f"best_{name}" for name in ANSWERS))
_RANDOM_POINTS = (*_POINTS, "index")
_MODELS = ("key", "variant", "training_seed", *ANSWERS)
_FEATURES = tuple(dict.fromkeys(("variant", *FEATURE_COLUMNS)))


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--claims", required=True, type=Path, help="the tested observations (Parquet)")
    parser.add_argument("--primary", nargs="*", default=[], help="experiments with the talk's own schedules")
    parser.add_argument("--solutions", required=True, type=Path, nargs="*", help="of the tested experiments")
    parser.add_argument("--points", required=True, type=Path, help="the atlas's points")
    parser.add_argument("--models", required=True, type=Path, help="the atlas's toy models")
    parser.add_argument("--features", required=True, type=Path, help="the atlas's features")
    parser.add_argument("--variant", required=True, help="the atlas's way of training that is judged")
    parser.add_argument(
        "--random",
        type=Path,
        nargs="*",
        default=[],
        help="points, toy models, features of random schedules",
    )
    parser.add_argument("--random-variant", default="", help="the way of training at random schedules")
    parser.add_argument("--output-answer", required=True, type=Path, help="Parquet, one row an observation")
    parser.add_argument("--output-effects", required=True, type=Path, help="Parquet, one row a coefficient")


def run(arguments: argparse.Namespace) -> None:
    """Writes both tables."""
    solved = {path.parent.name: read_table(path) for path in arguments.solutions}
    tables = (arguments.points, arguments.models, arguments.features)
    atlas = _map(tables, _POINTS, arguments.variant)
    random = None
    if arguments.random:
        random = _map(arguments.random, _RANDOM_POINTS, arguments.random_variant)
    claims = read_table(arguments.claims, CLAIMS)
    spec = {
        "claims": str(arguments.claims),
        "primary": arguments.primary,
        "solutions": [str(path) for path in arguments.solutions],
        "maps": [str(path) for path in (*tables, *arguments.random)],
        "variants": [arguments.variant, arguments.random_variant],
    }
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.answer"))
    found = effects(atlas.schedules)
    write_table(found, arguments.output_effects, provenance)
    table = answer(claims, arguments.primary, solved, atlas, random, found)
    write_table(table, arguments.output_answer, provenance)


def _map(paths: Sequence[Path], of_points: Sequence[str], variant: str) -> Map:
    """Points (with these columns), toy models and features of one way of training."""
    points, models, features = (
        of_variant(read_table(path, columns), variant, path)
        for path, columns in zip(paths, (of_points, _MODELS, _FEATURES), strict=True)
    )
    return Map(points=points, schedules=features, models=models.rename(columns={"training_seed": "seed"}))
