"""What the talk says, as shares of seeds."""

from collections.abc import Iterator

from superposition_atlas.config import Config
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.figures.catalogue.subjects import with_figures
from superposition_atlas.storage.layout import case_table, claims, experiment_table, schedules

OBSERVED_ROLES = ("aligned", "reversed", "equal")
"""Roles of cases that observations speak of: where none is configured, there is none to draw."""


def observations(config: Config) -> Iterator[FigureTarget]:
    """Numbers of represented features, and how many toy models show each observation."""
    tested = [experiment for experiment in config.experiments.values() if experiment.claims]
    counted = with_figures(tested, "counts")
    if counted:
        yield FigureTarget(
            "represented_counts",
            "represented_counts",
            {
                f"{role}.{experiment.name}": path
                for experiment in counted
                for role, path in (
                    ("models", experiment_table(experiment.name, "models")),
                    ("schedules", schedules(experiment.name)),
                )
            },
            "The observations",
            "For each case and schedule family, the share of seeds by number of represented features.",
        )
    if any(experiment.cases_of_role(*OBSERVED_ROLES) for experiment in tested):
        yield FigureTarget(
            "observations",
            "observations",
            {"claims": claims()},
            "The observations",
            "For each observation and schedule, the share of toy models that show it, with its interval.",
        )
        yield FigureTarget(
            "thresholds",
            "thresholds",
            {"claims": claims()},
            "The observations",
            "How the share of toy models that show an observation moves with its criterion's thresholds.",
        )


def initial_scale(config: Config) -> Iterator[FigureTarget]:
    """How many seeds find the pentagon, by initial scale and learning rate."""
    controls = config.experiment_of_role("known_answers")
    pentagons = controls.cases_of_role("pentagon") if controls else []
    if controls and pentagons:
        yield FigureTarget(
            "initial_scale",
            "initial_scale",
            {case.name: case_table(controls.name, case.name, "features") for case in pentagons},
            "Uniform sparsity",
            "Shares of seeds with four and five represented features, by initial scale and learning rate.",
            {"titles": {case.name: case.title for case in pentagons}},
        )
