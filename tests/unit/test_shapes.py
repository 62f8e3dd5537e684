"""Shapes of solutions: told from angles and norms alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.theory.best import best_solutions
from superposition_atlas.theory.predictor import predict
from superposition_atlas.theory.shapes import shape_of
from superposition_atlas.theory.structures import Structure, axis_weights, polygon_weights

ALIKE = np.full(5, 0.05)


def polygon(*corners: int) -> np.ndarray:
    return polygon_weights(Structure((corners,)), ALIKE, 1.1)


def regular(n_corners: int) -> np.ndarray:
    return polygon_weights(Structure((tuple(range(n_corners)),)), np.full(n_corners, 0.01), 1.3)


@pytest.mark.parametrize(
    ("W", "shape"),
    [
        (polygon(0, 3, 1, 4, 2), "pentagon"),
        (polygon(4, 0, 2), "triangle"),
        (regular(6), "hexagon"),
        (regular(7), "heptagon"),
        (regular(8), "octagon"),
        (axis_weights(Structure(((0, 3), (1, 2))), 5, 2), "pair, pair"),
        (axis_weights(Structure(((2,), (0, 1))), 5, 2), "pair, dedicated"),
        (axis_weights(Structure(((4,), (0,))), 5, 2), "dedicated, dedicated"),
        (axis_weights(Structure(((0, 1), (2,), (3, 4))), 5, 3), "pair, pair, dedicated"),
        (np.zeros((2, 5)), "nothing"),
        (np.array([[1.0, 0.8, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.1]]), "stack of 3, dedicated"),
        (np.array([[1.0, 0.7, 0.2], [0.0, 0.7, 0.0]]), "group of 2"),
    ],
)
def test_known_structures(W: np.ndarray, shape: str) -> None:
    assert shape_of(W) == shape


@given(st.permutations(range(5)), st.floats(0, 2 * np.pi), st.booleans(), st.sampled_from([0, 1, 2]))
def test_neither_rotation_nor_reflection_nor_names_matter(
    order: list[int], angle: float, mirrored: bool, which: int
) -> None:
    W = (polygon(0, 1, 2, 3, 4), polygon(0, 2, 4), axis_weights(Structure(((0, 1), (2, 3))), 5, 2))[which]
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        turned[1] *= -1
    assert shape_of(turned @ W[:, order]) == shape_of(W)


@pytest.mark.parametrize(
    ("importance", "probability"),
    [
        (np.ones(5), ALIKE),
        (0.9 ** np.arange(5), np.linspace(0.9, 0.1, 5)),
        (0.9 ** np.arange(5), np.array([1.0, 0.4, 0.14, 0.05, 0.02])),
        (np.ones(5), np.full(5, 0.7)),
    ],
)
def test_predictions_have_the_shape_that_their_structure_names(
    importance: np.ndarray, probability: np.ndarray
) -> None:
    made = predict(importance, probability, 2)
    words = [part.split()[0] for part in str(made.structure).split(", ")]
    assert sorted(shape_of(made.W).split(", ")) == sorted(words)


def test_a_stack_is_told_apart_by_its_bias() -> None:
    importance = np.array([1.0, 0.56, 0.314, 0.176, 0.099])
    probability = np.array([0.044, 0.02, 0.092, 0.197, 0.418])
    best = best_solutions(importance, probability, 2, n_starts=12)[0]
    assert shape_of(best.W) == "stack of 3, pair"
    rare, frequent = best.W[:, 1], best.W[:, 4]
    assert rare @ frequent > 0.99 * np.linalg.norm(rare) * np.linalg.norm(frequent)
    # The frequent feature alone drives the rare one's output hardly above zero, if at all.
    assert best.b[1] < -0.8 * rare @ frequent
    assert np.linalg.norm(rare) > 1.2
