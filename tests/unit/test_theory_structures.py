"""Structures: their costs are exact losses, and the published k-gons are what they are said to be."""

from itertools import combinations
from math import comb, factorial

import numpy as np
import pytest
import superposition_atlas as sa
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from superposition_atlas.theory.predictor import ranked_axes
from superposition_atlas.theory.structures import (
    TRIPLE_POINT,
    Structure,
    axis_cost,
    axis_structures,
    axis_weights,
    drop_costs,
    joins,
    pair_costs,
    polygon_weights,
    polygons,
)

DENSITY = st.floats(1e-4, 1.0)
IMPORTANCE = st.floats(0.01, 10.0)
SEEDS = st.integers(0, 2**32 - 1)


def schedule(seed: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.05, 1.0, n_features), np.exp(rng.uniform(np.log(0.005), 0.0, n_features))


# --- dropped features and pairs ----------------------------------------------------------------------------


@given(IMPORTANCE, DENSITY, st.floats(-1.0, 2.0))
def test_a_dropped_feature_costs_its_variance_at_half_its_density_and_nowhere_less(
    importance: float, p: float, other: float
) -> None:
    def loss(b: float) -> float:
        return sa.exact_loss([[0.0]], [b], [importance], [p]).item()

    cost = drop_costs(np.array([importance]), np.array([p])).item()
    assert loss(p / 2) == pytest.approx(cost, rel=1e-12)
    assert cost == pytest.approx(importance * (p / 3 - p**2 / 4), rel=1e-15)
    assert loss(other) >= cost * (1 - 1e-12)


def test_the_costliest_density_to_drop_is_two_thirds() -> None:
    p = np.linspace(0.0, 1.0, 3001)
    costs = drop_costs(np.ones(3001), p)
    assert p[costs.argmax()] == pytest.approx(2 / 3)
    assert costs[-1] == pytest.approx(1 / 12)


@given(IMPORTANCE, IMPORTANCE, DENSITY, DENSITY)
def test_an_antipodal_pair_costs_what_the_formula_says(
    I_i: float, I_j: float, p_i: float, p_j: float
) -> None:
    importance, probability = np.array([I_i, I_j]), np.array([p_i, p_j])
    losses = sa.exact_loss([[1.0, -1.0]], np.zeros(2), importance, probability)
    costs = pair_costs(importance, probability)
    assert losses.sum() == pytest.approx(p_i * p_j * (I_i + I_j) / 6, rel=1e-9)
    np.testing.assert_allclose(costs, losses.sum() * (1 - np.eye(2)), rtol=1e-9)


@given(IMPORTANCE, IMPORTANCE, DENSITY, DENSITY)
def test_a_feature_joins_where_the_pair_costs_less_than_dropping_it(
    I_i: float, I_j: float, p_i: float, p_j: float
) -> None:
    importance, probability = np.array([I_i, I_j]), np.array([p_i, p_j])
    dropped = drop_costs(importance, probability)[0]
    paired = pair_costs(importance, probability)[0, 1]
    if abs(dropped - paired) > 1e-12 * dropped:
        assert joins(importance, probability, 0, 1) == (paired < dropped)
    room = 2 - 1.5 * p_i - p_j
    if room > 1e-9 and abs(I_i / I_j - p_j / room) > 1e-9 * I_i / I_j:
        assert joins(importance, probability, 0, 1) == (I_i / I_j > p_j / room)
    if room <= 0:
        assert not joins(importance, probability, 0, 1)


def test_it_is_the_partners_density_that_decides() -> None:
    importance = np.array([0.1, 1.0])
    assert joins(importance, np.array([0.9, 0.01]), 0, 1)
    assert not joins(importance, np.array([0.01, 0.9]), 0, 1)


def test_the_triple_point() -> None:
    """Two equal features, one dimension: below s = 4/7 they pair up, above it one is dropped."""
    for s, pairs_up in ((TRIPLE_POINT * 0.999, True), (TRIPLE_POINT * 1.001, False)):
        importance, probability = np.ones(2), np.full(2, s)
        assert joins(importance, probability, 0, 1) == pairs_up
        best = ranked_axes(importance, probability, 1)[0]
        assert len(best.structure.kept) == (2 if pairs_up else 1)
    importance, probability = np.ones(2), np.full(2, TRIPLE_POINT)
    pair = sa.exact_loss([[1.0, -1.0]], np.zeros(2), importance, probability).sum()
    dropped = sa.exact_loss([[1.0, 0.0]], [0.0, TRIPLE_POINT / 2], importance, probability).sum()
    assert pair == pytest.approx(dropped, rel=1e-13)


# --- structures on axes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_features", "n_hidden"), [(1, 1), (2, 1), (3, 3), (4, 2), (5, 2), (6, 3), (2, 4)])
def test_all_structures_are_listed_and_each_once(n_features: int, n_hidden: int) -> None:
    structures = axis_structures(n_features, n_hidden)
    for structure in structures:
        members = [feature for group in structure.groups for feature in group]
        assert len(set(members)) == len(members)
        assert structure.kept == frozenset(members)
        assert len(structure.groups) <= n_hidden
        assert {len(group) for group in structure.groups} <= {1, 2}
    assert len({frozenset(map(frozenset, structure.groups)) for structure in structures}) == len(structures)
    expected = sum(
        comb(n_features, 2 * n_pairs) * factorial(2 * n_pairs) // factorial(n_pairs) // 2**n_pairs
        * comb(n_features - 2 * n_pairs, n_alone)
        for n_pairs in range(n_hidden + 1)
        for n_alone in range(n_hidden - n_pairs + 1)
        if 2 * n_pairs + n_alone <= n_features
    )  # fmt: skip
    assert len(structures) == expected


@pytest.mark.parametrize("seed", range(3))
def test_costs_on_axes_are_exact_losses(seed: int) -> None:
    importance, probability = schedule(seed, 5)
    dropped, paired = drop_costs(importance, probability), pair_costs(importance, probability)
    structures = axis_structures(5, 2)
    assert len(structures) == 71
    for structure in structures:
        b = probability / 2
        b[list(structure.kept)] = 0.0
        losses = sa.exact_loss(axis_weights(structure, 5, 2), b, importance, probability)
        assert axis_cost(structure, dropped, paired) == pytest.approx(losses.sum(), rel=1e-12, abs=1e-16)
        for group in structure.groups:
            if len(group) == 1:
                assert losses[group[0]] < 1e-15


def test_structures_say_what_they_are() -> None:
    assert str(Structure(((0,), (1, 3)))) == "dedicated 0, pair 1-3"
    assert str(Structure(((0, 2, 1),))) == "triangle 0-2-1"
    assert str(Structure(((0, 2, 1, 3, 4),))) == "pentagon 0-2-1-3-4"
    assert str(Structure(())) == "nothing"


# --- polygons ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_features", "n_corners"), [(5, 3), (5, 5), (6, 5), (7, 3), (4, 5)])
def test_every_polygon_is_listed_once_whatever_corner_or_sense_it_is_read_from(
    n_features: int, n_corners: int
) -> None:
    found = polygons(n_features, n_corners)
    edges = set()
    for structure in found:
        (order,) = structure.groups
        assert structure.kept == frozenset(order)
        assert len(order) == len(set(order)) == n_corners
        edges.add(frozenset(frozenset((order[k - 1], order[k])) for k in range(n_corners)))
    assert len(edges) == len(found) == comb(n_features, n_corners) * factorial(n_corners - 1) // 2


@given(SEEDS, st.sampled_from([3, 5]), st.floats(0.5, 1.5), st.floats(0.0, 0.1), st.floats(0.0, 0.2))
def test_polygons_have_their_corners_in_order(
    seed: int, n_corners: int, norm: float, tilt: float, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    probability = schedule(seed, 6)[1]
    order = tuple(rng.permutation(6)[:n_corners].tolist())
    structure = Structure((order,))
    W = polygon_weights(structure, probability, norm, tilt, spread)
    corners = W[:, list(order)]
    outside = [feature for feature in range(6) if feature not in order]
    np.testing.assert_array_equal(W[:, outside], 0.0)
    turns = np.angle((corners[0] + 1j * corners[1]) / np.roll(corners[0] + 1j * corners[1], 1))
    gaps = np.mod(turns, 2 * np.pi)
    assert gaps.sum() == pytest.approx(2 * np.pi)
    lengths = np.linalg.norm(corners, axis=0)
    assert np.exp(np.log(lengths).mean()) == pytest.approx(norm)
    # The rarer, the longer; and the wider the gap between two that are frequent.
    p = probability[list(order)]
    products = p * np.roll(p, 1)
    for values, key, sign in ((lengths, p, -1), (gaps, products, 1)):
        ranked = values[np.argsort(key)] * sign
        assert np.all(np.diff(ranked) >= -1e-9)
    plain = polygon_weights(structure, probability, norm)[:, list(order)]
    steps = np.arange(n_corners)
    cosines = np.cos(2 * np.pi * np.subtract.outer(steps, steps) / n_corners)
    np.testing.assert_allclose(plain.T @ plain, norm**2 * cosines, atol=1e-12)


# --- Chen et al. 2023, arXiv 2310.06301: one feature active at a time --------------------------------------

RARE = 1e-9
"""Two features at once are a part in 10^9 of the loss."""


def one_hot_loss(W: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean over the active feature of ∫₀¹ |x - x'|² du, and its gradient: L(n, k) of the paper.

    With the summed loss S and all p equal, one of n features is active with probability n p, so that it is
    the limit of S / (n p).
    """
    n = len(b)
    loss, dW, db = sa.exact_gradient(W, b, np.ones(n), np.full(n, RARE))
    return loss.sum() / RARE / n, dW / RARE / n, db / RARE / n


def regular(n_corners: int, length: float, bias: float) -> tuple[np.ndarray, np.ndarray]:
    angles = 2 * np.pi * np.arange(n_corners) / n_corners
    return length * np.stack([np.cos(angles), np.sin(angles)]), np.full(n_corners, bias)


PENTAGON = (1.17046, -0.28230)


def test_the_published_pentagon_has_its_published_loss() -> None:
    loss, _, _ = one_hot_loss(*regular(5, *PENTAGON))
    assert round(loss, 5) == 0.01583
    assert 15 * loss == pytest.approx(0.23738, abs=5e-6)


def test_the_published_pentagon_is_stationary() -> None:
    # Five digits of l* and b* leave a slope of the curvature times 5e-6.
    _, dW, db = one_hot_loss(*regular(5, *PENTAGON))
    assert np.abs(dW).max() < 1e-5
    assert np.abs(db).max() < 1e-5

    def objective(at: np.ndarray) -> tuple[float, np.ndarray]:
        W, b = regular(5, *at)
        loss, dW, db = one_hot_loss(W, b)
        return loss, np.array([(dW * W).sum() / at[0], db.sum()])

    found = minimize(objective, [1.0, -0.2], jac=True, method="BFGS", options={"gtol": 1e-10})
    np.testing.assert_allclose(found.x, PENTAGON, atol=6e-6)


def test_a_square_of_unit_length_loses_nothing_of_one_active_feature() -> None:
    loss, dW, db = one_hot_loss(*regular(4, 1.0, 0.0))
    assert loss < 1e-6  # two at once: a part in 10^9
    assert np.abs(dW).max() < 1e-6
    assert np.abs(db).max() < 1e-6
    # A pentagon with one corner too many, and a triangle, lose something.
    assert one_hot_loss(*regular(5, 1.0, 0.0))[0] > 0.01


@pytest.mark.parametrize("n_corners", [3, 4, 5, 6])
def test_one_hot_losses_by_the_integral(n_corners: int) -> None:
    """∫₀¹ of the squared errors over the one active magnitude, as a sum."""
    W, b = regular(n_corners, 1.1, -0.15)
    u = (np.arange(20_000) + 0.5) / 20_000
    total = 0.0
    for active in range(n_corners):
        x = np.zeros((len(u), n_corners))
        x[:, active] = u
        total += ((x - np.maximum(x @ W.T @ W + b, 0.0)) ** 2).sum(axis=1).mean()
    assert one_hot_loss(W, b)[0] == pytest.approx(total / n_corners, rel=1e-6)


def test_pairs_of_features_never_meet_in_the_one_hot_limit() -> None:
    importance, probability = np.ones(4), np.full(4, RARE)
    costs = pair_costs(importance, probability)
    assert (
        max(costs[pair] for pair in combinations(range(4), 2)) < 1e-6 * drop_costs(importance, probability)[0]
    )
