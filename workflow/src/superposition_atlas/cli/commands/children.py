"""Measures what the SAEs of one case make of children and their parents."""

import argparse
from pathlib import Path

import pandas as pd

from superposition_atlas.cli.section_tables import add_like, read_like, write_section_table
from superposition_atlas.metrics.children import child_table
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.sae_files import read_saes


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_like(parser, "one row an SAE and child")
    parser.add_argument("--saes", required=True, type=Path, nargs="+", help="the case's SAEs (safetensors)")


def run(arguments: argparse.Namespace) -> None:
    """Writes one row an SAE and child.

    sae: name of the SAE's file.
    """
    models, like = read_models(arguments.models), read_like(arguments)
    tables = [
        child_table(models, read_saes(path), like=like).assign(sae=path.stem) for path in arguments.saes
    ]
    write_section_table(pd.concat(tables, ignore_index=True), arguments, "children")
