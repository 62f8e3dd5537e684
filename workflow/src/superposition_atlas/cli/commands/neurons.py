"""Measures the neurons of one case's toy models: which features each represents, and how."""

import argparse
from pathlib import Path

from superposition_atlas.metrics.neurons import neuron_tables
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import write_tables
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--models", required=True, type=Path, help="the case's models (safetensors)")
    parser.add_argument("--case", required=True, help="name of the case")
    parser.add_argument("--output-models", required=True, type=Path, help="Parquet file, one row a model")
    parser.add_argument("--output-neurons", required=True, type=Path, help="Parquet file, one row a neuron")
    parser.add_argument("--output-features", required=True, type=Path, help="Parquet file, one row a feature")


def run(arguments: argparse.Namespace) -> None:
    """Writes the tables.

    case: name of the case. seed: of the toy model.
    """
    models = read_models(arguments.models)
    paths = (arguments.output_models, arguments.output_neurons, arguments.output_features)
    spec = {"models": str(arguments.models), "case": arguments.case}
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.neurons"))
    for table, path in zip(neuron_tables(models), paths, strict=True):
        table.insert(0, "case", arguments.case)
        write_tables([table], path, provenance)
