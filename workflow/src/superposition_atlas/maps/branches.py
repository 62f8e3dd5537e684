"""Competing structures as one feature's density varies: the loss of each, and where two of them cross.

A branch is the least loss of one structure as a function of the varied density. It is followed from where the
search found it to where the structure is no minimum any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.metrics.features import represented
from superposition_atlas.sampling import stream
from superposition_atlas.theory.descent import Landscape
from superposition_atlas.theory.shapes import shape_of
from superposition_atlas.theory.structures import PerFeature, drop_costs

N_BRANCHES = 4
"""Structures that are followed: those that come closest to the best anywhere."""
_SAME = 1e-6
_DISTURBANCE = 0.01
"""Standard deviation of the noise on a start from a neighbour, which leaves saddle points."""

Weights = Float[np.ndarray, "hidden feature"]


@dataclass(frozen=True)
class Place:
    """A schedule at which one feature's density is varied."""

    key: str
    varied: float
    """p of the varied feature."""
    feature: int
    """The varied feature."""
    importance: PerFeature
    probability: PerFeature

    @property
    def loss_of_nothing(self) -> float:
        """Mean over the features of V_i."""
        return float(drop_costs(self.importance, self.probability).mean())


@dataclass(frozen=True)
class Known:
    """The best minimum of one structure at one place."""

    place: Place
    structure: str
    loss: float
    W: Weights
    b: PerFeature
    is_followed: bool
    """Whether the search missed the solution, and a neighbour's led to it."""


def structure_of(W: Weights, feature: int) -> str:
    """Its shape, and whether the varied feature has no part in it: `pair, pair without feature 0`."""
    kept = represented(W[None])[0, feature]
    return shape_of(W) + ("" if kept else f" without feature {feature}")


def branches(minima: list[tuple[Place, Weights, PerFeature, float]]) -> list[list[Known]]:
    """The branches of one family of places, by how close they come to the best anywhere.

    Args:
        minima: place, W, b and loss of each minimum that the search found.

    Returns:
        For each structure its minima in ascending order of the varied density; some places may have none.
    """
    found: dict[str, dict[str, Known]] = {}
    for place, W, b, loss in minima:
        own = found.setdefault(structure_of(W, place.feature), {})
        if place.key not in own or loss < own[place.key].loss:
            own[place.key] = Known(place, structure_of(W, place.feature), loss, W, b, is_followed=False)
    places = sorted({place.key: place for place, *_ in minima}.values(), key=lambda place: place.varied)
    best = {
        place.key: min(own[place.key].loss for own in found.values() if place.key in own) for place in places
    }
    closest = {name: min(known.loss / best[key] for key, known in own.items()) for name, own in found.items()}
    wanted = sorted(found, key=lambda name: closest[name])[:N_BRANCHES]
    return [_followed(places, found[name]) for name in wanted]


def _followed(places: list[Place], found: dict[str, Known]) -> list[Known]:
    """Adds the minima reached from a neighbour of the same structure, first upwards, then downwards."""
    branch = dict(found)
    for ordered in (places, places[::-1]):
        for here, there in pairwise(ordered):
            if here.key not in branch:
                continue
            reached = _from_neighbour(branch[here.key], there)
            missing = there.key not in branch or branch[there.key].loss > reached.loss * (1 + _SAME)
            if reached.structure == branch[here.key].structure and missing:
                branch[there.key] = reached
    return sorted(branch.values(), key=lambda known: known.place.varied)


def _from_neighbour(known: Known, there: Place) -> Known:
    n_hidden, n_features = known.W.shape
    (noise,) = stream.standard_normal([0], 0, n_hidden, n_features, stream.Purpose.INITIAL_WEIGHTS)
    landscape = Landscape(there.importance, there.probability, n_hidden)
    end = landscape.descend(known.W + _DISTURBANCE * noise, known.b)
    structure = structure_of(end.W, there.feature)
    return replace(known, place=there, structure=structure, loss=end.loss, W=end.W, b=end.b, is_followed=True)


def room_of(W: Weights, feature: int) -> float:
    """Half the angle, in degrees, between a feature's neighbours on both sides, in two dimensions.

    In a regular pentagon 72. NaN if the feature is not represented or has fewer than two neighbours, or if
    there are more or fewer dimensions.
    """
    kept = represented(W[None])[0]
    others = np.flatnonzero(kept & (np.arange(len(kept)) != feature))
    if len(W) != 2 or not kept[feature] or len(others) < 2:
        return float("nan")
    angle = np.arctan2(W[1], W[0])
    around = np.sort((angle[others] - angle[feature]) % (2 * np.pi))
    return float(np.degrees(around[0] + 2 * np.pi - around[-1]) / 2)


def branch_table(found: list[list[Known]]) -> pd.DataFrame:
    """One row a branch and place.

    key: of the schedule. feature: the varied one. varied: its p_i. structure: the branch's shape.
    n_represented: features with ‖W_i‖ > 0.5. loss: exact loss. relative_loss: over that of representing
    nothing. is_followed: the search missed it, and a neighbour's solution led to it. is_best: no other branch
    is lower there. room: half the angle, in degrees, between the varied feature's neighbours on both sides,
    in two dimensions.
    """
    rows = [
        {
            "key": known.place.key,
            "feature": known.place.feature,
            "varied": known.place.varied,
            "structure": known.structure,
            "n_represented": int(represented(known.W[None]).sum()),
            "loss": known.loss,
            "relative_loss": known.loss / known.place.loss_of_nothing,
            "is_followed": known.is_followed,
            "room": room_of(known.W, known.place.feature),
        }
        for branch in found
        for known in branch
    ]
    table = pd.DataFrame(rows)
    table["is_best"] = table["loss"] == table.groupby("key")["loss"].transform("min")
    return table


def crossings(table: pd.DataFrame) -> pd.DataFrame:
    """Densities at which two branches have the same loss: one row a crossing.

    Args:
        table: `branch_table`.

    Returns:
        below, above: the better structure at lower and at higher density. varied, relative_loss: of the
        crossing, interpolated between the places beside it (logarithms of losses, linear in the logarithm of
        the density). is_best: whether no third branch is lower there.
    """
    losses = table.pivot_table(index="varied", columns="structure", values="relative_loss").sort_index()
    rows = list(_crossings(losses))
    columns = ["below", "above", "varied", "relative_loss", "is_best"]
    return pd.DataFrame(rows, columns=columns).sort_values("varied", ignore_index=True)


def _crossings(losses: pd.DataFrame) -> Iterator[dict[str, Any]]:
    place = np.log(losses.index.to_numpy(dtype=float))
    logarithm = {str(name): np.log(losses[name].to_numpy(dtype=float)) for name in losses}
    for first, second in combinations(logarithm, 2):
        gap = logarithm[first] - logarithm[second]
        for k in map(int, np.flatnonzero(gap[:-1] * gap[1:] < 0)):
            share = gap[k] / (gap[k] - gap[k + 1])
            here = {name: _between(values, k, share) for name, values in logarithm.items()}
            yield {
                "below": first if gap[k] < 0 else second,
                "above": second if gap[k] < 0 else first,
                "varied": float(np.exp(_between(place, k, share))),
                "relative_loss": float(np.exp(here[first])),
                "is_best": bool(here[first] <= np.nanmin(list(here.values())) + _SAME),
            }


def _between(values: Float[np.ndarray, " place"], k: int, share: float) -> float:
    return float((1 - share) * values[k] + share * values[k + 1])
