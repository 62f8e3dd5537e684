"""What the commands share that measure dependent features: pairs, sets and children."""

import argparse
from pathlib import Path

import pandas as pd

from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import write_tables
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.toy_model import ToyModels


def add_like(parser: argparse.ArgumentParser, rows: str) -> None:
    """Adds the case's models, whose structure is meant, the case's name, and the table to write.

    Args:
        parser: of the command.
        rows: what a row of the table is.
    """
    parser.add_argument("--models", required=True, type=Path, help="the case's models (safetensors)")
    parser.add_argument(
        "--like",
        type=Path,
        help="models whose structure says which features depend on one another (default: the case's)",
    )
    parser.add_argument("--case", required=True, help="name of the case")
    parser.add_argument("--output", required=True, type=Path, help=f"Parquet file, {rows}")


def read_like(arguments: argparse.Namespace) -> ToyModels | None:
    """The toy models whose structure is meant; None where it is that of the case's."""
    path: Path | None = arguments.like
    return None if path is None or path == arguments.models else read_models(path)


def write_section_table(table: pd.DataFrame, arguments: argparse.Namespace, command: str) -> None:
    """Writes a case's table, the case's name before all else.

    case: name of the case.
    """
    table.insert(0, "case", arguments.case)
    inputs = ("models", "like", "saes", "case")
    spec = {name: _as_text(getattr(arguments, name)) for name in inputs if hasattr(arguments, name)}
    provenance = provenance_of(spec, code_digest(f"superposition_atlas.cli.commands.{command}"))
    write_tables([table], arguments.output, provenance)


def _as_text(value: Path | list[Path] | str | None) -> str | list[str] | None:
    if isinstance(value, list):
        return [str(one) for one in value]
    return None if value is None else str(value)
