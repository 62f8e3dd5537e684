"""What figures are about: the experiments, cases and maps of a configuration that they draw."""

from superposition_atlas.config import Case, Config, Experiment, Map
from superposition_atlas.covered_models import PLAIN, other_setting
from superposition_atlas.maps.comparison import search_of
from superposition_atlas.theory.limits import LARGEST_SOLVED


def answers(config: Config) -> bool:
    """Whether there is an atlas to judge the talk's observations by, and toy models of the talk."""
    described = atlas(config)
    tested = any(experiment.claims for experiment in config.experiments.values())
    return tested and described is not None and described.points["kind"] == "grid"


def atlas(config: Config) -> Map | None:
    """The map that the atlas's figures draw: one of mean density and steepness, trained and solved."""
    described = config.map_of_role("observations")
    if described is None or not described.seeds or described.n_features > LARGEST_SOLVED:
        return None
    has_best = search_of(next(iter(described.variants.values())).as_dict())
    return described if has_best and {"mean_density", "steepness"} <= set(described.points) else None


def beside_the_published_norms(config: Config) -> list[Experiment]:
    """The experiment at the post's size, and what is tested like it: other families of schedules."""
    post = config.experiment_of_role("post")
    if post is None:
        return []
    size = (post.n_features, post.n_hidden)
    tested = [experiment for experiment in config.experiments.values() if experiment.claims]
    return [post, *(each for each in tested if each is not post and (each.n_features, each.n_hidden) == size)]


def with_figures(experiments: list[Experiment], kind: str) -> list[Experiment]:
    """The experiments whose key `figures` includes a kind."""
    return [experiment for experiment in experiments if kind in experiment.figures]


def is_plain(case: Case) -> bool:
    """Whether its toy models reconstruct their inputs by Wᵀ W, which the geometry of W's columns is about."""
    return not other_setting(case.training, PLAIN)


def matched_cases(experiment: Experiment) -> list[Case]:
    """Cases whose toy models are compared with the matching: its costs hold for a trained bias and ReLUs.

    Its table compares with the same number of features by rank, which is about independent features. An
    experiment of a further paper has none unless its key `figures` includes the matching.
    """
    if experiment.section and "matching" not in experiment.figures:
        return []
    return [
        case
        for case in experiment.cases.values()
        if search_of(case.training.as_dict()) == "trained" and case.structure is None
    ]


def compared_experiments(config: Config) -> list[Experiment]:
    """Experiments whose toy models are compared with the best solutions for their schedules: for verdicts, as
    known answers, or for their figure of excess losses. The searches are for independent features, and for
    toy models that reconstruct their inputs by Wᵀ W.
    """
    return [
        experiment
        for experiment in config.experiments.values()
        if (experiment.claims or experiment.role == "known_answers" or "losses" in experiment.figures)
        and experiment.n_features <= LARGEST_SOLVED
        and all(case.structure is None and is_plain(case) for case in experiment.cases.values())
    ]


def drawn_maps(config: Config, kind: str, figure: str) -> list[Map]:
    """Solved maps of a kind of points whose key `figures` includes a kind of figure."""
    maps = [config.maps[name] for name in solved_maps(config, kind)]
    return [described for described in maps if figure in described.figures]


def solved_maps(config: Config, kind: str) -> list[str]:
    """Names of the maps of a kind of points whose best solutions are sought."""
    return [
        name
        for name, described in config.maps.items()
        if described.points["kind"] == kind and described.n_features <= LARGEST_SOLVED
    ]
