"""Which figures a configuration asks for: what each draws, from which files, and in which section.

The Snakefile makes its targets from this list and the report its sections; a new figure is a module beside
this one, a caption in workflow/report/captions, and an entry here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from superposition_atlas.config import Case, Config, Experiment, Map
from superposition_atlas.maps.cases import cases_at
from superposition_atlas.maps.comparison import search_of
from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.storage.layout import (
    MATCHING,
    PAIR_TABLES,
    attention_table,
    case_table,
    claims,
    experiment_table,
    map_table,
    norm_table,
    pair_table,
    playground_table,
    schedules,
)
from superposition_atlas.theory.limits import LARGEST_SOLVED
from superposition_atlas.toy_model import xavier_scale


@dataclass(frozen=True)
class FigureTarget:
    """One figure: `results/figures/{name}.svg` and `.png`."""

    name: str
    module: str
    """Module of `superposition_atlas.figures`, and of its caption in workflow/report/captions."""
    inputs: dict[str, str]
    """Path by role; passed to the module's `draw`."""
    category: str
    """Section of the reports."""
    alt: str
    """Alternative text, for readers who can't see the picture."""
    options: dict[str, Any] = field(default_factory=dict)
    """Passed to the module's `draw` by name; what is named by the configuration stands in mappings."""
    labels: dict[str, str] = field(default_factory=dict)
    """Labels that distinguish the figure from others of its module, for captions and Snakemake's report."""
    moves: bool = False
    """Whether a GIF is written beside the figure, which is its last frame."""
    named_after: str = ""
    """Key of the configuration that its name is made of; empty where it is always the same."""


def answers(config: Config) -> bool:
    """Whether there is an atlas to judge the talk's observations by, and toy models of the talk."""
    described = atlas(config)
    tested = any(experiment.claims for experiment in config.experiments.values())
    return tested and described is not None and described.points["kind"] == "grid"


def beside_the_published_norms(config: Config) -> list[Experiment]:
    """The experiment at the post's size, and what is tested like it: other families of schedules."""
    post = config.experiment_of_role("post")
    if post is None:
        return []
    size = (post.n_features, post.n_hidden)
    tested = [experiment for experiment in config.experiments.values() if experiment.claims]
    return [post, *(each for each in tested if each is not post and (each.n_features, each.n_hidden) == size)]


def solved_maps(config: Config, kind: str) -> list[str]:
    """Names of the maps of a kind of points whose best solutions are sought."""
    return [
        name
        for name, described in config.maps.items()
        if described.points["kind"] == kind and described.n_features <= LARGEST_SOLVED
    ]


OBSERVED_ROLES = ("aligned", "reversed", "equal")
"""Roles of cases that observations speak of: where none is configured, there is none to draw."""

PUBLISHED_NORMS = "workflow/src/superposition_atlas/maps/published_frobenius_norms.csv"
"""In the checkout, as rules name it; it is a file of the package."""
NORMS = "Published against reproduced"


def figures(config: Config) -> list[FigureTarget]:
    """All figures of a configuration, in the order of the report."""
    return [
        *_pivot_tables(config),
        *_playground(config),
        *_talk(config),
        *_beyond_the_talk(config),
        *_theory(config),
        *_atlas(config),
    ]


def atlas(config: Config) -> Map | None:
    """The map that the atlas's figures draw: one of mean density and steepness, trained and solved."""
    described = config.map_of_role("observations")
    if described is None or not described.seeds or described.n_features > LARGEST_SOLVED:
        return None
    has_best = search_of(next(iter(described.variants.values())).as_dict())
    return described if has_best and {"mean_density", "steepness"} <= set(described.points) else None


_MOST_DATA_SETS = 12  # that fit on a page


def _playground(config: Config) -> Iterator[FigureTarget]:
    networks = list(config.playground.values())
    if not networks:
        return
    drawn = next((own for own in networks if own.settings.data_set == "spiral"), networks[0])
    yield FigureTarget(
        "slide04_playground",
        "playground",
        {table: playground_table(table) for table in ("units", "weights", "points", "curves", "runs")},
        "Setup",
        "A small network: on the left input features and hidden neurons as small pictures of their "
        "responses, lines for weights between them, on the right losses and the decision surface with data.",
        {"network": drawn.name, "title": drawn.title},
        {"network": drawn.name, "title": drawn.title},
    )
    for start in range(0, len(networks), _MOST_DATA_SETS):
        part = networks[start : start + _MOST_DATA_SETS]
        yield FigureTarget(
            "slide04_data_sets" + (f"_{start // _MOST_DATA_SETS + 1}" if start else ""),
            "playground_data_sets",
            {table: playground_table(table) for table in ("runs", "units", "points")},
            "Setup",
            "For each data set, the decision surface of one network with the data, and below it the test "
            "errors of all seeds.",
            {"titles": {own.name: own.title for own in part}},
        )


def _talk(config: Config) -> Iterator[FigureTarget]:
    experiments = config.experiments
    controls = config.experiment_of_role("known_answers")
    motivating = [case for case in controls.cases.values() if case.slide == 5] if controls else []
    if controls and motivating:
        yield FigureTarget(
            "slide05_motivation",
            "motivation",
            {
                f"{table}.{case.name}": case_table(controls.name, case.name, table)
                for case in motivating
                for table in ("features", "models")
            },
            "Setup",
            "Three planes with the feature directions of a toy model each: at 0 % sparsity two orthogonal "
            "features, with growing sparsity more features, in antipodal pairs and then a pentagon.",
        )
    sae_setting = _sae_setting(config)
    if sae_setting:
        experiment, case, sae = sae_setting
        yield FigureTarget(
            "slide06_polysemanticity",
            "polysemanticity",
            {table: experiment_table(experiment, table) for table in ("features", "polysemanticity")},
            "Setup",
            "Matrices of responses: a toy model's neurons answer to several features each, the latents of "
            "its SAE to one or few; below, the numbers of features to which units of all toy models answer.",
            {"case": case, "sae": sae},
            {"experiment": experiment, "sae": sae},
        )
    talk = config.experiment_of_role("slides")
    densities = talk.cases_of_role("densities") if talk else []
    if talk and densities:
        yield FigureTarget(
            "slide07_uniform",
            "uniform",
            {"features": case_table(talk.name, densities[0].name, "features")},
            "Uniform sparsity",
            "Eight toy models with growing sparsity: feature directions in the plane above, below them "
            "feature norms as bars, coloured by superposition.",
        )
    if sae_setting:
        experiment, case, sae = sae_setting
        yield FigureTarget(
            "slide09_sae_setup",
            "sae_setup",
            {
                "features": case_table(experiment, case, "features"),
                "latents": case_table(experiment, case, "latents"),
            },
            "Sparse autoencoders",
            "Diagram: features enter the toy model, its hidden dimensions enter the SAE, whose latents "
            "reconstruct them.",
            {"sae": sae},
            {"experiment": experiment, "sae": sae},
        )
        if experiments[experiment].saes[sae].record_steps:
            yield FigureTarget(
                "slide10_sae_training",
                "sae_training",
                {table: case_table(experiment, case, table) for table in ("features", "latents", "history")},
                "Sparse autoencoders",
                "Rows of planes, one a training step: the SAE's decoder directions turn towards the feature "
                "directions of the toy model.",
                {"sae": sae},
                {"experiment": experiment, "sae": sae},
            )
        moving = _recorded_with_resampling(experiments[experiment])
        if moving:
            yield FigureTarget(
                "slide10_sae_animation",
                "sae_animation",
                {table: case_table(experiment, case, table) for table in ("features", "history")},
                "Sparse autoencoders",
                "Planes with feature directions and an SAE's decoder and encoder directions, at the last "
                "step of its training, above a timeline with the steps of resampling.",
                {"sae": moving},
                {"experiment": experiment, "sae": moving},
                moves=True,
            )
    for compared in experiments.values():
        if compared.n_hidden == 2 and any(
            sae.settings["architecture"] != "relu" for sae in compared.saes.values()
        ):
            yield FigureTarget(
                f"{compared.name}_frames",
                "sae_frames",
                {table: experiment_table(compared.name, table) for table in ("features", "latents", "saes")},
                "Sparse autoencoders",
                "A grid of planes, cases by SAE architectures, with feature, decoder and encoder directions.",
                {},
                {"experiment": compared.name, "title": compared.title},
                named_after=f"experiments.{compared.name}",
            )
    if talk:
        yield FigureTarget(
            "slide11_cases",
            "cases",
            {"schedules": schedules(talk.name)},
            "The cases",
            "Two heat maps, cases by features: importance and feature probability.",
        )
        yield FigureTarget(
            "slide12_all_cases",
            "all_cases",
            {"features": experiment_table(talk.name, "features"), "schedules": schedules(talk.name)},
            "The cases",
            "A grid of planes, cases by seeds, with the feature directions and the number represented.",
        )
        post = config.experiment_of_role("post")
        for name, described in talk.cases.items():
            if described.role == "densities":
                continue
            plane, bars = (
                f"slide{described.slide + next_one:02d}_" if described.slide else "" for next_one in (0, 1)
            )
            labels = {"case": name, "title": described.title}
            if talk.n_hidden == 2:
                yield FigureTarget(
                    f"{plane}{name}_plane",
                    "plane",
                    {"features": case_table(talk.name, name, "features")},
                    "Case by case",
                    f"Planes with the feature directions of {name}, one a seed.",
                    {"title": described.title},
                    labels,
                    named_after=f"experiments.{talk.name}.cases.{name}",
                )
            if post and name in post.cases:
                yield _bars(post, name, f"{bars}{name}_bars")


def _pivot_tables(config: Config) -> Iterator[FigureTarget]:
    """Tables of the first setting, and what rare features lose where features are not equally frequent."""
    if not config.attention:
        return
    first = next(iter(config.attention.values()))
    yield FigureTarget(
        "slide03_pivot_tables",
        "pivot_tables",
        {table: attention_table(table) for table in ("cells", "outputs", "rules")},
        "Attention",
        "Tables of query features by key features from the true directions and from an SAE's decoder: mean "
        "attention, score contribution, output effect, and path; below, their cells against one another.",
        {"setting": first.name},
        {"setting": first.name, "title": first.title},
    )
    level = [own.name for own in config.attention.values() if len(set(own.probability)) == 1]
    for setting in config.attention.values():
        if setting.name not in level:
            yield FigureTarget(
                f"attention_{setting.name}_features",
                "attention_rare",
                {"rules": attention_table("rules")},
                "Attention",
                "By feature probability: the share of features that are represented and recovered, the share "
                "of the rule's rows that are read off, and the attention to planted keys.",
                {"setting": setting.name, **({"control": level[0]} if level else {})},
                {"setting": setting.name, "title": setting.title, "control": level[0] if level else ""},
                named_after=f"attention.{setting.name}",
            )


def _beyond_the_talk(config: Config) -> Iterator[FigureTarget]:
    tested = [experiment for experiment in config.experiments.values() if experiment.claims]
    for experiment in beside_the_published_norms(config):
        yield FigureTarget(
            f"{experiment.name}_frobenius_norms",
            "frobenius_norms",
            {"models": experiment_table(experiment.name, "models"), "published": PUBLISHED_NORMS},
            NORMS,
            "Frobenius norms of the trained models by case, with the published maximum of each as a mark.",
            {},
            {"experiment": experiment.name, "title": experiment.title},
            named_after=f"experiments.{experiment.name}",
        )
    yield from _norms_over_schedules(config)
    if tested:
        yield FigureTarget(
            "represented_counts",
            "represented_counts",
            {
                f"{role}.{experiment.name}": path
                for experiment in tested
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
            "For each observation, case and family, the share of seeds in which it holds, with its interval.",
        )
        yield FigureTarget(
            "thresholds",
            "thresholds",
            {"claims": claims()},
            "The observations",
            "How the share of seeds in which an observation holds moves with its criterion's thresholds.",
        )
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
    with_saes = [experiment for experiment in config.experiments.values() if experiment.saes]
    resampled = [experiment for experiment in with_saes if not experiment.compares_architectures]
    if resampled:
        yield FigureTarget(
            "sae_recovery",
            "sae_recovery",
            {
                f"{role}.{experiment.name}": path
                for experiment in resampled
                for role, path in (
                    ("saes", experiment_table(experiment.name, "saes")),
                    ("schedules", schedules(experiment.name)),
                )
            },
            "Sparse autoencoders",
            "For each case, how many represented features the SAEs recover, by resampling scheme.",
        )
    for experiment in with_saes:
        if experiment.compares_architectures:
            yield from _sae_comparison(experiment)
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
                yield _bars(experiment, case_name, f"{experiment.name}_{case_name}_bars")


def _norms_over_schedules(config: Config) -> Iterator[FigureTarget]:
    """Which schedules have the norms that the post published, where maps are compared with them."""
    if not config.norm_maps:
        return
    first = config.norm_maps[0]
    variant = next(iter(first.variants))
    labels = {"size": f"{first.n_features} features in {first.n_hidden} dimensions"}
    norms, of_schedules = {"norms": norm_table("points")}, {"norm_schedules": norm_table("schedules")}
    yield FigureTarget(
        "frobenius_norms_map",
        "frobenius_norms_map",
        of_schedules,
        NORMS,
        "For each family and importance, a map over the ends of the schedule: how far its norms are from the "
        "published ones, and how many of them lie within the spread of seeds.",
        {"variant": variant},
        labels,
    )
    yield FigureTarget(
        "frobenius_norms_band",
        "frobenius_norms_band",
        norms | of_schedules,
        NORMS,
        "For each case the norms of all schedules beside the published one, and those of uniform sparsity of "
        "the same mean densities.",
        {"variant": variant},
        labels,
    )


def _atlas(config: Config) -> Iterator[FigureTarget]:
    described = atlas(config)
    if described is None:
        return
    drawn = {
        "variant": next(iter(described.variants)),
        "cases": cases_at(described, config.experiments.values()),
    }
    panels = "Small maps of mean density over steepness, a column for each importance and order"
    for module, shown, sizes in (
        (
            "atlas_represented",
            "the number of represented features in trained toy models, in best solutions, as predicted",
            {"n_features": described.n_features},
        ),
        (
            "atlas_dedicated",
            "the number of dedicated features in trained toy models and in best solutions",
            {"n_hidden": described.n_hidden},
        ),
        (
            "atlas_gap",
            "the share of seeds that keep the best solution's features, their median and least excess loss",
            {},
        ),
        (
            "atlas_observations",
            "the share of seeds in which each observation holds, and whether it holds of the best solution",
            {},
        ),
    ):
        yield FigureTarget(
            module,
            module,
            {"points": map_table(described.name, "points")},
            "Atlas",
            f"{panels}: {shown}.",
            {**drawn, **sizes},
            {"title": described.title},
        )


def _sae_comparison(experiment: Experiment) -> Iterator[FigureTarget]:
    """Figures of experiments that compare architectures, or levels of λ or k."""
    settings = [sae.settings for sae in experiment.saes.values()]
    has_levels = any(
        len(of_sae["sparsity_coefficient"]) * len(of_sae["k"]) > 1
        for of_sae in settings
        if by_name(of_sae["architecture"]).level is not None
    )
    category, labels = "Sparse autoencoders", {"experiment": experiment.name, "title": experiment.title}
    schedule = {"schedules": schedules(experiment.name)}
    saes = {"saes": experiment_table(experiment.name, "saes"), **schedule}
    yield FigureTarget(
        f"{experiment.name}_sae_pareto",
        "sae_pareto",
        saes,
        category,
        "For each case, fraction of variance unexplained and recall of represented features against L0, a "
        "line an SAE architecture through its levels, baselines in grey.",
        {},
        labels,
        named_after=f"experiments.{experiment.name}",
    )
    if has_levels:
        yield FigureTarget(
            f"{experiment.name}_sae_levels",
            "sae_levels",
            saes,
            category,
            "For each case, recall, mean maximal cosine and share of dead latents against λ and against k, a "
            "line an SAE architecture.",
            {},
            labels,
            named_after=f"experiments.{experiment.name}",
        )
    yield FigureTarget(
        f"{experiment.name}_sae_by_feature",
        "sae_by_feature",
        {"recovered": experiment_table(experiment.name, "recovered"), **schedule},
        category,
        "Share of represented features that each SAE architecture recovers, by feature probability, "
        "importance, dimensionality and case, with intervals and the number of features in each bin.",
        {},
        labels,
        named_after=f"experiments.{experiment.name}",
    )


def _bars(experiment: Experiment, case_name: str, name: str) -> FigureTarget:
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


THEORY = "Theory"
"""Category of the figures that set theory, best solutions and training side by side."""


def matched_cases(experiment: Experiment) -> list[Case]:
    """Cases whose toy models are compared with the matching: its costs hold for a trained bias and ReLUs."""
    return [case for case in experiment.cases.values() if search_of(case.training.as_dict()) == "trained"]


def compared_experiments(config: Config) -> list[Experiment]:
    """Experiments whose toy models are compared with the best solutions for their schedules."""
    return [
        experiment
        for experiment in config.experiments.values()
        if (experiment.claims or experiment.role == "known_answers")
        and experiment.n_features <= LARGEST_SOLVED
    ]


_MATCHED_ROLES = ("aligned", "matched", "random", "reversed", "equal")
"""Rows of the figure of the matching, a case each."""


def _matching(config: Config) -> Iterator[FigureTarget]:
    """The matching beside toy models, for the post's experiment and those like it."""
    for experiment in beside_the_published_norms(config):
        matched = matched_cases(experiment)
        described = []
        for role in _MATCHED_ROLES:
            cases = [case for case in matched if case.role == role]
            # Of equal importance the published one, whose densities fall, rather than its permutations.
            cases.sort(key=lambda case: role == "equal" and bool((np.diff(case.probability[0]) > 0).any()))
            described += [{"name": case.name, "title": case.title, "role": role} for case in cases[:1]]
        if described:
            yield FigureTarget(
                f"{experiment.name}_answer_matching",
                "answer_matching",
                {"matching": experiment_table(experiment.name, MATCHING), "published": PUBLISHED_NORMS},
                THEORY,
                "A case a row, features along it: a strip of what the matching says, alone, shared, absent; "
                "below it bars of the shares of trained toy models, and lines of probability and importance.",
                {"cases": described},
                {"experiment": experiment.name, "title": experiment.title},
                named_after=f"experiments.{experiment.name}",
            )


def _theory(config: Config) -> Iterator[FigureTarget]:
    yield from _matching(config)
    yield FigureTarget(
        "pair_phases",
        "pair_phases",
        {table: pair_table(table) for table in PAIR_TABLES},
        THEORY,
        "Squares over the probabilities of two features, a ratio of importances each: regions in which the "
        "first, the second or both are represented, the matching's lines between them, toy models as marks.",
    )
    for name in solved_maps(config, "random"):
        labels = {"map": name, "title": config.maps[name].title}
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
            "Planes with the feature directions of best solutions that the full rule misses, with "
            "importance, density, norm and bias of each feature below.",
            {},
            labels,
            named_after=f"maps.{name}",
        )
    for name in solved_maps(config, "perturbation"):
        described = config.maps[name]
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
    for name in solved_maps(config, "grid"):
        if config.maps[name].seeds:
            yield from _variants(config.maps[name])
    compared = compared_experiments(config)
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


_BIAS_TITLES = {"trained": "bias trained", "zero": "bias held at 0", "mean": "bias held at p/2"}


def _variants(described: Map) -> Iterator[FigureTarget]:
    """Figures of a map that is trained in several ways."""
    labels = {"map": described.name, "title": described.title}
    paths = {table: map_table(described.name, table) for table in ("points", "features")}
    biases = {
        name: _BIAS_TITLES[own.bias] + (", inputs centred" if own.centred_inputs else "")
        for name, own in described.variants.items()
        if isinstance(own.bias, str)
    }
    if len(set(biases.values())) > 1:
        yield FigureTarget(
            f"{described.name}_features",
            "bias",
            paths,
            THEORY,
            "For each schedule and treatment of the bias, features by density: the share of seeds that "
            "represent each, and its norm and bias over seeds and in the best solution.",
            {"titles": biases},
            labels,
            named_after=f"maps.{described.name}",
        )
    for setting, values in _training_series(described).items():
        yield FigureTarget(
            f"{described.name}_by_{setting}",
            "training_against_best",
            paths,
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


def _sae_setting(config: Config) -> tuple[str, str, str] | None:
    """Experiment of the role `sae_slides`, else the first one with SAEs; its first case and last SAE."""
    candidates = [experiment for experiment in config.experiments.values() if experiment.saes]
    candidates.sort(key=lambda experiment: experiment.role != "sae_slides")
    for experiment in candidates:
        return experiment.name, next(iter(experiment.cases)), list(experiment.saes)[-1]
    return None


def _recorded_with_resampling(experiment: Experiment) -> str | None:
    """The most often recorded SAE in two dimensions whose dead latents are resampled."""
    if experiment.n_hidden != 2:
        return None
    recorded = {
        name: len(sae.record_steps)
        for name, sae in experiment.saes.items()
        if sae.settings["resampling"] != "none" and len(sae.record_steps) > 1
    }
    return max(recorded, key=lambda name: recorded[name]) if recorded else None
