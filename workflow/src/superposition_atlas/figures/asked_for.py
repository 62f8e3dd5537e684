"""A configuration's kinds of figures, checked: what is asked for by name can be drawn."""

from dataclasses import replace
from typing import get_args

from superposition_atlas.config import Config, Experiment, Map
from superposition_atlas.config.declaration import ExperimentFigure, MapFigure
from superposition_atlas.errors import ConfigError
from superposition_atlas.figures import catalogue
from superposition_atlas.theory.limits import LARGEST_SOLVED

_POINTS = {
    "atlas": "grid",
    "predictions": "random",
    "branches": "perturbation",
    "bias": "grid",
    "training": "grid",
    "phases": "phases",
}
"""Points that each kind of a map's figures draws."""
_WITH_SLIDES = ("slides", "post")
"""Roles whose experiments have some kinds on slides, whatever `figures` says."""


def check_kinds(config: Config) -> None:
    """Check that every kind that a list `figures` names gives the experiment or map a figure.

    With `figures: true` the kinds that don't apply are left out.

    Raises:
        ConfigError: one line that names the key, the first kind that gives none, why, and those that do.
    """
    for experiment in config.experiments.values():
        if experiment.role not in _WITH_SLIDES:
            _check(config, experiment, get_args(ExperimentFigure))
    for described in config.maps.values():
        _check(config, described, get_args(MapFigure))


def _check(config: Config, subject: Experiment | Map, kinds: tuple[str, ...]) -> None:
    if set(subject.figures) == set(kinds):
        return
    section = "experiments" if isinstance(subject, Experiment) else "maps"
    for kind in subject.figures:
        if _draws(config, subject, kind):
            continue
        why = _why_not(subject, kind)
        possible = [other for other in kinds if _draws(config, subject, other)]
        raise ConfigError(
            f"{section}.{subject.name}.figures: got {kind}, which gives it no figure ({why}); allowed is "
            f"{' or '.join(possible) if possible else 'false'}"
        )


def _draws(config: Config, subject: Experiment | Map, kind: str) -> bool:
    """Whether a kind gives a figure, or a part of one: whether the catalogue differs with it and without."""
    with_it, without = (catalogue.figures(_with_kinds(config, subject, kinds)) for kinds in ((kind,), ()))
    return with_it != without


def _with_kinds(config: Config, subject: Experiment | Map, kinds: tuple[str, ...]) -> Config:
    if isinstance(subject, Experiment):
        return replace(
            config, experiments={**config.experiments, subject.name: replace(subject, figures=kinds)}
        )
    return replace(config, maps={**config.maps, subject.name: replace(subject, figures=kinds)})


def _why_not(subject: Experiment | Map, kind: str) -> str:
    if isinstance(subject, Map):
        return _first(
            (kind == "atlas", "its points have no mean_density and steepness"),
            (subject.points["kind"] != _POINTS[kind], f"it is of points of the kind {_POINTS[kind]}"),
            (subject.n_features > LARGEST_SOLVED, _unsolved(subject)),
            (not subject.seeds, "nothing is trained, seeds is 0"),
            (len(subject.variants) < 2, "it has one variant"),
            (True, "it compares other variants"),
        )
    is_structured = any(case.structure is not None for case in subject.cases.values())
    return _first(
        (kind == "planes", f"n_hidden is {subject.n_hidden}, planes have 2"),
        (kind == "bars", "n_hidden is 2, planes draw that"),
        (kind == "saes", "it has no saes"),
        (kind == "losses" and subject.n_features > LARGEST_SOLVED, _unsolved(subject)),
        (kind == "losses" and is_structured, "best solutions are sought for independent features"),
        (kind == "norms", "where claims are tested, norms are drawn at the size of the role post"),
        (kind == "matching" and is_structured, "matchings are of independent features"),
        (
            kind == "matching",
            f"it is drawn above {LARGEST_SOLVED} features, and of tested ones at the size of the role post",
        ),
        (True, "none of this kind is about such experiments"),
    )


def _first(*reasons: tuple[bool, str]) -> str:
    return next(text for holds, text in reasons if holds)


def _unsolved(subject: Experiment | Map) -> str:
    return f"n_features is {subject.n_features}, best solutions are sought up to {LARGEST_SOLVED}"
