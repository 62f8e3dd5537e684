"""Finds jumps of the features' fractions of a dimension while the toy models of one case were trained."""

import argparse

from superposition_atlas.cli.model_tables import add_models_and_tables, write_model_tables
from superposition_atlas.metrics.jumps import jump_table, learning_table, rate_table
from superposition_atlas.storage.model_files import read_models


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    rows = {"jumps": "jump", "learning": "toy model and record", "jump_rates": "toy model"}
    add_models_and_tables(parser, rows)


def run(arguments: argparse.Namespace) -> None:
    """Writes one row a jump, one a toy model and record, and one a toy model."""
    models = read_models(arguments.models)
    tables = {
        "jumps": jump_table(models),
        "learning": learning_table(models),
        "jump_rates": rate_table(models),
    }
    write_model_tables(arguments, "jumps", tables)
