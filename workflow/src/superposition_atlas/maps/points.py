"""The points of a map: schedules, each known by a key that depends on the schedule and n_hidden alone."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from superposition_atlas import schedules
from superposition_atlas.errors import ConfigError
from superposition_atlas.sampling import stream

if TYPE_CHECKING:
    from superposition_atlas.config.configuration import Map

Values = Float[np.ndarray, " feature"]
Coordinates = dict[str, int | float | str]

RANDOM_DENSITIES = (0.005, 1.0)
"""Range of the probabilities of random schedules."""
RANDOM_RATIOS = (0.3, 1.0)
"""Range of their importance ratios."""
RANDOM_IMPORTANCES = (0.05, 1.0)
"""Range of importances that are drawn one by one."""

_KEY_DIGITS = 16
_SHARD_DIGITS = 8
_SIGNIFICANT_DIGITS = 12


@dataclass(frozen=True)
class Point:
    """One schedule of a map. Points of equal key are the same schedule at different coordinates."""

    key: str
    """Sixteen hexadecimal digits, spread evenly."""
    importance: Values
    """I_i ≥ 0, float64."""
    probability: Values
    """p_i in (0, 1], float64."""
    coordinates: Coordinates
    """Coordinates on the map's axes: the same names for all points of a map."""


def points_of(map_: "Map") -> list[Point]:
    """All points of a map, in the order of its axes.

    key: hash of n_hidden, importances and probabilities. importance, probability: lists of n_features
    numbers. family: rule that makes the probabilities. first, last: largest and smallest of a grid's
    probabilities. mean_density: mean p_i. steepness: largest p_i over smallest. importance_ratio: I_{i+1} /
    I_i. order: which probability goes with which importance (aligned, reversed, drawn, uniform, or the seed
    of a permutation). density: p_i of the features that a perturbation does not vary, or of all features of a
    phase diagram. feature: the one that it varies. varied: p_i of that one. relative_importance: importance
    of a phase diagram's last feature. index: number of a random schedule. importance_family: rule that makes
    its importances.

    Raises:
        ConfigError: if no combination of its axes is a schedule.
    """
    check_points(map_)
    return make_points(map_.n_features, map_.n_hidden, map_.points)


def check_points(map_: "Map") -> None:
    """Raises a ConfigError unless a map has points; quickly, since it makes no more than one."""
    if next(_made(map_.n_features, map_.n_hidden, map_.points), None) is None:
        raise ConfigError(
            f"maps.{map_.name}.points: no schedule has these axes (a probability would always be above 1); "
            "allowed is a grid with a lower mean_density or steepness among its values"
        )


def make_points(n_features: int, n_hidden: int, described: Mapping[str, Any]) -> list[Point]:
    """The points that `Map.points` describes; a grid may have none."""
    return list(_made(n_features, n_hidden, described))


def _made(n_features: int, n_hidden: int, described: Mapping[str, Any]) -> Iterator[Point]:
    for importance, probability, coordinates in _KINDS[described["kind"]](n_features, described):
        # An axis of other length has the same value to the last bit or two; the key must not notice.
        rounded_importance, rounded_probability = rounded(importance), rounded(probability)
        if np.all((rounded_probability > 0) & (rounded_probability <= 1)):
            key = point_key(n_hidden, rounded_importance, rounded_probability)
            yield Point(key, rounded_importance, rounded_probability, coordinates)


def point_key(n_hidden: int, importance: Values, probability: Values) -> str:
    """A hash of n_hidden and the exact values, the same everywhere and every time."""
    values = np.concatenate([importance, probability]).astype("<f8")
    content = f"{n_hidden} {len(importance)} ".encode() + values.tobytes()
    return hashlib.sha256(content).hexdigest()[:_KEY_DIGITS]


def shard_of(key: str, shards: int) -> int:
    """Which of so many shards a point belongs to: equal parts of the keys, in ascending order."""
    return int(key[:_SHARD_DIGITS], 16) * shards >> 4 * _SHARD_DIGITS


def in_shard(points: Sequence[Point], shard: int, shards: int) -> list[Point]:
    """The points of one shard, in ascending order of their keys."""
    return cut(points, shards)[shard]


def cut(points: Sequence[Point], shards: int) -> list[list[Point]]:
    """The points of each shard, in ascending order of their keys."""
    parts: list[list[Point]] = [[] for _ in range(shards)]
    for point in sorted(points, key=_key):
        parts[shard_of(point.key, shards)].append(point)
    return parts


def points_digest(points: Sequence[Point]) -> str:
    """A digest of keys and coordinates."""
    content = json.dumps([[point.key, point.coordinates] for point in points], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:_KEY_DIGITS]


def _key(point: Point) -> str:
    return point.key


def rounded(values: Float[np.ndarray, "*any feature"]) -> Float[np.ndarray, "*any feature"]:
    """Values to the digits that count for a key."""
    return np.array([_rounded_number(value) for value in values.flat]).reshape(values.shape)


def _rounded_number(value: float) -> float:
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")


# --- kinds -------------------------------------------------------------------------------------------------

_Schedules = Iterator[tuple[Values, Values, Coordinates]]
_SERIES = {"geometric": schedules.geometric_values, "linear": schedules.linear_values}


def with_mean(family: str, n_features: int, mean_density: float, steepness: float) -> Values:
    """Probabilities of a family, falling, of a given mean and ratio of first to last; they may exceed 1."""
    shape = _SERIES[family](n_features, 1.0, 1.0 / steepness)
    return np.asarray(mean_density * shape / shape.mean())


def _grid(n_features: int, described: Mapping[str, Any]) -> _Schedules:
    orders = {str(order): _positions(n_features, order) for order in described["order"]}
    importances = {
        ratio: schedules.geometric_values(n_features, 1.0, ratio=ratio)
        for ratio in described["importance_ratio"]
    }
    for ratio, family in product(importances, described["family"]):
        for probability, place in _falling(n_features, family, described):
            for order, positions in list(orders.items())[: 1 if ratio == 1 else None]:
                coordinates = {"family": family, **place, "importance_ratio": ratio, "order": order}
                yield importances[ratio], probability[positions], coordinates


def _positions(n_features: int, order: str | int) -> np.ndarray:
    """Which feature's probability each feature takes."""
    aligned = np.arange(n_features)
    if order == "aligned":
        return aligned
    if order == "reversed":
        return schedules.permuted(aligned, order="reversed")
    return schedules.permuted(aligned, seed=int(order))


def _falling(
    n_features: int, family: str, described: Mapping[str, Any]
) -> Iterator[tuple[Values, Coordinates]]:
    """The probabilities of a family before they are put in order, and where they stand."""
    if "first" in described:
        for first, last in product(described["first"], described["last"]):
            probability = _SERIES[family](n_features, first, last)
            mean, steepness = _rounded_number(probability.mean()), _rounded_number(first / last)
            yield probability, {"first": first, "last": last, "mean_density": mean, "steepness": steepness}
        return
    for mean, steepness in product(described["mean_density"], described["steepness"]):
        place: Coordinates = {"mean_density": mean, "steepness": steepness}
        yield with_mean(family, n_features, mean, steepness), place


def _perturbation(n_features: int, described: Mapping[str, Any]) -> _Schedules:
    density, feature = described["density"], described["feature"]
    for ratio, varied in product(described["importance_ratio"], described["varied"]):
        probability = schedules.constant_values(n_features, density)
        probability[feature] = varied
        coordinates: Coordinates = {
            "density": density,
            "feature": feature,
            "varied": varied,
            "importance_ratio": ratio,
        }
        yield schedules.geometric_values(n_features, 1.0, ratio=ratio), probability, coordinates


def _phases(n_features: int, described: Mapping[str, Any]) -> _Schedules:
    for density, last in product(described["density"], described["relative_importance"]):
        importance = schedules.constant_values(n_features, 1.0)
        importance[-1] = last
        coordinates: Coordinates = {"density": density, "relative_importance": last}
        yield importance, schedules.constant_values(n_features, density), coordinates


RANDOM_FAMILIES = ("geometric", "linear", "zipf", "log_uniform", "random_uniform", "constant")
RANDOM_IMPORTANCE_FAMILIES = ("geometric", "random_uniform", "constant")


def _random(n_features: int, described: Mapping[str, Any]) -> _Schedules:
    count, seed = described["count"], described["seed"]
    # A point is a position of the stream, so that it does not depend on their number. Step 0 is what
    # `schedules` itself draws from.
    choices, of_probability, of_importance, of_order = (
        stream.uniform([seed], step, count, width, stream.Purpose.SCHEDULE)[0]
        for step, width in enumerate((5, n_features, n_features, n_features), start=1)
    )
    for index in range(count):
        family_draw, density_draw, other_draw, importance_draw, ratio_draw = choices[index]
        family = _chosen(RANDOM_FAMILIES, family_draw)
        importance_family = _chosen(RANDOM_IMPORTANCE_FAMILIES, importance_draw)
        density, other = (_log_between(RANDOM_DENSITIES, draw) for draw in (density_draw, other_draw))
        probability = _probability(family, density, other, of_probability[index])
        importance = _importance(importance_family, _between(RANDOM_RATIOS, ratio_draw), of_importance[index])
        probability = probability[np.argsort(of_order[index], kind="stable")]
        coordinates: Coordinates = {
            "index": index,
            "family": family,
            "mean_density": _rounded_number(probability.mean()),
            "steepness": _rounded_number(probability.max() / probability.min()),
            "importance_family": importance_family,
        }
        if "order" not in described:
            yield importance, probability, coordinates
            continue
        orders = [order for order in described["order"] if order != "uniform"]
        left_out = orders[1:] if np.ptp(importance) == 0 else []  # the same schedule, up to names
        for order in described["order"]:
            if order in left_out:
                continue
            ordered = _in_order(importance, probability, order)
            steepness = _rounded_number(ordered.max() / ordered.min())
            yield importance, ordered, coordinates | {"steepness": steepness, "order": order}


def _in_order(importance: Values, probability: Values, order: str) -> Values:
    """Probabilities that rise with importance, fall with it, are all their mean, or stay as they are."""
    if order == "drawn":
        return probability
    if order == "uniform":
        return np.full_like(probability, probability.mean())
    ranks = np.argsort(np.argsort(importance, kind="stable"), kind="stable")
    rising = np.sort(probability)
    return (rising if order == "aligned" else rising[::-1])[ranks]


def _chosen(names: Sequence[str], draw: float) -> str:
    return names[int(draw * len(names))]


def _between(ends: tuple[float, float], draw: Any) -> Any:
    return ends[0] + (ends[1] - ends[0]) * draw


def _log_between(ends: tuple[float, float], draw: Any) -> Any:
    return ends[0] * (ends[1] / ends[0]) ** draw


def _probability(family: str, one: float, other: float, draws: Values) -> Values:
    """Probabilities of a family between two densities."""
    low, high = sorted((one, other))
    n_features = len(draws)
    if family == "constant":
        return schedules.constant_values(n_features, one)
    if family == "zipf":
        return schedules.zipf_values(n_features, high, np.log(high / low) / np.log(n_features))
    if family in _SERIES:
        return _SERIES[family](n_features, high, low)
    between = _log_between if family == "log_uniform" else _between
    return np.asarray(between((low, high), draws))


def _importance(family: str, ratio: float, draws: Values) -> Values:
    if family == "random_uniform":
        return np.asarray(_between(RANDOM_IMPORTANCES, draws))
    return schedules.geometric_values(len(draws), 1.0, ratio=1.0 if family == "constant" else ratio)


_KINDS = {"grid": _grid, "perturbation": _perturbation, "phases": _phases, "random": _random}
