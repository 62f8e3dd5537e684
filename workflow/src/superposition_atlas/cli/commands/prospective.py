"""Compares the matching with toy models trained on random schedules of one size."""

import argparse
import logging
from pathlib import Path

from superposition_atlas import arguments as check
from superposition_atlas.maps.prospective import comparison, summary_table, train_random
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.theory.random_schedules import random_schedules
from superposition_atlas.toy_model import TrainingSettings

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--n-features", required=True, type=int, help="number of features, at least 2")
    parser.add_argument("--n-hidden", required=True, type=int, help="number of hidden dimensions")
    parser.add_argument("--schedules", required=True, type=int, help="how many of the frozen generator's")
    parser.add_argument("--first", default=0, type=int, help="index of the first of them")
    parser.add_argument("--seeds", required=True, type=int, help="toy models on each")
    parser.add_argument("--steps", default=10_000, type=int, help="optimizer steps of each toy model")
    parser.add_argument("--engine", default="auto", choices=["auto", "fused", "torch", "cuda"])
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", default=1, type=int, help="threads of the fused engine")
    parser.add_argument("--store", type=Path, help="folder of what was trained before")
    parser.add_argument("--checkpoint", type=Path, help="file to keep training in, and to go on from")
    parser.add_argument("--output", required=True, type=Path, help="Parquet, one row a toy model")
    parser.add_argument("--output-summary", required=True, type=Path, help="Parquet, means over schedules")


def run(arguments: argparse.Namespace) -> None:
    """Trains what is missing and writes the comparison."""
    n_features = check.integer("--n-features", arguments.n_features, least=2)
    count = check.integer("--schedules", arguments.schedules)
    first = check.integer("--first", arguments.first, least=0, most=2**16)
    n_seeds = check.integer("--seeds", arguments.seeds, most=2**16)
    schedules = list(random_schedules(n_features, count, first))
    settings = TrainingSettings(steps=arguments.steps)
    models = train_random(
        schedules,
        arguments.n_hidden,
        n_seeds,
        settings,
        folder=arguments.store,
        engine=arguments.engine,
        device=arguments.device,
        threads=arguments.threads,
        checkpoint=arguments.checkpoint,
    )
    table = comparison(schedules, models)
    spec = {
        "n_features": n_features,
        "n_hidden": models.n_hidden,
        "schedules": [first, first + count - 1],
        "seeds": n_seeds,
        "training": settings.as_dict(),
    }
    provenance = provenance_of(
        spec, code_digest("superposition_atlas.cli.commands.prospective"), engine=models.engine
    )
    means = summary_table(table)
    write_table(table, arguments.output, provenance)
    write_table(means, arguments.output_summary, provenance)
    if arguments.checkpoint is not None:
        arguments.checkpoint.unlink(missing_ok=True)  # only now that the table is safe
    of_all = means[means["schedules"] == "all"].set_index("measure")["mean"]
    logger.info(
        "%d toy models: Jaccard %.3f of the rule, %.3f of a second toy model",
        *(len(table), of_all["jaccard_rule"], of_all["jaccard_ceiling"]),
    )
