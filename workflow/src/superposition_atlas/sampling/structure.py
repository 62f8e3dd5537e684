"""Features that depend on one another: several share the word that decides which of them are active.

Features of a *group* share one uniform word u. Feature i is active iff u lies in its interval
[a_i, a_i + p_i), so its probability is p_i whatever the others do, and two features are active together with
the probability of the overlap of their intervals. A feature's magnitude comes from a word of its own.
A feature in no group is active iff its own word lies in [0, p_i): the stream of independent features.

Intervals are whole words of 2^32: [a_i, a_i + p_i) is round(p_i 2^32) of them, as many as without structure.

Engines take a structure as an array [*instance, feature, 2] of uint32. For each feature it holds the number
of the word that decides about it (its own number, or `SHARED` plus the first feature of its group), and a_i.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt32

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError, SettingError, value_text
from superposition_atlas.sampling import stream

Intervals = UInt32[np.ndarray, "*instance feature 2"]

SHARED = 2**31
"""Number of the word that a group shares, less the group's first feature: features have numbers below it."""
ALL = 2**32
"""Values that a word can have."""

Group = Mapping[str, Any]
"""One group: its `form`, its `features`, and the keys of the form (`FORMS`)."""


def intervals_of(
    groups: Sequence[Group] | Intervals | None, probability: Float[np.ndarray, "*instance feature"]
) -> Intervals | None:
    """The structure that groups make of features of these probabilities.

    Args:
        groups: a list of groups, no feature in two of them; or a structure, which is checked; or None.
        probability: p_i in (0, 1].

    Returns:
        The structure, [feature, 2] or [instance, feature, 2]; None where all features are independent.

    Raises:
        SettingError: if a group is not possible with these probabilities, or not as its form wants it.
    """
    if groups is None:
        return None
    counts = stream.thresholds(probability).astype(np.int64) + 1
    if isinstance(groups, np.ndarray):
        return _checked(groups, counts)
    structure = independent(probability.shape)
    n_features = probability.shape[-1]
    taken: dict[int, int] = {}
    for number, group in enumerate(arguments.listed("structure", groups)):
        name = f"structure[{number}]"
        features = _features(name, group, n_features)
        for feature in features:
            if feature in taken:
                allowed = f"features of no other group (structure[{taken[feature]}] has feature {feature})"
                raise SettingError(f"{name}.features", features, allowed)
            taken[feature] = number
        starts = FORMS[group["form"]](name, group, features, counts[..., features])
        if len(features) > 1:
            structure[..., features, 0] = SHARED + min(features)
            structure[..., features, 1] = starts
    return None if np.array_equal(structure, independent(probability.shape)) else structure


def independent(shape: tuple[int, ...]) -> Intervals:
    """The structure of independent features; shape is that of their probabilities."""
    structure = np.zeros((*shape, 2), dtype=np.uint32)
    structure[..., 0] = np.arange(shape[-1])
    return structure


def is_shared(structure: Intervals) -> Bool[np.ndarray, "*instance feature"]:
    """Whether each feature is in a group."""
    return np.asarray(structure[..., 0] >= SHARED)


def scales(
    threshold: UInt32[np.ndarray, "*instance feature"], structure: Intervals | None
) -> Float[np.ndarray, "*instance feature"]:
    """float32 factor that maps a feature's own word to its magnitude: all its words, or those in [0, p_i)."""
    scale = stream.scales(threshold)
    return scale if structure is None else np.where(is_shared(structure), np.float32(2.0**-32), scale)


def shared_words(structure: Intervals) -> UInt32[np.ndarray, "instance entry"]:
    """What kernels know of a structure: how many groups there are, the number of each one's word (room for
    n // 2 + 1), each feature's group (n // 2 where it has none), and the first value at which it is active.
    """
    n_instances, n_features = structure.shape[:2]
    most = n_features // 2
    rows = np.zeros((n_instances, 2 + most + 2 * n_features), dtype=np.uint32)
    for row, own in zip(rows, structure, strict=True):
        numbers = np.unique(own[is_shared(own), 0])
        slots = np.searchsorted(numbers, own[:, 0])
        row[0] = len(numbers)
        row[1 : 1 + len(numbers)] = numbers
        row[2 + most : 2 + most + n_features] = np.where(is_shared(own), slots, most)
        row[2 + most + n_features :] = own[:, 1]
    return rows


# --- forms -------------------------------------------------------------------------------------------------


def _features(name: str, group: Any, n_features: int) -> list[int]:
    """The features of a group, which has a known form and its keys."""
    if not isinstance(group, Mapping):
        raise SettingError(name, group, "a mapping with form and features")
    form = group.get("form")
    if not isinstance(form, str) or form not in FORMS:
        raise SettingError(f"{name}.form", form, "together, exclusive, tree or intervals")
    keys = ["form", "features", *_KEYS.get(form, ())]
    for key in group:
        if key not in keys:
            raise SettingError(f"{name}.{key}", group[key], f"left out: {form} has {', '.join(keys)}")
    for key in keys:
        if key not in group:
            raise ArgumentError(f"{name}.{key} is missing: {form} has {', '.join(keys)}")
    features = [
        arguments.integer(f"a feature of {name}.features", one, least=0, most=n_features - 1)
        for one in arguments.listed(f"{name}.features", group["features"])
    ]
    if not features or len(set(features)) != len(features):
        raise SettingError(f"{name}.features", group["features"], "distinct features, at least one")
    return features


def _together(name: str, group: Group, features: list[int], counts: np.ndarray) -> np.ndarray:
    """All intervals begin at 0: as correlated as the probabilities allow."""
    return np.zeros_like(counts)


def _exclusive(name: str, group: Group, features: list[int], counts: np.ndarray) -> np.ndarray:
    """Intervals side by side: no two features are active together."""
    return _side_by_side(name, group, features, counts, np.zeros(counts.shape[:-1], np.int64), None)


def _tree(name: str, group: Group, features: list[int], counts: np.ndarray) -> np.ndarray:
    """Each child's interval is in its parent's; children of one parent lie side by side, as roots do."""
    parents = [
        arguments.integer(f"a parent of {name}.parents", one, least=-1)
        for one in arguments.listed(f"{name}.parents", group["parents"])
    ]
    if len(parents) != len(features):
        allowed = f"{len(features)} features, the parent of each (-1: none)"
        raise SettingError(f"{name}.parents", group["parents"], allowed)
    for parent in parents:
        if parent not in (-1, *features):
            raise SettingError(f"{name}.parents", parent, "-1 or one of the features", f"a parent of {name}")
    starts, placed = np.zeros_like(counts), {-1}
    while waiting := [parent for parent in dict.fromkeys(parents) if parent in placed]:
        for parent in waiting:
            children = [k for k, own in enumerate(parents) if own == parent]
            parents = [-2 if own == parent else own for own in parents]
            room, start = None, np.zeros(counts.shape[:-1], np.int64)
            if parent >= 0:
                place = features.index(parent)
                room, start = counts[..., place], starts[..., place]
            named = [features[k] for k in children]
            starts[..., children] = _side_by_side(
                name, group, named, counts[..., children], start, room, parent
            )
            placed |= set(named)
    if circle := [features[k] for k, own in enumerate(parents) if own != -2]:
        raise SettingError(
            f"{name}.parents", group["parents"], f"a tree: feature {circle[0]} is its own ancestor"
        )
    return starts


def _intervals(name: str, group: Group, features: list[int], counts: np.ndarray) -> np.ndarray:
    """Every interval where it is said to begin."""
    numbers = arguments.numbers(f"{name}.starts", group["starts"], "[feature]", ndim=(1,), least=0)
    if len(numbers) != len(features):
        raise SettingError(f"{name}.starts", group["starts"], f"{len(features)} numbers, one a feature")
    starts = np.broadcast_to(np.rint(numbers * ALL).astype(np.int64), counts.shape)
    beyond = np.argwhere(starts + counts > ALL + 1)
    if len(beyond):
        place = tuple(beyond[0])
        probability = counts[place] / ALL
        allowed = f"at most 1 - p = {1 - probability:.6g} for feature {features[place[-1]]}"
        raise SettingError(f"{name}.starts", float(numbers[place[-1]]), allowed, f"a value of {name}.starts")
    # Rounding start and length to whole words may make one word too many.
    return np.minimum(starts, ALL - counts)


FORMS: dict[str, Callable[[str, Group, list[int], np.ndarray], np.ndarray]] = {
    "together": _together,
    "exclusive": _exclusive,
    "tree": _tree,
    "intervals": _intervals,
}
"""Forms of a group: where the intervals of its features begin, in words, from the numbers of their words."""
_KEYS = {"tree": ("parents",), "intervals": ("starts",)}


def _side_by_side(
    name: str,
    group: Group,
    features: list[int],
    counts: np.ndarray,
    start: np.ndarray,
    room: np.ndarray | None,
    parent: int = -1,
) -> np.ndarray:
    """Intervals one after the other, from `start` on, within `room` words (all, if None).

    Where rounding to whole words makes them longer than the room, which is at most half a word each, the last
    ones begin so much earlier.
    """
    room = np.full(counts.shape[:-1], ALL) if room is None else room
    ends = counts.cumsum(axis=-1)
    over = np.argwhere(ends[..., -1] > room + (len(features) + 1) // 2)
    if len(over):
        place = tuple(over[0])
        total, most = ends[(*place, -1)] / ALL, room[place] / ALL
        sum_of = f"the probabilities of features {', '.join(map(str, features))}, which exclude one another,"
        who = "" if parent < 0 else f", the probability of their parent {parent}"
        allowed = f"a group in which {sum_of} sum to at most {most:.6g}{who} (they sum to {total:.6g})"
        raise SettingError(name, group, allowed)
    within = np.minimum(ends - counts, room[..., None] - counts)
    return start[..., None] + within


def _checked(structure: np.ndarray, counts: np.ndarray) -> Intervals | None:
    allowed = "a list of groups, or a structure of as many features, uint32 [*instance, feature, 2]"
    if structure.dtype != np.uint32 or structure.shape[-2:] != (counts.shape[-1], 2) or structure.ndim > 3:
        raise ArgumentError(f"structure is {value_text(structure)}: must be {allowed}")
    if structure.ndim == 3 and counts.ndim == 2 and len(structure) != len(counts):
        raise ArgumentError(
            f"structure has {len(structure)} rows, probability {len(counts)}: must be as many"
        )
    n_features = counts.shape[-1]
    number = structure[..., 0].astype(np.int64)
    known = np.where(number >= SHARED, number - SHARED < n_features, number == np.arange(n_features))
    if not known.all() or np.any(structure[..., 1].astype(np.int64) + counts > ALL):
        raise ArgumentError(
            f"structure has a word or an interval that no feature can have: must be {allowed}"
        )
    return structure if np.any(number >= SHARED) else None


# --- probabilities -----------------------------------------------------------------------------------------


def joint_probability(
    probability: Float[np.ndarray, "*instance feature"], structure: Intervals | None = None
) -> Float[np.ndarray, "*instance feature feature"]:
    """p_ij, the probability that i and j are both active; p_i on the diagonal.

    The overlap of their intervals where they share a word, else p_i p_j.
    """
    p = np.asarray(probability, dtype=np.float64)
    joint = p[..., :, None] * p[..., None, :]
    if structure is not None:
        number, start = structure[..., 0], structure[..., 1].astype(np.int64)
        end = start + stream.thresholds(p) + 1
        overlap = np.minimum(end[..., :, None], end[..., None, :]) - np.maximum(
            start[..., :, None], start[..., None, :]
        )
        same = number[..., :, None] == number[..., None, :]
        joint = np.where(same, np.maximum(overlap, 0) / ALL, joint)
    diagonal = np.arange(p.shape[-1])
    joint[..., diagonal, diagonal] = p
    return joint


def none_active(
    probability: Float[np.ndarray, "instance feature"], structure: Intervals
) -> Float[np.ndarray, " instance"]:
    """Probability that no feature is active: groups are independent, and each has a union of intervals."""
    number, start = structure[..., 0].astype(np.int64), structure[..., 1].astype(np.int64)
    order = np.argsort(number * ALL + start, axis=1)
    number, start = (np.take_along_axis(part, order, axis=1) for part in (number, start))
    end = start + np.take_along_axis(stream.thresholds(probability).astype(np.int64) + 1, order, axis=1)
    empty, covered, reached = np.ones(len(number)), np.zeros(len(number)), np.zeros(len(number), np.int64)
    for k in range(number.shape[1]):
        begins = number[:, k] != number[:, k - 1] if k else np.ones(len(number), bool)
        empty = np.where(begins, empty * (1.0 - covered / ALL), empty)
        covered, reached = np.where(begins, 0, covered), np.where(begins, 0, reached)
        covered = covered + np.maximum(end[:, k] - np.maximum(start[:, k], reached), 0)
        reached = np.maximum(reached, end[:, k])
    return np.asarray(empty * (1.0 - covered / ALL))
