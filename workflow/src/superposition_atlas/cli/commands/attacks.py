"""Attacks the toy models of one case with adversarial examples."""

import argparse

from superposition_atlas.cli.model_tables import add_models_and_tables, write_model_tables
from superposition_atlas.metrics.attacks import attack_table
from superposition_atlas.storage.model_files import read_models


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_models_and_tables(parser, {"attacks": "toy model"})


def run(arguments: argparse.Namespace) -> None:
    """Writes one row a toy model."""
    write_model_tables(arguments, "attacks", {"attacks": attack_table(read_models(arguments.models))})
