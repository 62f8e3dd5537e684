"""Measures how features that depend on one another lie in the toy models of one case, beside the theory."""

import argparse

from superposition_atlas.cli.section_tables import add_like, read_like, write_section_table
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.theory.best_arrangement import pairs_beside_best


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_like(parser, "one row a toy model and pair")


def run(arguments: argparse.Namespace) -> None:
    """Writes one row a toy model and pair of features of one group."""
    table = pairs_beside_best(read_models(arguments.models), read_like(arguments))
    write_section_table(table, arguments, "pairs")
