"""What commands share that measure the toy models of one case and write a table or more."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.parquet import write_tables
from superposition_atlas.storage.provenance import provenance_of


def add_models_and_tables(parser: argparse.ArgumentParser, tables: Mapping[str, str]) -> None:
    """Adds the case's models and name, and an option for each table's file.

    Args:
        parser: of the command.
        tables: what a row is, by the table's name.
    """
    parser.add_argument("--models", required=True, type=Path, help="the case's models (safetensors)")
    parser.add_argument("--case", required=True, help="name of the case")
    for name, row in tables.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, required=True, type=Path, help=f"Parquet file to write, one row a {row}")


def write_model_tables(
    arguments: argparse.Namespace, command: str, tables: Mapping[str, pd.DataFrame]
) -> None:
    """Writes each table to the file of its option.

    case: name of the case.

    Raises:
        ArtefactError: if a file can't be written.
    """
    spec = {"models": str(arguments.models), "case": arguments.case}
    provenance = provenance_of(spec, code_digest(f"superposition_atlas.cli.commands.{command}"))
    for name, table in tables.items():
        table.insert(0, "case", arguments.case)
        write_tables([table], getattr(arguments, name), provenance)
