"""Measures what the toy models of one case represent."""

import argparse
from pathlib import Path

import pandas as pd

from superposition_atlas.metrics.features import feature_table, model_table
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import write_tables
from superposition_atlas.storage.provenance import provenance_of

_MODELS = 20_000
"""Toy models that are measured at a time."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--models", required=True, type=Path, help="the case's models (safetensors)")
    parser.add_argument("--case", required=True, help="name of the case")
    parser.add_argument("--shown-seeds", required=True, type=int, help="how many seeds the figures show")
    parser.add_argument("--output-models", required=True, type=Path, help="Parquet file, one row a model")
    parser.add_argument("--output-features", required=True, type=Path, help="Parquet file, one row a feature")


def run(arguments: argparse.Namespace) -> None:
    """Writes both tables, some thousand toy models at a time."""
    models = read_models(arguments.models)
    shown = set(models.seeds[: arguments.shown_seeds].tolist())
    provenance = provenance_of(
        {"models": str(arguments.models), "case": arguments.case, "shown_seeds": arguments.shown_seeds},
        code_digest("superposition_atlas.cli.commands.features"),
    )
    for measured, path in (
        (model_table, arguments.output_models),
        (feature_table, arguments.output_features),
    ):
        tables = (
            with_case(measured(models.select(slice(start, start + _MODELS))), arguments.case, shown)
            for start in range(0, len(models), _MODELS)
        )
        write_tables(tables, path, provenance)


def with_case(table: pd.DataFrame, case: str, shown: set[int]) -> pd.DataFrame:
    """Puts the case in front, and whether the figures show the seed.

    case: name of the case. shown: whether the figures draw this toy model, one of the first seeds.
    """
    table.insert(0, "case", case)
    table.insert(2, "shown", table["seed"].isin(shown))
    return table
