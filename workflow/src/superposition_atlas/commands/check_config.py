"""Checks configuration files as the workflow would, one laid over the other."""

import argparse
from pathlib import Path

from superposition_atlas import config
from superposition_atlas.config.saes import check_saes


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("files", nargs="+", type=Path, help="later files are laid over earlier ones")


def run(arguments: argparse.Namespace) -> None:
    """Prints what the configuration comes to."""
    merged = config.laid_over(*[config.read(path) for path in arguments.files])
    loaded = config.load(merged)
    check_saes(loaded)
    for experiment in loaded.experiments.values():
        n_models = len(experiment.cases) * len(experiment.seeds)
        print(
            f"{experiment.name}: {experiment.n_features} features in {experiment.n_hidden} dimensions, "
            f"{len(experiment.cases)} cases, {n_models} toy models, {len(experiment.saes)} SAEs a toy model"
        )
    for setting in loaded.attention.values():
        heads = " or ".join(map(str, setting.heads))
        print(
            f"attention {setting.name}: {setting.n_features} features in {setting.n_hidden} dimensions, "
            f"{heads} heads, {len(setting.seeds)} seeds"
        )
