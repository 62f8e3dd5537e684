"""Trains all seeds of one case as one ensemble."""

import argparse
import logging
from pathlib import Path

import numpy as np

from superposition_atlas.artefacts.experiments import read_experiment
from superposition_atlas.artefacts.models import write_models
from superposition_atlas.digest import code_digest
from superposition_atlas.schedules import Schedule
from superposition_atlas.training import train

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--schedules", required=True, type=Path, help="the experiment's schedules (Parquet)")
    parser.add_argument("--case", required=True, help="name of the case")
    parser.add_argument("--engine", default="auto", choices=["auto", "fused", "torch", "cuda"])
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", default=1, type=int, help="threads of the fused engine")
    parser.add_argument("--checkpoint", type=Path, help="file to keep training in, and to go on from")
    parser.add_argument("--checkpoint-seconds", default=60.0, type=float, help="between two checkpoints")
    parser.add_argument("--output", required=True, type=Path, help="safetensors file to write")


def run(arguments: argparse.Namespace) -> None:
    """Trains the case and writes its models."""
    experiment = read_experiment(arguments.schedules)
    case = experiment.case(arguments.case)
    variant = np.arange(len(experiment.seeds)) % len(case.probability)
    models = train(
        Schedule(case.importance[variant], case.probability[variant]),
        n_hidden=experiment.n_hidden,
        seeds=experiment.seeds,
        engine=arguments.engine,
        device=arguments.device,
        threads=arguments.threads,
        progress=None,
        checkpoint=arguments.checkpoint,
        checkpoint_seconds=arguments.checkpoint_seconds,
        **case.training,
    )
    spec = experiment.spec_of(case.name)
    write_models(models, arguments.output, spec, code_digest("superposition_atlas.commands.train"))
    if arguments.checkpoint is not None:
        arguments.checkpoint.unlink(missing_ok=True)  # only now that the models are safe
    logger.info("%d models, median loss %.5f", len(models), np.median(models.loss))
