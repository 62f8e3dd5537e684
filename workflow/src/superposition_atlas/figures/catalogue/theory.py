"""Theory, best solutions and training side by side."""

from collections.abc import Iterator

import numpy as np

from superposition_atlas.config import Case, Config, Experiment, Map
from superposition_atlas.figures.catalogue.experiments import OTHERS
from superposition_atlas.figures.catalogue.figure_target import FigureTarget
from superposition_atlas.figures.catalogue.norms import PUBLISHED_NORMS
from superposition_atlas.figures.catalogue.subjects import (
    beside_the_published_norms,
    compared_experiments,
    drawn_maps,
    matched_cases,
    with_figures,
)
from superposition_atlas.storage import layout
from superposition_atlas.storage.layout import MATCHING, PAIR_TABLES, experiment_table, map_table
from superposition_atlas.theory.limits import LARGEST_SOLVED
from superposition_atlas.toy_model import xavier_scale

THEORY = "Theory"
"""Category of the figures that set theory, best solutions and training side by side."""
_MATCHED_ROLES = ("aligned", "matched", "random", "reversed", "equal")
"""Rows of the figure of the matching, a case each."""
_BIAS_TITLES = {
    "trained": "bias trained",
    "zero": "bias held at 0",
    "mean": "bias held at p/2",
    "densest_zero": "the densest's held at 0",
}


def theory_and_training(config: Config) -> Iterator[FigureTarget]:
    """The matching, phases of pairs, predictions, crossings, and what training loses to the best solution."""
    yield from _matching(config)
    yield FigureTarget(
        "pair_phases",
        "pair_phases",
        {table: layout.pair_table(table) for table in PAIR_TABLES},
        THEORY,
        "Squares over the probabilities of two features, a ratio of importances each: regions in which the "
        "first, the second or both are represented, the matching's lines between them, toy models as marks.",
    )
    for described in drawn_maps(config, "random", "predictions"):
        name, labels = described.name, {"map": described.name, "title": described.title}
        predictions = {"predictions": map_table(name, "predictions")}
        yield FigureTarget(
            f"{name}_predictor",
            "predictor",
            predictions,
            THEORY,
            "Tables of predicted against best numbers of represented features for two rules, their agreement "
            "by family and by margin, and the schedules at which they are wrong over density and steepness.",
            {},
            labels,
            named_after=f"maps.{name}",
        )
        yield FigureTarget(
            f"{name}_predictor_failures",
            "predictor_failures",
            predictions,
            THEORY,
            "Planes with the feature directions of best solutions that the full predictor misses, with "
            "importance, density, norm and bias of each feature below.",
            {},
            labels,
            named_after=f"maps.{name}",
        )
    for described in drawn_maps(config, "perturbation", "branches"):
        name = described.name
        if described.seeds:
            yield FigureTarget(
                f"{name}_branches",
                "perturbation",
                {
                    "branches": map_table(name, "branches"),
                    "crossings": map_table(name, "crossings"),
                    "models": map_table(name, "branch_models"),
                },
                THEORY,
                "Losses of competing structures as lines over one feature's density, toy models as marks, "
                "crossings as circles; below, the share of seeds in each structure.",
                {"density": described.points["density"], "variant": described.main_variant},
                {"map": name, "title": described.title},
                named_after=f"maps.{name}",
            )
    for described in drawn_maps(config, "grid", "bias"):
        if described.seeds:
            yield from _biases(described)
    for described in drawn_maps(config, "grid", "training"):
        if described.seeds:
            yield from _training(described)
    compared = [
        experiment
        for experiment in with_figures(compared_experiments(config), "losses")
        if experiment.claims or experiment.role == "known_answers"
    ]
    if compared:
        yield FigureTarget(
            "excess_losses",
            "excess_losses",
            {
                f"{table}.{experiment.name}": experiment_table(experiment.name, table)
                for experiment in compared
                for table in ("losses", "solutions")
            },
            THEORY,
            "For each case, the excess losses of all toy models over the best solution, the share that keeps "
            "the best's features, and numbers of represented features with the best's number framed.",
            {"titles": {experiment.name: experiment.title for experiment in compared}},
        )


def _matching(config: Config) -> Iterator[FigureTarget]:
    """The matching beside toy models, for experiments of the post's size and others that are large."""
    published = beside_the_published_norms(config)
    large = [
        each
        for each in config.experiments.values()
        if each not in published and each.n_features > LARGEST_SOLVED and (not each.claims or not published)
    ]
    for experiment in with_figures([*published, *large], "matching"):
        cases = [{"name": case.name, "title": case.title} for case in _matched_rows(experiment)]
        if cases:
            yield FigureTarget(
                f"{experiment.name}_answer_matching",
                "answer_matching",
                {"matching": experiment_table(experiment.name, MATCHING)}
                | ({"published": PUBLISHED_NORMS} if experiment in published else {}),
                THEORY if experiment in published else OTHERS,
                "A case a row, features along it: a strip of what the matching says, alone, shared, absent; "
                "below it bars of the shares of trained toy models, and lines of probability and importance.",
                {"cases": cases},
                {"experiment": experiment.name, "title": experiment.title},
                named_after=f"experiments.{experiment.name}",
            )


def _matched_rows(experiment: Experiment) -> list[Case]:
    """A case of each role; of an experiment without roles, its first cases."""
    matched = matched_cases(experiment)
    rows = []
    for role in _MATCHED_ROLES:
        cases = [case for case in matched if case.role == role]
        # Of equal importance the published one, whose densities fall, rather than its permutations.
        cases.sort(key=lambda case: role == "equal" and bool((np.diff(case.probability[0]) > 0).any()))
        rows += cases[:1]
    return rows or matched[: len(_MATCHED_ROLES)]


def _variant_tables(described: Map) -> dict[str, str]:
    return {table: map_table(described.name, table) for table in ("points", "features")}


def _biases(described: Map) -> Iterator[FigureTarget]:
    """Treatments of the bias side by side."""
    biases = {
        name: _BIAS_TITLES[own.bias] + (", inputs centred" if own.centred_inputs else "")
        for name, own in described.variants.items()
        if isinstance(own.bias, str)
    }
    if len(set(biases.values())) > 1:
        yield FigureTarget(
            f"{described.name}_features",
            "bias",
            _variant_tables(described),
            THEORY,
            "For each schedule and treatment of the bias, features by density: the share of seeds that "
            "represent each, and its norm and bias over seeds and in the best solution.",
            {"titles": biases},
            {"map": described.name, "title": described.title},
            named_after=f"maps.{described.name}",
        )


def _training(described: Map) -> Iterator[FigureTarget]:
    """What training finds against a setting in which variants differ."""
    labels = {"map": described.name, "title": described.title}
    for setting, values in _training_series(described).items():
        yield FigureTarget(
            f"{described.name}_by_{setting}",
            "training_against_best",
            _variant_tables(described),
            THEORY,
            "For each schedule, lines over a setting of training: the share of seeds that keep the best's "
            "features, the mean number of represented features, and median and least excess loss.",
            {"against": setting, "values": values},
            {**labels, "setting": {"steps": "training steps", "init_scale": "initial scale"}[setting]},
            named_after=f"maps.{described.name}",
        )


def _training_series(described: Map) -> dict[str, dict[str, float]]:
    """Settings that several variants differ in alone, and their values by variant: the longest series."""
    found = {}
    for setting in ("steps", "init_scale"):
        series: dict[tuple[object, ...], dict[str, float]] = {}
        for name, own in described.variants.items():
            value = getattr(own, setting)
            if value == "xavier":
                value = xavier_scale(described.n_features, described.n_hidden)
            if isinstance(value, str) or value <= 0:
                continue
            others = tuple((key, repr(rest)) for key, rest in own.as_dict().items() if key != setting)
            series.setdefault(others, {})[name] = float(value)
        longest = max(series.values(), key=len, default={})
        if len(longest) > 1:
            found[setting] = longest
    return found
