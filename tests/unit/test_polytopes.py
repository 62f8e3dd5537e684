"""Fractions of a dimension, polytopes and what chance gives: on arrangements that are known."""

from dataclasses import replace

import numpy as np
import pytest
import superposition_atlas as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.errors import ArgumentError
from superposition_atlas.metrics import polytopes
from superposition_atlas.metrics.features import dimensionality
from superposition_atlas.metrics.polytopes import NEAR_FRACTION, POLYTOPES
from superposition_atlas.schedules import Schedule

ANGLE = 2 * np.pi


def polygon(n):
    """Unit vectors [2, n] at equal angles."""
    turns = np.arange(n) / n * ANGLE
    return np.stack([np.cos(turns), np.sin(turns)])


def antiprism():
    """Eight unit vectors [3, 8]: two squares, one turned by 45°, so far apart that the frame is tight."""
    flat, z = np.sqrt(2 / 3), 1 / np.sqrt(3)
    turns = np.concatenate([np.arange(4) / 4, np.arange(4) / 4 + 1 / 8]) * ANGLE
    return np.stack([flat * np.cos(turns), flat * np.sin(turns), np.repeat([z, -z], 4)])


SHAPES = {
    "alone": np.ones((1, 1)),
    "tetrahedron": np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / np.sqrt(3),
    "triangle": polygon(3),
    "digon": np.array([[1.0, -1.0]]),
    "pentagon": polygon(5),
    "square antiprism": antiprism(),
}


def tegum(*shapes):
    """Shapes in orthogonal subspaces, W [hidden, feature]."""
    whole = np.zeros((sum(len(own) for own in shapes), sum(own.shape[1] for own in shapes)))
    row = column = 0
    for own in shapes:
        whole[row : row + len(own), column : column + own.shape[1]] = own
        row, column = row + len(own), column + own.shape[1]
    return whole


def turned(W, seed=0):
    """The same arrangement in another basis of the hidden space."""
    normal = np.random.default_rng(seed).normal(size=(len(W), len(W)))
    return np.linalg.qr(normal)[0] @ W


def models_with(*weights, probability=0.2):
    """Toy models [hidden, feature] of equally important features."""
    W = np.stack(weights).astype(np.float32)
    n = W.shape[2]
    schedule = Schedule(np.ones(n), np.full(n, probability))
    return replace(sa.random_dictionaries(schedule, W.shape[1], len(W)), W=W)


def test_each_polytope_is_named_and_has_its_fraction():
    W = turned(tegum(*(SHAPES[one.name] for one in POLYTOPES)))
    table = polytopes.polytope_table(models_with(W))
    wanted = [one for one in POLYTOPES for _ in range(one.n_features)]
    assert table["polytope"].tolist() == [one.name for one in wanted]
    assert table["dimensionality"].to_numpy() == pytest.approx([one.fraction for one in wanted], abs=1e-6)
    assert table["component_size"].tolist() == [one.n_features for one in wanted]
    assert table["component_dimensions"].tolist() == [one.n_dimensions for one in wanted]


def test_names_outlive_noise_and_do_not_depend_on_the_basis():
    W = tegum(SHAPES["pentagon"], SHAPES["digon"], SHAPES["triangle"])
    noise = np.random.default_rng(1).normal(scale=0.02, size=W.shape)
    table = polytopes.polytope_table(models_with(W + noise, turned(W + noise, 2)))
    names = ["pentagon"] * 5 + ["digon"] * 2 + ["triangle"] * 3
    assert table["polytope"].tolist() == names * 2


def test_other_arrangements_and_lost_features_have_no_name():
    W = tegum(polygon(7), np.array([[0.1]]))
    table = polytopes.polytope_table(models_with(W))
    assert table["polytope"].tolist() == ["other"] * 7 + ["absent"]
    assert table["component_size"].tolist() == [7] * 7 + [0]


def test_digons_have_half_a_dimension_a_feature():
    W = tegum(*[SHAPES["digon"]] * 4)
    assert polytopes.dimensions_per_feature(W[None]) == pytest.approx([0.5])
    assert polytopes.dimensions_per_feature(np.zeros((1, 2, 3))) == [np.inf]


def test_windows_end_halfway_between_fractions_that_are_close():
    found = polytopes.windows([0.5, 0.4, 0.375], 0.02)
    assert found[0] == pytest.approx((0.48, 0.52))
    assert found[1] == pytest.approx((0.3875, 0.42))
    assert found[2] == pytest.approx((0.355, 0.3875))


@given(st.floats(0.1, 0.9), st.floats(-1.5, 1.5), st.floats(0.002, 0.03))
@settings(deadline=None, max_examples=50)
def test_a_density_without_a_bend_gives_what_chance_gives(place, slope, within):
    # Quantiles of the density 1 + slope (x - 1/2) on [0, 1].
    share = (np.arange(200_000) + 0.5) / 200_000
    values = share
    for _ in range(50):
        values = values - (values + slope * (values**2 - values) / 2 - share) / (1 + slope * (values - 0.5))
    low, high = 5 * within + within, 1 - 5 * within - within
    if low < place < high:
        found = polytopes.inside(values, (place - within, place + within)).sum()
        window = polytopes.windows([place], within)
        assert polytopes.by_chance(values, 0, window) == pytest.approx(found, rel=0.02)


def test_a_line_is_more_than_chance_and_its_neighbour_no_less_for_it():
    values = np.concatenate([np.linspace(0.0, 1.0, 10_001), np.full(300, 0.5)])
    places = polytopes.windows([0.5, 0.4, 0.375], NEAR_FRACTION)
    assert polytopes.inside(values, places[0]).sum() >= 300
    for index, (low, high) in enumerate(places):
        assert polytopes.by_chance(values, index, places) == pytest.approx(10_000 * (high - low), rel=0.01)


def test_what_no_window_can_move_to_is_not_expected():
    places = [(0.0, 0.5), (0.5, 1.0)]
    assert polytopes.by_chance(np.linspace(0, 1, 100), 0, places) == 0.0
    # Nothing is above 1, so a window at 1 is compared with what is below.
    values = np.linspace(0.0, 1.0, 10_001)
    assert polytopes.by_chance(values, 0, [(0.98, 1.0)]) == pytest.approx(200, rel=0.01)


def test_fractions_count_levels_and_features_of_each_run():
    digons, pentagons = tegum(*[SHAPES["digon"]] * 4), tegum(*[SHAPES["pentagon"]] * 2)[:, :8]
    one_each = tegum(*[SHAPES["alone"]] * 4, np.zeros((0, 4)))
    table = polytopes.polytope_table(models_with(digons, pentagons, one_each))
    # Three toy models of one density are three runs of one level.
    assert table.groupby("instance")["run"].first().tolist() == [0, 1, 2]
    found = polytopes.fraction_table(table).set_index(["run", "fraction"])
    half = found.loc[(0, "1/2")]
    assert (half["n_levels"], half["n_levels_near"], half["n_features"]) == (1, 1, 8)
    assert (half["n_near"], half["n_on_line"], half["n_in_polytope"]) == (8, 8, 8)
    assert half["n_near_by_chance"] == half["n_on_line_by_chance"] == 0
    assert found.loc[(0, "any"), "n_near"] == 8
    assert np.isnan(found.loc[(0, "any"), "n_levels_near"])
    assert found.loc[(1, "2/5"), "n_in_polytope"] == 5  # the other pentagon lacks two features
    # Features alone do not count where nothing is in superposition.
    assert found.loc[(2, "1"), "n_features"] == 0
    assert (found["n_on_line"] <= found["n_near"]).all()
    assert (found["n_near"] <= found["n_features"]).all()
    assert (found["n_in_polytope"] <= found["n_on_line"]).all()


def test_a_line_of_another_shape_is_not_in_the_polytope():
    W = tegum(SHAPES["square antiprism"])
    found = polytopes.fraction_table(polytopes.polytope_table(models_with(W))).set_index("fraction")
    assert found.loc["3/8", "n_in_polytope"] == 8
    assert found.loc["2/5", "n_near"] == 0
    antiprism = found.loc["3/8"]
    assert (antiprism["polytope_on_line"], antiprism["n_of_polytope"]) == ("square antiprism", 8)
    assert antiprism["mean_of_polytope"] == pytest.approx(3 / 8)
    assert np.abs(dimensionality(W[None]) - 3 / 8).max() < 1e-12
    # Four digons that one more connects: 2/5 of a dimension for each feature, and no pentagon.
    ten = turned(np.concatenate([np.eye(4), -np.eye(4), np.ones((2, 4)) * [[0.5], [-0.5]]]).T)
    table = polytopes.polytope_table(models_with(ten))
    assert table["dimensionality"].to_numpy() == pytest.approx([0.4] * 8 + [0.25] * 2, abs=1e-6)
    assert set(table["polytope"]) == {"other"}
    line = polytopes.fraction_table(table).set_index("fraction").loc["2/5"]
    assert (line["n_on_line"], line["n_in_polytope"], line["polytope_on_line"]) == (8, 0, "other")


def test_features_must_be_alike():
    models = models_with(tegum(SHAPES["digon"]))
    unequal = replace(models, probability=np.array([[0.1, 0.2]], np.float32))
    with pytest.raises(ArgumentError, match="probability differs among the features"):
        polytopes.polytope_table(unequal)
