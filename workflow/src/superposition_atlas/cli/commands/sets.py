"""Measures the sets of correlated features in the toy models of one case, at every step that was recorded."""

import argparse

from superposition_atlas.cli.section_tables import add_like, read_like, write_section_table
from superposition_atlas.metrics.feature_sets import set_table
from superposition_atlas.storage.model_files import read_models


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_like(parser, "one row a toy model and recorded step")


def run(arguments: argparse.Namespace) -> None:
    """Writes one row a toy model and recorded step."""
    table = set_table(read_models(arguments.models), read_like(arguments))
    write_section_table(table, arguments, "sets")
