"""Where a search for the best solutions starts: structures of every kind, and random weights.

Structures are dedicated features and antipodal pairs (the matching's and others that are cheap), polygons in
a plane and polyhedra in three dimensions, of any number of the features that matter most. The rest is given
the dimensions that are left, or dropped; the search's moves stack it on the others.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from superposition_atlas.sampling import stream
from superposition_atlas.theory.predictor import ranked_axes
from superposition_atlas.theory.structures import PerFeature, drop_costs

Weights = Float[np.ndarray, "hidden feature"]
Start = tuple[Weights, PerFeature]
"""W and b."""

N_AXES = 8
"""Structures of dedicated features and pairs: the cheapest."""
_SCALES = (0.1, 0.3, 0.6, 1.0, 1.5)
_BIAS_SCALES = (0.02, 0.2)
_DISTURBANCE = 0.05
_KEY_DIGITS = 12
"""Significant digits of a schedule that its random numbers depend on."""
_FIRST_RANDOM = 2**16
"""Number of the first random start: structures have numbers of their own, before it."""
_OVERLAP = 0.72
"""Share that the bias takes away of what two neighbours on a polygon or polyhedron add to each other."""
_HEIGHT = 1.1
"""What an output of a polygon has at a magnitude of 1 when no other feature is active."""


def structured_starts(
    importance: PerFeature, probability: PerFeature, n_hidden: int, seed: int
) -> list[Start]:
    """Structures of every kind, slightly disturbed, so that none stands still at a saddle point."""
    starts: list[Start] = [
        (made.W, made.b) for made in ranked_axes(importance, probability, n_hidden)[:N_AXES]
    ]
    starts += _figures(importance, probability, n_hidden)
    noise = _noise(importance, probability, n_hidden, seed, 0, len(starts))
    return [
        (W + _DISTURBANCE * own[1:], b + _DISTURBANCE * probability * own[0])
        for (W, b), own in zip(starts, noise, strict=True)
    ]


def random_starts(
    importance: PerFeature, probability: PerFeature, n_hidden: int, seed: int, n_starts: int
) -> list[Start]:
    """Normal weights and biases of every scale."""
    starts = []
    for k, own in enumerate(_noise(importance, probability, n_hidden, seed, _FIRST_RANDOM, n_starts)):
        scale, bias_scale = _SCALES[k % len(_SCALES)], _BIAS_SCALES[k // len(_SCALES) % len(_BIAS_SCALES)]
        starts.append((scale * own[1:], bias_scale * own[0]))
    return starts


def schedule_key(importance: PerFeature, probability: PerFeature, n_hidden: int, seed: int) -> int:
    """A 64-bit number that every schedule and seed has for itself; importance counts up to a factor."""
    largest = importance.max() or 1.0
    numbers = [*(importance / largest), *probability]
    content = f"{seed} {n_hidden} " + " ".join(f"{number:.{_KEY_DIGITS}g}" for number in numbers)
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "little")


def _noise(
    importance: PerFeature, probability: PerFeature, n_hidden: int, seed: int, first: int, n_starts: int
) -> Float[np.ndarray, "start row feature"]:
    """Standard normals of each start, a row for b and then W: of seed, schedule and start's number alone."""
    key = schedule_key(importance, probability, n_hidden, seed)
    keys = [(key + first + k) % 2**64 for k in range(n_starts)]
    purpose = stream.Purpose.INITIAL_WEIGHTS
    return stream.standard_normal(keys, 0, n_hidden + 1, len(probability), purpose)


def _figures(importance: PerFeature, probability: PerFeature, n_hidden: int) -> Iterator[Start]:
    """Polygons and polyhedra of the features that matter most, by each of the orders.

    What is left is given the other dimensions, as far as there are any, and else dropped.
    """
    n_features = len(probability)
    made: set[tuple[int, ...]] = set()
    for order in _orders(importance, probability):
        for n_dimensions in (2, 3)[: max(n_hidden - 1, 0)]:
            for n_corners in range(n_dimensions + 1, n_features + 1):
                for arranged in _arranged(order[:n_corners], probability):
                    name = (n_dimensions, *arranged)
                    if name in made or (n_dimensions, n_corners) == (2, 4):
                        continue
                    made.add(name)
                    yield _figure(arranged, order[n_corners:], probability, n_hidden, n_dimensions)


def _orders(importance: PerFeature, probability: PerFeature) -> list[list[int]]:
    """Features by what dropping them costs, by importance, and from the rarest on."""
    costs = drop_costs(importance, probability)
    return [np.lexsort(keys).tolist() for keys in ((-costs,), (-costs, -importance), (-costs, probability))]


def _arranged(features: list[int], probability: PerFeature) -> list[tuple[int, ...]]:
    """Round the figure with frequent features next to rare ones, and in the order of the probabilities."""
    by_density = sorted(features, key=lambda feature: probability[feature])
    rare, frequent = by_density[: len(by_density) // 2], by_density[len(by_density) // 2 :]
    alternating = [feature for pair in zip(frequent, rare[::-1], strict=False) for feature in pair]
    alternating += frequent[len(rare) :]
    if probability[by_density[0]] == probability[by_density[-1]]:
        return [tuple(alternating)]
    return [tuple(alternating), tuple(by_density)]


def _figure(
    corners: tuple[int, ...], rest: list[int], probability: PerFeature, n_hidden: int, n_dimensions: int
) -> Start:
    points = _circle(len(corners)) if n_dimensions == 2 else sphere(len(corners))
    W, b = np.zeros((n_hidden, len(probability))), probability / 2
    cosines = points.T @ points
    np.fill_diagonal(cosines, -1.0)
    nearest = np.maximum(cosines.max(axis=0), 0.0)
    squares = _HEIGHT / (1 - _OVERLAP * np.minimum(nearest, 0.8))
    W[:n_dimensions, corners] = np.sqrt(squares) * points
    b[list(corners)] = -_OVERLAP * squares * nearest
    for axis in range(n_dimensions, n_hidden):
        for sign in (1.0, -1.0):
            if rest:
                feature, rest = rest[0], rest[1:]
                W[axis, feature], b[feature] = sign, 0.0
    return W, b


def _circle(n_points: int) -> Float[np.ndarray, "2 point"]:
    angles = 2 * np.pi * np.arange(n_points) / n_points
    return np.stack([np.cos(angles), np.sin(angles)])


def sphere(n_points: int) -> Float[np.ndarray, "3 point"]:
    """Points on a sphere: rings that are turned against each other, between poles where their number is odd.

    4 are a tetrahedron, 5 a triangular bipyramid, 6 an octahedron, 7 a pentagonal bipyramid, 8 a square
    antiprism; beyond, prisms like it.
    """
    if n_points == 4:
        return np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).T / np.sqrt(3)
    if n_points in (5, 7):
        ring = np.vstack([_circle(n_points - 2), np.zeros(n_points - 2)])
        return np.concatenate([ring, [[0, 0], [0, 0], [1, -1]]], axis=1)
    if n_points % 2:
        return np.concatenate([sphere(n_points - 1), [[0], [0], [1]]], axis=1)
    n_ring = n_points // 2
    # As far from the next point on the ring as from the next one on the other ring.
    closer = np.cos(np.pi / n_ring) - np.cos(2 * np.pi / n_ring)
    height = np.sqrt(closer / (2 + closer))
    angles = 2 * np.pi * np.arange(n_ring) / n_ring
    rings = [
        np.stack([np.cos(angles + turn), np.sin(angles + turn), np.full(n_ring, place)])
        for turn, place in ((0.0, height), (np.pi / n_ring, -height))
    ]
    points = np.concatenate(rings, axis=1)
    points[:2] *= np.sqrt(1 - height**2)
    return points
