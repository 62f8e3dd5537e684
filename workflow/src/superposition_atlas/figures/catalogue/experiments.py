"""Figures that any experiment has: those that its key `figures` names and no slide of its role shows."""

from collections.abc import Iterator

from superposition_atlas.config import Config, Experiment
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.figures.catalogue.subjects import (
    beside_the_published_norms,
    compared_experiments,
    is_plain,
)
from superposition_atlas.storage.layout import case_table, experiment_table, schedules
from superposition_atlas.theory.limits import LARGEST_SOLVED

OTHERS = "Other families and sizes"
"""Category of the figures of experiments that no slide is about."""


def of_each_experiment(config: Config) -> Iterator[FigureTarget]:
    """Schedules, planes or bars; counts, norms and losses, for which tested experiments share a figure."""
    for experiment in config.experiments.values():
        yield from _cases_and_directions(config, experiment)
        if not experiment.claims:
            yield from _counts_and_losses(config, experiment)
        is_alone = not experiment.claims or config.experiment_of_role("post") is None
        if (
            "norms" in experiment.figures
            and is_alone
            and experiment not in beside_the_published_norms(config)
        ):
            yield _target(
                experiment,
                "frobenius_norms",
                {"models": experiment_table(experiment.name, "models")},
                "Frobenius norms of the trained toy models by case.",
            )


def _cases_and_directions(config: Config, experiment: Experiment) -> Iterator[FigureTarget]:
    name, kinds = experiment.name, experiment.figures
    if "cases" in kinds and experiment.role not in ("slides", "post"):
        yield _target(
            experiment,
            "cases",
            {"schedules": schedules(name)},
            "Two heat maps, cases by features: importance and feature probability.",
        )
    plain = [case_name for case_name, case in experiment.cases.items() if is_plain(case)]
    if experiment.n_hidden == 2:
        if "planes" in kinds and experiment.role != "slides" and len(plain) == len(experiment.cases):
            yield _target(
                experiment,
                "all_cases",
                planes_of(config, experiment),
                "A grid of planes, cases by seeds, with the feature directions and the number represented.",
            )
    # Slides show bars of the cases that they have in common with the post's experiment.
    elif "bars" in kinds and not (experiment.role == "post" and config.experiment_of_role("slides")):
        for case_name in plain:
            yield feature_bars(experiment, case_name, f"{name}_{case_name}_bars")


def planes_of(config: Config, experiment: Experiment) -> dict[str, str]:
    """Tables that the planes of all cases need."""
    name = experiment.name
    solved = (
        {"solutions": experiment_table(name, "solutions")}
        if experiment in compared_experiments(config)
        else {}
    )
    return {"features": experiment_table(name, "features"), "schedules": schedules(name), **solved}


def _counts_and_losses(config: Config, experiment: Experiment) -> Iterator[FigureTarget]:
    name, kinds = experiment.name, experiment.figures
    if "counts" in kinds:
        yield _target(
            experiment,
            "represented_counts",
            {f"models.{name}": experiment_table(name, "models"), f"schedules.{name}": schedules(name)},
            "For each case, the share of seeds by number of represented features.",
        )
    is_compared = experiment.n_features <= LARGEST_SOLVED and experiment.role != "known_answers"
    if "losses" in kinds and is_compared and experiment in compared_experiments(config):
        yield _target(
            experiment,
            "excess_losses",
            {f"{table}.{name}": experiment_table(name, table) for table in ("losses", "solutions")},
            "For each case, the excess losses of all toy models over the best solution, the share that keeps "
            "the best's features, and numbers of represented features with the best's number framed.",
            {"titles": {name: experiment.title}},
        )


def _target(
    experiment: Experiment,
    module: str,
    inputs: dict[str, str],
    alt: str,
    options: dict[str, object] | None = None,
) -> FigureTarget:
    name = experiment.name
    labels = {"experiment": name, "title": experiment.title}
    return FigureTarget(
        f"{name}_{module}",
        module,
        inputs,
        OTHERS,
        alt,
        options or {},
        labels,
        named_after=f"experiments.{name}",
    )


def feature_bars(experiment: Experiment, case_name: str, name: str) -> FigureTarget:
    """Feature norms of one case as bars."""
    case = experiment.cases[case_name]
    return FigureTarget(
        name,
        "bars",
        {"features": case_table(experiment.name, case_name, "features")},
        "Case by case" if experiment.role == "post" else OTHERS,
        f"Bars of feature norms in {case_name}, coloured by superposition, and heat maps of WᵀW.",
        {"title": case.title},
        {"case": case_name, "title": case.title, "experiment": experiment.name},
        named_after=f"experiments.{experiment.name}.cases.{case_name}",
    )
