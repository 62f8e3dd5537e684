"""Joins the tables of an experiment's cases into the experiment's table."""

import argparse
from pathlib import Path

from superposition_atlas import storage
from superposition_atlas.digest import code_digest


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--tables", required=True, type=Path, nargs="+", help="tables to join, in this order")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file to write")


def run(arguments: argparse.Namespace) -> None:
    """Writes all rows of all tables."""
    spec = {"tables": [str(path) for path in arguments.tables]}
    code = code_digest("superposition_atlas.commands.collect")
    storage.write_joined(arguments.tables, arguments.output, storage.provenance(spec, code))
