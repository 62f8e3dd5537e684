"""The data sets: labelled points in the plane, each a pure function of (seed, number of points, noise).

As the TensorFlow Playground has them. Places are in the plane, mostly within [-6, 6]²; labels are -1 and 1,
or the height of a surface around 0. Noise in [0, 1/2] moves the points of `gaussian` and `spiral`; elsewhere
a label is that of a place nearby.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas.playground.network_settings import DataSetName
from superposition_atlas.sampling import stream

Draws = Float[np.ndarray, "instance point draw"]
Places = Float[np.ndarray, "instance point 2"]
Labels = Float[np.ndarray, "instance point"]

EXTENT = 6.0
"""The plane is [-EXTENT, EXTENT]²."""
_RADIUS = 5.0
_GAP = 0.3
_N_DRAWS = 5
"""Two for the place, two for the noise, one for the order."""


@dataclass(frozen=True)
class DataSet:
    """How its points come about."""

    points: Callable[[Draws, float], tuple[Places, Labels]]
    is_regression: bool = False


@dataclass(frozen=True)
class Points:
    """Points of several seeds, the training data first."""

    x: Places
    label: Labels
    n_training: int

    @property
    def is_training(self) -> Bool[np.ndarray, " point"]:
        """Whether a network learns from a point, or is tested on it."""
        return np.arange(self.label.shape[1]) < self.n_training


def draw_points(
    name: DataSetName,
    seeds: Sequence[int] | Integer[np.ndarray, " instance"],
    n_points: int,
    n_training: int,
    noise: float = 0.0,
) -> Points:
    """Points of a data set in random order, float64; a seed's points do not depend on other seeds.

    Args:
        name: of the data set.
        seeds: one an instance.
        n_points: points of each instance.
        n_training: so many of them are for training.
        noise: share in [0, 1/2].
    """
    u = stream.uniform(seeds, 0, n_points, _N_DRAWS, stream.Purpose.PLAYGROUND_POINTS)
    x, label = DATA_SETS[name].points(u, noise)
    order = np.argsort(u[..., 4], axis=1, kind="stable")
    return Points(
        x=np.take_along_axis(x, order[..., None], axis=1),
        label=np.take_along_axis(label, order, axis=1),
        n_training=n_training,
    )


# --- classification ----------------------------------------------------------------------------------------


def _circle(u: Draws, noise: float) -> tuple[Places, Labels]:
    """A disc of radius 2.5 inside a ring from 3.5 to 5, as many points in both."""
    inside = _is_first_half(u)
    low, high = np.where(inside, 0.0, 0.7 * _RADIUS), np.where(inside, 0.5 * _RADIUS, _RADIUS)
    x = _polar(low + (high - low) * u[..., 0], 2 * np.pi * u[..., 1])
    place = x + noise * _RADIUS * _centred(u[..., 2:4])
    return x, np.where(np.linalg.norm(place, axis=-1) < 0.5 * _RADIUS, 1.0, -1.0)


def _xor(u: Draws, noise: float) -> tuple[Places, Labels]:
    """Four squares, 1 where both coordinates have the same sign; a gap of 0.6 keeps them apart."""
    x = _RADIUS * _centred(u[..., 0:2])
    x += np.where(x > 0, _GAP, -_GAP)
    place = x + noise * _RADIUS * _centred(u[..., 2:4])
    return x, np.where(place.prod(axis=-1) >= 0, 1.0, -1.0)


def _gaussian(u: Draws, noise: float) -> tuple[Places, Labels]:
    """Two clouds around (2, 2) and (-2, -2), of standard deviation √(1/2) without noise and 2 with most."""
    label = np.where(_is_first_half(u), 1.0, -1.0)
    spread = np.sqrt(0.5 + 7.0 * noise)
    # Box and Muller: two independent normals.
    clouds = spread * _polar(np.sqrt(-2.0 * np.log(u[..., 0])), 2 * np.pi * u[..., 1])
    return 2.0 * label[..., None] + clouds, label


def _spiral(u: Draws, noise: float) -> tuple[Places, Labels]:
    """Two arms of 1¾ turns, half a turn apart, with points at equal steps of the radius."""
    n_points = u.shape[1]
    inside = _is_first_half(u)
    half = n_points - n_points // 2
    along = np.where(inside, np.arange(n_points) / half, (np.arange(n_points) - half) / max(n_points // 2, 1))
    angle = 2 * np.pi * 1.75 * along + np.where(inside, 0.0, np.pi)
    x = _polar(np.broadcast_to(_RADIUS * along, u.shape[:2]), np.pi / 2 - angle)
    return x + noise * _centred(u[..., 2:4]), np.broadcast_to(np.where(inside, 1.0, -1.0), u.shape[:2])


# --- regression --------------------------------------------------------------------------------------------


def _plane(u: Draws, noise: float) -> tuple[Places, Labels]:
    """(x1 + x2) / 10."""
    x = EXTENT * _centred(u[..., 0:2])
    place = x + noise * EXTENT * _centred(u[..., 2:4])
    return x, place.sum(axis=-1) / 10.0


_BUMPS = np.array([(x1, x2) for x2 in (2.5, -2.5) for x1 in (-4.0, 0.0, 4.0)])
_HEIGHTS = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])


def _multi_gaussian(u: Draws, noise: float) -> tuple[Places, Labels]:
    """Six bumps of alternating sign, each falling linearly to 0 over a distance of 2."""
    x = EXTENT * _centred(u[..., 0:2])
    place = x + noise * EXTENT * _centred(u[..., 2:4])
    distance = np.linalg.norm(place[..., None, :] - _BUMPS, axis=-1)
    return x, (_HEIGHTS * np.maximum(1.0 - distance / 2.0, 0.0)).sum(axis=-1)


# --- shared ------------------------------------------------------------------------------------------------


def _is_first_half(u: Draws) -> Bool[np.ndarray, "1 point"]:
    n_points = u.shape[1]
    return np.arange(n_points)[None] < n_points - n_points // 2


def _centred(u: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Maps U(0, 1) to U(-1, 1)."""
    return 2.0 * u - 1.0


def _polar(radius: Labels, angle: Labels) -> Places:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


DATA_SETS: dict[DataSetName, DataSet] = {
    "circle": DataSet(_circle),
    "xor": DataSet(_xor),
    "gaussian": DataSet(_gaussian),
    "spiral": DataSet(_spiral),
    "plane": DataSet(_plane, is_regression=True),
    "multi_gaussian": DataSet(_multi_gaussian, is_regression=True),
}
