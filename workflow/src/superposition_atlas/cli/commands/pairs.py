"""Measures how features that depend on one another lie in the toy models of one case."""

import argparse
from pathlib import Path

from superposition_atlas.metrics.dependence import pair_table
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import write_tables
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--models", required=True, type=Path, help="the case's models (safetensors)")
    parser.add_argument("--case", required=True, help="name of the case")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file, one row a pair")


def run(arguments: argparse.Namespace) -> None:
    """Writes one row a toy model and pair of features of one group. case: name of the case."""
    table = pair_table(read_models(arguments.models))
    table.insert(0, "case", arguments.case)
    spec = {"models": str(arguments.models), "case": arguments.case}
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.pairs"))
    write_tables([table], arguments.output, provenance)
