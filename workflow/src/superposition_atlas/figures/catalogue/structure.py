"""Features that depend on one another: pairs, sets of correlated features, hierarchies."""

from collections.abc import Iterator

from superposition_atlas.config import Config, Experiment
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.storage.layout import experiment_table, schedules

DEPENDENT = "Features that depend on one another"
"""Category of these figures."""


def dependent_features(config: Config) -> Iterator[FigureTarget]:
    """The figures of each experiment of a section of `structure.pdf`."""
    for experiment in config.experiments.values():
        if experiment.section == "pairs" and experiment.n_hidden == 2:
            yield _target(
                experiment,
                "pair_planes",
                ("pairs", "features"),
                "Planes with feature directions of two toy models a probability; below, shares of toy models "
                "whose pairs are orthogonal, side by side or antipodal, with intervals.",
            )
        if experiment.section == "correlated_sets":
            recorded = any(case.training.record_steps for case in experiment.cases.values())
            if recorded:
                yield _target(
                    experiment,
                    "set_learning",
                    ("sets",),
                    "For each case, shares of toy models by the arrangement of their sets, and losses, by "
                    "training step.",
                )
            else:
                yield _target(
                    experiment,
                    "set_cosines",
                    ("sets", "features"),
                    "Heat maps of products of feature directions, a case each; below, mean absolute cosines "
                    "within a set and across sets for every case and probability.",
                )
        if experiment.section == "hierarchy" and experiment.saes:
            yield _target(
                experiment,
                "children",
                ("children",),
                "For each SAE, four measures of what it makes of children and parents, with intervals, where "
                "features form trees and where they are independent.",
            )


def _target(experiment: Experiment, module: str, tables: tuple[str, ...], alt: str) -> FigureTarget:
    name = experiment.name
    shared = {} if module == "pair_planes" else {"schedules": schedules(name)}
    return FigureTarget(
        f"{name}_{module}",
        module,
        {table: experiment_table(name, table) for table in tables} | shared,
        DEPENDENT,
        alt,
        {},
        {"experiment": name, "title": experiment.title},
        named_after=f"experiments.{name}",
    )
