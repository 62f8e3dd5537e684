"""Maps as a configuration has them: axes written out, and what their declaration can't say of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from superposition_atlas.config.checking import check_names_differ
from superposition_atlas.config.configuration import Map
from superposition_atlas.config.costs import most_points, search_seconds, shards, training_operations
from superposition_atlas.config.declaration import MapFigure
from superposition_atlas.config.figures import figure_kinds
from superposition_atlas.config.messages import Key, key_text, refused
from superposition_atlas.config.sections import Section
from superposition_atlas.config.training import training_settings
from superposition_atlas.covered_models import PLAIN, other_setting
from superposition_atlas.errors import ConfigError
from superposition_atlas.theory.limits import LARGEST_SOLVED
from superposition_atlas.toy_model import TrainingSettings

_DENSITY = (0.0, 1.0, "a number > 0 and ≤ 1")
_AXES = {
    "mean_density": _DENSITY,
    "first": _DENSITY,
    "last": _DENSITY,
    "varied": _DENSITY,
    "importance_ratio": _DENSITY,
    "steepness": (1.0, np.inf, "a number ≥ 1"),
}
"""Lowest and highest value of each axis; 0 itself never comes up, since a range may not start there."""
_AXES_OF_PHASES = {"density": _DENSITY, "relative_importance": (0.0, 1000.0, "a number > 0 and ≤ 1000")}
"""Likewise of the kind `phases`; a perturbation has one density."""

_PAIRS = (("mean_density", "steepness"), ("first", "last"))
"""The two ways of saying which probabilities a family has."""

STANDARD = "standard"
"""The name of a map's way of training where it has no variants."""

_SIGNIFICANT_DIGITS = 12
_MOST_POINTS = 2_000_000
"""Snakemake itself makes them all, at a kilobyte each."""


def read_map(name: str, filled: Mapping[str, Any], variants: Mapping[str, Any]) -> Map:
    """A map of a configuration that the schema has checked and filled in.

    Args:
        name: its name.
        filled: the map with all defaults.
        variants: its variants as they are written: what they leave out is as in its training.

    Raises:
        ConfigError: one line that names the first key that is wrong.
    """
    key: Key = ("maps", name)
    check_names_differ((*key, "variants"), variants)
    seeds = filled["seeds"] if isinstance(filled["seeds"], list) else range(filled["seeds"])
    trainings = {
        variant: _training(key, variant, filled, written)
        for variant, written in (variants or {STANDARD: {}}).items()
    }
    points = _points((*key, "points"), filled["points"], filled["n_features"])
    if (n_points := most_points(points)) > _MOST_POINTS:
        raise refused((*key, "points"), f"{n_points} points", f"at most {_MOST_POINTS}")
    return Map(
        name=name,
        title=filled["title"] or name,
        role=filled["role"],
        section=_section(key, filled),
        n_features=filled["n_features"],
        n_hidden=filled["n_hidden"],
        seeds=tuple(seeds),
        variants=trainings,
        n_starts=filled["n_starts"],
        compare_norms=filled["compare_norms"],
        shards=_shards(filled, n_points, len(seeds), list(trainings.values())),
        points=points,
        figures=figure_kinds(filled["figures"], MapFigure),
    )


def _section(key: Key, filled: Mapping[str, Any]) -> Section:
    section: Section = filled["section"]
    if section and (filled["role"] or filled["compare_norms"]):
        allowed = "the empty text with a role or compare_norms: the report has those"
        raise refused((*key, "section"), section, allowed)
    return section


def _shards(
    filled: Mapping[str, Any], n_points: int, n_seeds: int, trainings: Sequence[TrainingSettings]
) -> int:
    """Number of shards: as many as training or searches need, but none of less than a point."""
    if filled["shards"] != "auto":
        return int(filled["shards"])
    n_features, n_models = filled["n_features"], n_points * n_seeds
    size = (n_models, n_features, filled["n_hidden"])
    work = sum(training_operations(*size, own.steps, own.batch_size) for own in trainings)
    searches = n_points if n_features <= LARGEST_SOLVED else 0
    seconds = search_seconds(searches, n_features, filled["n_starts"]) if searches else 0.0
    return min(shards(n_models * len(trainings), work, seconds), n_points)


def _training(
    key: Key, variant: str, filled: Mapping[str, Any], written: Mapping[str, Any]
) -> TrainingSettings:
    """The settings of a variant: its own, and the map's for what it leaves out."""

    def at(name: str) -> Key:
        own = ("variants", variant) if name in written else ("training",)
        return (*key, *own, name)

    training = training_settings(at, filled["training"] | written, filled["n_features"])
    if training.record_steps:
        raise refused(at("record_steps"), list(training.record_steps), "[] (maps keep no history)")
    if other := other_setting(training, PLAIN):
        allowed = f"{PLAIN[other][0]} (maps are of toy models that reconstruct their inputs by WᵀW)"
        raise refused(at(other), getattr(training, other), allowed)
    return training


def _points(key: Key, written: Mapping[str, Any], n_features: int) -> dict[str, Any]:
    points = dict(written)
    if points["kind"] == "grid":
        _check_pair(key, points)
    if points["kind"] == "perturbation":
        points["density"] = float(points["density"])
        if points["feature"] >= n_features:
            allowed = f"an integer ≥ 0 and < {n_features}, the number of features"
            raise refused((*key, "feature"), points["feature"], allowed)
    axes = _AXES_OF_PHASES if points["kind"] == "phases" else _AXES
    for axis in axes.keys() & points.keys():
        points[axis] = _values((*key, axis), points[axis], *axes[axis])
    return points


def _check_pair(key: Key, points: Mapping[str, Any]) -> None:
    given = [axis for pair in _PAIRS for axis in pair if axis in points]
    if tuple(given) not in _PAIRS:
        found = " and ".join(given) or "neither"
        allowed = "either mean_density and steepness, or first and last"
        raise ConfigError(f"{key_text(key)}: got {found}, allowed is {allowed}")


def _values(key: Key, axis: Any, lowest: float, highest: float, allowed: str) -> list[float]:
    """An axis written out."""
    if isinstance(axis, list):
        return [float(value) for value in axis]
    first, last, count = axis["from"], axis["to"], axis["count"]
    for end in ("from", "to"):
        if not lowest <= axis[end] <= highest:
            raise refused((*key, end), axis[end], allowed)
    if first == last:
        raise refused((*key, "to"), last, f"a number other than {first}, where the range begins")
    # A part of the way is one division, which rounds 1/3 as it does 2/6: a range with more values in between
    # has the former ones to the last bit.
    parts = [index / (count - 1) for index in range(count)]
    if axis["scale"] == "log":
        values = [first * (last / first) ** part for part in parts]
    else:
        values = [first + (last - first) * part for part in parts]
    return [float(f"{value:.{_SIGNIFICANT_DIGITS}g}") for value in values]
