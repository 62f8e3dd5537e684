"""Measures neurons of one case's toy models that represent two features: the asymmetric motif."""

import argparse
from pathlib import Path

from superposition_atlas.metrics.motifs import motif_table
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import write_tables
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--models", required=True, type=Path, help="the case's models (safetensors)")
    parser.add_argument("--case", required=True, help="name of the case")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file, one row a neuron and pair")


def run(arguments: argparse.Namespace) -> None:
    """Writes one row a toy model, neuron and pair of features that it represents.

    case: name of the case. seed: of the toy model.
    """
    table = motif_table(read_models(arguments.models))
    table.insert(0, "case", arguments.case)
    spec = {"models": str(arguments.models), "case": arguments.case}
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.motifs"))
    write_tables([table], arguments.output, provenance)
