"""Joins the tables of an experiment's cases into the experiment's table."""

import argparse
from pathlib import Path

from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.parquet import write_joined
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--tables", required=True, type=Path, nargs="+", help="tables to join, in this order")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file to write")


def run(arguments: argparse.Namespace) -> None:
    """Writes all rows of all tables."""
    spec = {"tables": [str(path) for path in arguments.tables]}
    code = code_digest("superposition_atlas.cli.commands.collect")
    write_joined(arguments.tables, arguments.output, provenance_of(spec, code))
