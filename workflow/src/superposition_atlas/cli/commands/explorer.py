"""Puts results/explorer.html together: the explorer's page with the configuration's presets and the atlas."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from superposition_atlas import __version__
from superposition_atlas.cli.shared_options import add_spec
from superposition_atlas.errors import ArtefactError
from superposition_atlas.explorer.assemble import page, page_digest
from superposition_atlas.explorer.gather import atlas_data, page_data
from superposition_atlas.observations.definitions import DRAWN
from superposition_atlas.storage.atomic import write_sealed
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.embedded import KEY
from superposition_atlas.storage.parquet import read_table
from superposition_atlas.storage.provenance import provenance_of, provenance_text

_ATLAS_KEYS = ("title", "n_hidden", "n_features", "variant", "bias", "cases")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_spec(parser, "presets, and how to read the atlas", "presets", "atlas")
    parser.add_argument("--points", nargs="*", default=[], type=Path, help="the atlas's points")
    parser.add_argument("--schedules", nargs="*", default=[], type=Path, help="schedules of all its shards")
    parser.add_argument("--weights", nargs="*", default=[], type=Path, help="toy models of all its shards")
    parser.add_argument("--solutions", nargs="*", default=[], type=Path, help="solutions of all its shards")
    parser.add_argument("--output", required=True, type=Path, help="HTML file to write")


def run(arguments: argparse.Namespace) -> None:
    """Writes the page."""
    spec = arguments.spec
    atlas = None if spec["atlas"] is None else _atlas(spec["atlas"], arguments)
    data = page_data(spec["presets"], atlas, __version__)
    carried = provenance_text(_provenance(spec), ascii_only=True)
    write_sealed(page({**data, KEY: json.loads(carried)}).encode(), arguments.output)


def _atlas(spec: Mapping[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    if missing := [key for key in _ATLAS_KEYS if key not in spec]:
        raise ArtefactError(f"--spec: atlas.{missing[0]} is missing")
    points, schedules, models, solutions = (
        pd.concat([read_table(path) for path in paths], ignore_index=True)
        for paths in (arguments.points, arguments.schedules, arguments.weights, arguments.solutions)
    )
    is_best = (solutions["kind"] == "minimum") & (solutions["rank"] == 0)
    return atlas_data(
        spec["title"],
        (spec["n_hidden"], spec["n_features"]),
        points[points["variant"] == spec["variant"]],
        schedules,
        models[models["variant"] == spec["variant"]],
        solutions[is_best & (solutions["bias"] == spec["bias"])],
        spec["cases"],
        DRAWN,
    )


def _provenance(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Provenance with a digest of the page's program, which is not Python."""
    code = code_digest("superposition_atlas.cli.commands.explorer")
    return provenance_of(spec, code, engine="page", page=page_digest())
