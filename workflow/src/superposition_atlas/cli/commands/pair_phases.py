"""Writes the phase diagram of pairs: two features in one dimension."""

import argparse
from pathlib import Path

import numpy as np

from superposition_atlas import arguments as check
from superposition_atlas.maps.pair_models import SETTINGS, pair_models
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.theory.pair_phases import pair_phases, phase_boundaries

_LINE = np.linspace(0.0, 1.0, 101)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--values", default=16, type=int, help="probabilities on each axis, for the optimum")
    parser.add_argument("--trained-values", default=6, type=int, help="likewise, for toy models")
    parser.add_argument("--seeds", default=4, type=int, help="toy models at each pair of probabilities")
    parser.add_argument("--threads", default=1, type=int, help="threads of the fused engine")
    parser.add_argument("--output-phases", required=True, type=Path, help="Parquet, one row a pair")
    parser.add_argument("--output-boundaries", required=True, type=Path, help="Parquet, points of lines")
    parser.add_argument("--output-models", required=True, type=Path, help="Parquet, one row a toy model")


def run(arguments: argparse.Namespace) -> None:
    """Writes the three tables."""
    n_values = check.integer("--values", arguments.values, most=1000)
    n_trained = check.integer("--trained-values", arguments.trained_values, most=100)
    n_seeds = check.integer("--seeds", arguments.seeds, most=1000)
    tables = {
        arguments.output_phases: pair_phases(_middles(n_values)),
        arguments.output_boundaries: phase_boundaries(_LINE),
        arguments.output_models: pair_models(_middles(n_trained), n_seeds, threads=arguments.threads),
    }
    spec = {
        "values": n_values,
        "trained_values": n_trained,
        "seeds": n_seeds,
        "training": SETTINGS.as_dict(),
    }
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.pair_phases"))
    for path, table in tables.items():
        write_table(table, path, provenance)


def _middles(count: int) -> np.ndarray:
    """The middles of equal parts of [0, 1]."""
    return np.round((np.arange(count) + 0.5) / count, 12)
