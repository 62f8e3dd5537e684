"""Measures fractions of a dimension and polytopes in the toy models of one case, and what chance gives."""

import argparse

from superposition_atlas.cli.model_tables import add_models_and_tables, write_model_tables
from superposition_atlas.metrics.polytopes import fraction_table, polytope_table
from superposition_atlas.storage.model_files import read_models


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    rows = {"polytopes": "feature of a toy model", "fractions": "run over the densities and fraction"}
    add_models_and_tables(parser, rows)


def run(arguments: argparse.Namespace) -> None:
    """Writes one row a feature, and one a run and fraction."""
    polytopes = polytope_table(read_models(arguments.models))
    fractions = fraction_table(polytopes)
    write_model_tables(arguments, "polytopes", {"polytopes": polytopes, "fractions": fractions})
