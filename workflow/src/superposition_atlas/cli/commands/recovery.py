"""Measures what the SAEs of one case recover of its features."""

import argparse
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from superposition_atlas.metrics.polysemanticity import latent_units, neuron_table
from superposition_atlas.metrics.recovery import evaluate, latent_table, recovered_features, sae_table
from superposition_atlas.metrics.sae_history import history_table
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.storage.sae_files import read_saes

logger = logging.getLogger(__name__)

TABLES = ("saes", "latents", "recovered", "history", "polysemanticity")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--models", required=True, type=Path, help="the case's models (safetensors)")
    parser.add_argument("--saes", required=True, type=Path, nargs="+", help="their SAEs (safetensors)")
    parser.add_argument("--case", required=True, help="name of the case")
    parser.add_argument("--shown-seeds", required=True, type=int, help="how many seeds the figures show")
    for name in TABLES:
        parser.add_argument(f"--output-{name}", required=True, type=Path, help="Parquet file to write")


def run(arguments: argparse.Namespace) -> None:
    """Writes all tables, every SAE of the case one below the other; `sae` is the name of its file.

    Neurons have none: of each toy model with an SAE they stand once, before the latents.
    """
    models = read_models(arguments.models)
    shown = models.seeds[: arguments.shown_seeds]
    frames: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    with_sae: set[int] = set()
    for path in arguments.saes:
        saes = read_saes(path)
        evaluation = evaluate(models.of_seeds(saes.seeds), saes)
        for instance in np.flatnonzero(evaluation.collapsed):
            logger.warning(
                "%s: the SAE of seed %d (λ %g, k %d) has collapsed: none of its latents fires",
                path.stem,
                saes.seeds[instance],
                saes.sparsity_coefficient[instance],
                saes.k[instance],
            )
        tables = {
            "saes": sae_table(evaluation),
            "latents": latent_table(evaluation),
            "recovered": recovered_features(evaluation),
            "history": history_table(evaluation),
            "polysemanticity": latent_units(evaluation),
        }
        for name, table in tables.items():
            frames[name].append(_labelled(table, arguments.case, path.stem, shown))
        with_sae |= set(saes.seeds.tolist())
    neurons = neuron_table(models.of_seeds(with_sae))
    frames["polysemanticity"].insert(0, _labelled(neurons, arguments.case, None, shown))
    provenance = provenance_of(
        {
            "models": str(arguments.models),
            "saes": [str(path) for path in arguments.saes],
            "case": arguments.case,
            "shown_seeds": arguments.shown_seeds,
        },
        code_digest("superposition_atlas.cli.commands.recovery"),
    )
    for name, parts in frames.items():
        joined = pd.concat(parts, ignore_index=True)
        write_table(joined, getattr(arguments, f"output_{name}"), provenance)


def _labelled(table: pd.DataFrame, case: str, sae: str | None, shown: np.ndarray) -> pd.DataFrame:
    """Puts in front what the configuration calls the rows.

    case: name of the case. sae: name of the SAE in the configuration; empty for neurons. shown: whether the
    figures draw this toy model, one of the first seeds.
    """
    table.insert(0, "case", case)
    table.insert(1, "sae", sae)
    table.insert(2, "shown", table["seed"].isin(shown))
    return table.drop(columns="instance", errors="ignore")
