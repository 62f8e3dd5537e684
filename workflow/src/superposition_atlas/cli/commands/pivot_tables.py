"""Measures the pivot tables of slide 3's layers of attention, and what they show of the planted rule."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from superposition_atlas.attention import cell_tables
from superposition_atlas.attention.cell_tables import Measured
from superposition_atlas.storage.attention_files import read_attention
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.storage.sae_files import read_saes

TABLES: dict[str, Callable[[Measured], pd.DataFrame]] = {
    "cells": cell_tables.cell_table,
    "outputs": cell_tables.output_table,
    "rules": cell_tables.rule_table,
    "models": cell_tables.attention_model_table,
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--heads", required=True, type=json.loads, help="numbers of heads of each setting by name, as JSON"
    )
    parser.add_argument("--folder", required=True, type=Path, help="what the command attention has written")
    for name in TABLES:
        parser.add_argument(f"--output-{name}", required=True, type=Path, help="Parquet file to write")


def run(arguments: argparse.Namespace) -> None:
    """Writes all tables, settings and numbers of heads one below the other. setting: name of the setting."""
    frames: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    for setting, heads in arguments.heads.items():
        folder = arguments.folder / setting
        models = read_models(folder / "toy_models.safetensors")
        saes = read_saes(folder / "saes.safetensors")
        for n_heads in heads:
            measured = cell_tables.measure(
                models, read_attention(folder / f"heads_{n_heads}.safetensors"), saes
            )
            for name, table in TABLES.items():
                frame = table(measured)
                frame.insert(0, "setting", setting)
                frames[name].append(frame)
    code = code_digest("superposition_atlas.cli.commands.pivot_tables")
    provenance = provenance_of({"folder": str(arguments.folder), "heads": arguments.heads}, code)
    for name, parts in frames.items():
        joined = pd.concat(parts, ignore_index=True)
        write_table(joined, getattr(arguments, f"output_{name}"), provenance)
