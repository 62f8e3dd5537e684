"""Compares an experiment's SAEs: levels chosen on half of the toy models, contrasts on the other half."""

import argparse
from pathlib import Path

from superposition_atlas.metrics.sae_comparison import COLUMNS, contrast_table, level_table
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--saes", required=True, type=Path, help="the experiment's SAEs, measured (Parquet)")
    parser.add_argument("--output-levels", required=True, type=Path, help="Parquet, one row an SAE")
    parser.add_argument("--output-contrasts", required=True, type=Path, help="Parquet, one row a contrast")


def run(arguments: argparse.Namespace) -> None:
    """Writes both tables."""
    saes = read_table(arguments.saes, list(COLUMNS))
    code = code_digest("superposition_atlas.cli.commands.compare_saes")
    provenance = provenance_of({"saes": str(arguments.saes)}, code)
    write_table(level_table(saes), arguments.output_levels, provenance)
    write_table(contrast_table(saes), arguments.output_contrasts, provenance)
