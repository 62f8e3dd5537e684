"""Checks configuration files as the workflow would, one laid over the other."""

import argparse
from pathlib import Path

from superposition_atlas import config
from superposition_atlas.config.saes import check_saes
from superposition_atlas.figures.asked_for import check_kinds
from superposition_atlas.figures.distinct_names import check_figures
from superposition_atlas.maps.points import points_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("files", nargs="+", type=Path, help="later files are laid over earlier ones")


def run(arguments: argparse.Namespace) -> None:
    """Prints what the configuration comes to."""
    merged = config.laid_over(*[config.read(path) for path in arguments.files])
    loaded = config.load(merged)
    check_saes(loaded)
    check_figures(loaded)
    check_kinds(loaded)
    for experiment in loaded.experiments.values():
        n_models = len(experiment.cases) * len(experiment.seeds)
        print(
            f"{experiment.name}: {experiment.n_features} features in {experiment.n_hidden} dimensions, "
            f"{len(experiment.cases)} cases, {n_models} toy models, {len(experiment.saes)} SAEs a toy model"
        )
    for described in loaded.maps.values():
        n_schedules = len({point.key for point in points_of(described)})
        n_seeds = len(described.seeds)
        print(
            f"{described.name}: {described.n_features} features in {described.n_hidden} dimensions, "
            f"a map of {n_schedules} schedules, {n_schedules * n_seeds * len(described.variants)} toy models"
        )
    for name, networks in loaded.playground.items():
        settings = networks.settings
        layers = ", ".join(map(str, settings.hidden_layers))
        print(
            f"playground {name}: {settings.data_set} from {len(settings.inputs)} inputs, "
            f"hidden layers {layers}, {len(networks.seeds)} networks"
        )
    for setting in loaded.attention.values():
        heads = " or ".join(map(str, setting.heads))
        print(
            f"attention {setting.name}: {setting.n_features} features in {setting.n_hidden} dimensions, "
            f"{heads} heads, {len(setting.seeds)} seeds"
        )
