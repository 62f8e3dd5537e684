"""Compares the norms of several maps' toy models with those that the post published."""

import argparse
from pathlib import Path

import pandas as pd

from superposition_atlas.errors import ArtefactError
from superposition_atlas.maps.norms import case_norm_table, schedule_table
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import read_point_frame
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.provenance import provenance_of

_MODELS = (
    "key",
    "variant",
    "seed",
    "frobenius_norm",
    "n_represented",
    "n_dedicated",
    "densest_dropped",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--points", required=True, type=Path, nargs="+", help="points of all shards")
    parser.add_argument(
        "--models", required=True, type=Path, nargs="+", help="toy models of all maps, measured"
    )
    parser.add_argument("--published", required=True, type=Path, help="published norms (CSV)")
    parser.add_argument("--output-points", required=True, type=Path, help="Parquet, one row a case")
    parser.add_argument("--output-schedules", required=True, type=Path, help="Parquet, one row a schedule")


def run(arguments: argparse.Namespace) -> None:
    """Writes both tables."""
    points = pd.concat([read_point_frame(path) for path in arguments.points], ignore_index=True)
    models = pd.concat([read_table(path, _MODELS) for path in arguments.models], ignore_index=True)
    norms = case_norm_table(points, models, _published(arguments.published))
    files = (*arguments.points, *arguments.models, arguments.published)
    provenance = provenance_of(
        {"tables": [str(path) for path in files]}, code_digest("superposition_atlas.cli.commands.map_norms")
    )
    write_table(norms, arguments.output_points, provenance)
    write_table(schedule_table(norms), arguments.output_schedules, provenance)


def _published(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
        return table.astype({"published_norm": float, "n_instances": int})[
            ["case", "published_norm", "n_instances"]
        ]
    except OSError as error:
        raise ArtefactError(f"{path}: can't be read ({error.strerror})") from None
    except (KeyError, ValueError) as error:
        raise ArtefactError(f"{path}: not a table of published norms ({error})") from None
