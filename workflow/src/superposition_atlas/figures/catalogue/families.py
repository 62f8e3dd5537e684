"""Figures of experiments beside the talk: other families of schedules and other sizes."""

from collections.abc import Iterator

from superposition_atlas.config import Config, Experiment
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.storage.layout import case_table, experiment_table, schedules


def other_families(config: Config) -> Iterator[FigureTarget]:
    """Schedules, planes and bars of experiments that the observations are tested on beside the talk."""
    tested = [experiment for experiment in config.experiments.values() if experiment.claims]
    for experiment in tested:
        if experiment.role in ("slides", "post"):
            continue
        labels = {"experiment": experiment.name, "title": experiment.title}
        yield FigureTarget(
            f"{experiment.name}_cases",
            "cases",
            {"schedules": schedules(experiment.name)},
            "Other families and sizes",
            "Two heat maps, cases by features: importance and feature probability.",
            {},
            labels,
            named_after=f"experiments.{experiment.name}",
        )
        if experiment.n_hidden == 2:
            yield FigureTarget(
                f"{experiment.name}_all_cases",
                "all_cases",
                {
                    "features": experiment_table(experiment.name, "features"),
                    "schedules": schedules(experiment.name),
                },
                "Other families and sizes",
                "A grid of planes, cases by seeds, with the feature directions and the number represented.",
                {},
                labels,
                named_after=f"experiments.{experiment.name}",
            )
        else:
            for case_name in experiment.cases:
                yield feature_bars(experiment, case_name, f"{experiment.name}_{case_name}_bars")


def feature_bars(experiment: Experiment, case_name: str, name: str) -> FigureTarget:
    """Feature norms of one case as bars."""
    case = experiment.cases[case_name]
    return FigureTarget(
        name,
        "bars",
        {"features": case_table(experiment.name, case_name, "features")},
        "Case by case" if experiment.role == "post" else "Other families and sizes",
        f"Bars of feature norms in {case_name}, coloured by superposition, and heat maps of WᵀW.",
        {"title": case.title},
        {"case": case_name, "title": case.title, "experiment": experiment.name},
        named_after=f"experiments.{experiment.name}.cases.{case_name}",
    )
