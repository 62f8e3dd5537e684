"""Checks configuration files as the workflow would, one laid over the other."""

import argparse
from pathlib import Path

from superposition_atlas import config


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("files", nargs="+", type=Path, help="later files are laid over earlier ones")


def run(arguments: argparse.Namespace) -> None:
    """Prints what the configuration comes to."""
    merged = config.laid_over(*[config.read(path) for path in arguments.files])
    for experiment in config.load(merged).experiments.values():
        n_models = len(experiment.cases) * len(experiment.seeds)
        print(
            f"{experiment.name}: {experiment.n_features} features in {experiment.n_hidden} dimensions, "
            f"{len(experiment.cases)} cases, {n_models} toy models, {len(experiment.saes)} SAEs a toy model"
        )
