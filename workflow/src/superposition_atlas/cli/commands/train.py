"""Trains the seeds of one case, or those of one shard of it, but for those that are there already."""

import argparse
import logging
from pathlib import Path

import numpy as np

from superposition_atlas.cli import shared_options
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.experiment_files import read_experiment
from superposition_atlas.storage.model_files import write_models
from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.trained_before import shard_of_seed, train_new

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--schedules", required=True, type=Path, help="the experiment's schedules (Parquet)")
    parser.add_argument("--case", required=True, help="name of the case")
    parser.add_argument("--engine", default="auto", choices=["auto", "fused", "torch", "cuda"])
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", default=1, type=int, help="threads of the fused engine")
    parser.add_argument("--shard", default=0, type=int, help="number of the shard, from 0")
    parser.add_argument("--shards", default=1, type=int, help="how many the seeds are divided among")
    parser.add_argument("--store", type=Path, help="folder of what was trained before")
    parser.add_argument(
        "--elsewhere", nargs="*", default=[], type=Path, help="stores of cases that are trained alike"
    )
    parser.add_argument("--checkpoint", type=Path, help="file to keep training in, and to go on from")
    parser.add_argument("--checkpoint-seconds", default=60.0, type=float, help="between two checkpoints")
    parser.add_argument("--output", required=True, type=Path, help="safetensors file to write")


def run(arguments: argparse.Namespace) -> None:
    """Trains what is missing and writes all."""
    shard, shards = shared_options.shard(arguments.shard, arguments.shards)
    experiment = read_experiment(arguments.schedules)
    case = experiment.case(arguments.case)
    own = np.array(
        [index for index, seed in enumerate(experiment.seeds) if shard_of_seed(seed, shards) == shard],
        dtype=int,
    )
    variant = own % len(case.probability)
    models = train_new(
        case.importance[variant],
        case.probability[variant],
        experiment.n_hidden,
        np.array(experiment.seeds, dtype=np.uint64)[own],
        TrainingSettings(**case.training),
        None if case.structure is None else case.structure[variant],
        folder=arguments.store,
        elsewhere=arguments.elsewhere,
        engine=arguments.engine,
        device=arguments.device,
        threads=arguments.threads,
        checkpoint=arguments.checkpoint,
        checkpoint_seconds=arguments.checkpoint_seconds,
    )
    spec = experiment.spec_of(case.name) | {"seeds": models.seeds.tolist()}
    write_models(models, arguments.output, spec, code_digest("superposition_atlas.cli.commands.train"))
    if arguments.checkpoint is not None:
        arguments.checkpoint.unlink(missing_ok=True)  # only now that the models are safe
    if len(models):
        logger.info("%d models, median loss %.5f", len(models), np.median(models.loss))
