"""Schedules: closed forms of the families, and every way in which one can be wrong."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas import schedules
from superposition_atlas.schedules import Schedule

N_FEATURES = st.integers(1, 40)
POSITIVE = st.floats(1e-3, 1.0)
SEEDS = st.integers(0, 2**64 - 1)


def one_row(spec: schedules.Spec, n_features: int, base: np.ndarray | None = None) -> np.ndarray:
    rows = schedules.values(spec, n_features, base)
    assert rows.shape == (1, n_features)
    return rows[0]


# --- closed forms ------------------------------------------------------------------------------------------


@given(N_FEATURES, POSITIVE, POSITIVE)
def test_geometric_has_equal_ratios_and_meets_both_ends(n_features: int, first: float, last: float) -> None:
    values = one_row({"family": "geometric", "first": first, "last": last}, n_features)
    assert values[0] == pytest.approx(first)
    if n_features > 1:
        assert values[-1] == pytest.approx(last)
        np.testing.assert_allclose(values[1:] / values[:-1], (last / first) ** (1 / (n_features - 1)))


def test_geometric_by_ratio_is_the_talks_importance() -> None:
    values = one_row({"family": "geometric", "first": 1.0, "ratio": 0.9}, 80)
    np.testing.assert_allclose(values, [0.9**i for i in range(80)])


def test_geometric_from_1_to_a_fiftieth_is_the_talks_density() -> None:
    values = one_row({"family": "geometric", "first": 1.0, "last": 0.02}, 8)
    np.testing.assert_allclose(values, 50 ** -np.linspace(0, 1, 8))
    np.testing.assert_allclose(values, [1, 0.572, 0.327, 0.187, 0.107, 0.061, 0.035, 0.02], atol=5e-4)


@given(N_FEATURES, POSITIVE, POSITIVE)
def test_linear_has_equal_steps_and_meets_both_ends(n_features: int, first: float, last: float) -> None:
    values = one_row({"family": "linear", "first": first, "last": last}, n_features)
    assert values[0] == first
    if n_features > 1:
        assert values[-1] == pytest.approx(last)
        np.testing.assert_allclose(np.diff(values), (last - first) / (n_features - 1), atol=1e-12)


@given(N_FEATURES, POSITIVE, st.floats(0, 4))
def test_zipf_is_a_power_of_the_rank(n_features: int, first: float, exponent: float) -> None:
    values = one_row({"family": "zipf", "first": first, "exponent": exponent}, n_features)
    expected = [first / (rank**exponent) for rank in range(1, n_features + 1)]
    np.testing.assert_allclose(values, expected)


@given(N_FEATURES, POSITIVE)
def test_constant_is_constant(n_features: int, value: float) -> None:
    np.testing.assert_array_equal(one_row({"family": "constant", "value": value}, n_features), value)


@given(st.lists(POSITIVE, min_size=1, max_size=20))
def test_explicit_is_what_was_given(values: list[float]) -> None:
    np.testing.assert_array_equal(one_row({"family": "explicit", "values": values}, len(values)), values)


# --- random families ---------------------------------------------------------------------------------------


@given(st.sampled_from(["random_uniform", "log_uniform"]), SEEDS, N_FEATURES, POSITIVE, POSITIVE)
def test_random_families_stay_in_range_and_are_their_seeds(
    family: str, seed: int, n_features: int, low: float, high: float
) -> None:
    low, high = min(low, high), max(low, high)
    spec = {"family": family, "low": low, "high": high, "seed": seed}
    values = one_row(spec, n_features)
    assert np.all(values >= low * (1 - 1e-12))
    assert np.all(values <= high * (1 + 1e-12))
    np.testing.assert_array_equal(values, one_row(spec, n_features))
    # Adding features behind leaves the others as they are.
    np.testing.assert_array_equal(values, one_row(spec, n_features + 3)[:n_features])


@pytest.mark.parametrize(("family", "transform"), [("random_uniform", lambda x: x), ("log_uniform", np.log)])
def test_random_families_have_their_distribution(family: str, transform: Any) -> None:
    values = transform(one_row({"family": family, "low": 0.01, "high": 1.0, "seed": 7}, 20_000))
    low, high = transform(0.01), transform(1.0)
    assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.02 * (high - low))
    assert np.std(values) == pytest.approx((high - low) / np.sqrt(12), rel=0.02)


def test_another_seed_is_another_draw() -> None:
    for spec in (
        {"family": "random_uniform", "low": 0.1, "high": 1.0},
        {"family": "log_uniform", "low": 0.1, "high": 1.0},
    ):
        draws = {tuple(one_row({**spec, "seed": seed}, 5)) for seed in range(50)}
        assert len(draws) == 50


@given(SEEDS, st.lists(POSITIVE, min_size=1, max_size=30))
def test_a_random_permutation_is_a_permutation_and_its_seed(seed: int, values: list[float]) -> None:
    base = np.array(values)
    spec = {"family": "permutation", "of": "base", "seed": seed}
    permuted = one_row(spec, len(values), base)
    assert sorted(permuted) == sorted(values)
    np.testing.assert_array_equal(permuted, one_row(spec, len(values), base))


def test_random_permutations_reach_every_order_about_equally_often() -> None:
    counts: dict[tuple[float, ...], int] = {}
    for seed in range(1200):
        order = tuple(schedules.permuted(np.arange(3.0), seed=seed))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    # 200 each is expected; five standard deviations are 65.
    assert all(135 < count < 265 for count in counts.values())


# --- families made of others -------------------------------------------------------------------------------


@given(st.lists(POSITIVE, min_size=1, max_size=30))
def test_reversed_twice_is_the_same(values: list[float]) -> None:
    base = np.array(values)
    once = one_row({"family": "permutation", "of": "base", "order": "reversed"}, len(values), base)
    np.testing.assert_array_equal(once, values[::-1])
    twice = one_row({"family": "permutation", "of": "base", "order": "reversed"}, len(values), once)
    np.testing.assert_array_equal(twice, values)


@given(st.permutations(range(6)))
def test_an_explicit_order_takes_the_named_features(order: list[int]) -> None:
    base = np.linspace(0.9, 0.1, 6)
    permuted = one_row({"family": "permutation", "of": "base", "order": order}, 6, base)
    np.testing.assert_array_equal(permuted, [base[i] for i in order])


@given(st.lists(POSITIVE, min_size=1, max_size=30))
def test_mean_has_the_same_mean_and_no_spread(values: list[float]) -> None:
    mean = one_row({"family": "mean", "of": "base"}, len(values), np.array(values))
    np.testing.assert_allclose(mean, np.mean(values))
    assert np.ptp(mean) == 0


def test_per_instance_is_one_value_an_instance() -> None:
    spec = {
        "family": "per_instance",
        "of": {"family": "geometric", "first": 1.0, "last": 0.02},
        "count": 8,
    }
    rows = schedules.values(spec, 5)
    np.testing.assert_allclose(rows, np.repeat(50 ** -np.linspace(0, 1, 8)[:, None], 5, axis=1))


def test_families_nest() -> None:
    inner = {"family": "permutation", "of": {"family": "linear", "first": 0.2, "last": 1.0}, "seed": 3}
    mean = one_row({"family": "mean", "of": inner}, 5)
    np.testing.assert_allclose(mean, 0.6)


def test_base_is_the_experiments_own() -> None:
    base = np.array([0.5, 0.25])
    np.testing.assert_array_equal(one_row("base", 2, base), base)


# --- everything that can be wrong --------------------------------------------------------------------------

LINEAR = {"family": "linear", "first": 0.9, "last": 0.1}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("base", "base can't be made of base"),
        ("bases", "'bases' is neither base nor a mapping"),
        ({"family": "gauss"}, "unknown family 'gauss'; the families are constant, linear, geometric"),
        ({}, "unknown family None"),
        ({"family": "linear", "first": 0.9}, "family linear has wrong keys: .*'last'"),
        (
            {"family": "linear", "first": 0.9, "last": 0.1, "middle": 1},
            "family linear has wrong keys: .*middle",
        ),
        ({"family": "constant", "value": None}, "value is None: must be a finite number"),
        ({"family": "geometric", "first": 1.0}, "takes either last or ratio"),
        ({"family": "geometric", "first": 1.0, "last": 0.1, "ratio": 0.5}, "takes either last or ratio"),
        ({"family": "geometric", "first": 0.0, "last": 0.1}, "first is 0.0: must be a finite number above 0"),
        (
            {"family": "geometric", "first": 1.0, "last": -0.1},
            "last is -0.1: must be a finite number above 0",
        ),
        (
            {"family": "geometric", "first": 1.0, "ratio": 0.0},
            "ratio is 0.0: must be a finite number above 0",
        ),
        (
            {"family": "log_uniform", "low": 0.0, "high": 1.0, "seed": 1},
            "low is 0.0: must be a finite number above",
        ),
        (
            {"family": "log_uniform", "low": 0.1, "high": -1.0, "seed": 1},
            "high is -1.0: must be a finite number above",
        ),
        ({"family": "explicit", "values": [0.1, 0.2]}, "explicit has 2 values for 3 features"),
        ({"family": "permutation", "of": LINEAR}, "takes either order or seed"),
        ({"family": "permutation", "of": LINEAR, "seed": 1, "order": "reversed"}, "either order or seed"),
        (
            {"family": "permutation", "of": LINEAR, "order": "sorted"},
            "order is 'sorted': must be reversed, or the features",
        ),
        ({"family": "permutation", "of": LINEAR, "order": [0, 1, 1]}, "the features 0 … 2 each once"),
        ({"family": "permutation", "of": LINEAR, "order": [0, 1]}, "the features 0 … 2 each once"),
        ({"family": "permutation", "of": LINEAR, "order": []}, "the features 0 … 2 each once"),
        ({"family": "permutation", "order": "reversed"}, "family permutation has wrong keys: 'of'"),
        ({"family": "mean"}, "family mean has wrong keys: 'of'"),
        ({"family": "mean", "of": "base"}, "base can't be made of base"),
        ({"family": "per_instance", "of": LINEAR}, "family per_instance has wrong keys: 'count'"),
        (
            {"family": "mean", "of": {"family": "per_instance", "of": LINEAR, "count": 2}},
            "per_instance can't be used inside another family",
        ),
    ],
)
def test_a_wrong_family_is_one_line_that_says_what_is_wrong(spec: schedules.Spec, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        schedules.values(spec, 3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("importance", "probability", "message"),
    [
        ([1.0, 1.0], [0.1, 0.1, 0.1], "importance has 2 values for 3 features"),
        ([1.0, -0.1], [0.1, 0.1], "importance[1] is -0.1: must be at least 0"),
        ([1.0, np.inf], [0.1, 0.1], "importance[1] is inf: must be finite"),
        ([1.0, np.nan], [0.1, 0.1], "importance[1] is nan: must be finite"),
        ([1.0, 1.0], [0.1, 0.0], "probability[1] is 0.0: must be in (0, 1]"),
        ([1.0, 1.0], [0.1, 1.1], "probability[1] is 1.1: must be in (0, 1]"),
        ([1.0, 1.0], [0.1, np.nan], "probability[1] is nan: must be finite"),
        ([], [], "probability has shape (0,): must be [feature] or [instance, feature]"),
        (np.ones((1, 1, 2)), [0.1, 0.1], "importance has shape (1, 1, 2): must be"),
        ([1.0, 1.0], 0.1, "probability has shape (): must be [feature] or [instance, feature]"),
    ],
)
def test_a_schedule_out_of_range_is_an_error(importance: Any, probability: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        schedules.explicit(importance, probability)


def test_the_ends_of_the_ranges_are_allowed() -> None:
    schedule = schedules.explicit([0.0, 1e9], [1.0, 1e-9])
    np.testing.assert_allclose(schedule.sparsity, [0.0, 1 - 1e-9])
    assert schedule.n_features == 2


# --- for a notebook ----------------------------------------------------------------------------------------


def test_the_notebooks_functions_are_the_families() -> None:
    schedule = schedules.geometric(n_features=5, first=1.0, last=0.02, importance=0.9)
    np.testing.assert_allclose(schedule.importance, 0.9 ** np.arange(5))
    np.testing.assert_allclose(schedule.probability, 50 ** -np.linspace(0, 1, 5))
    np.testing.assert_allclose(schedules.linear(3, 0.9, 0.1).probability, [0.9, 0.5, 0.1])
    np.testing.assert_allclose(schedules.linear(3, 0.9, 0.1).importance, 1.0)
    uniform = schedules.uniform(3, 0.05, importance=[3.0, 2.0, 1.0])
    np.testing.assert_allclose(uniform.probability, 0.05)
    np.testing.assert_allclose(uniform.importance, [3, 2, 1])


def test_explicit_takes_one_schedule_an_instance() -> None:
    schedule = schedules.explicit(np.ones(3), np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]))
    assert schedule.n_features == 3
    assert schedule.sparsity.shape == (2, 3)


def test_a_list_of_importances_must_have_one_a_feature() -> None:
    with pytest.raises(ValueError, match="2 values for 3 features"):
        schedules.uniform(3, 0.5, importance=[1.0, 0.5])


def test_a_schedule_can_not_be_changed_by_name() -> None:
    schedule = schedules.uniform(3, 0.5)
    with pytest.raises(AttributeError):
        schedule.importance = np.zeros(3)  # type: ignore[misc]
    assert isinstance(schedule, Schedule)
