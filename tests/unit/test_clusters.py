"""Shares of cases that resemble each other: fewer independent ones, never a clearer verdict."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.metrics.clusters import clustered_verdict, independent_cases, share_variance
from superposition_atlas.metrics.verdicts import SHARE_REGIONS, share_verdict

N_TESTS = st.sampled_from([1, 30])


@st.composite
def grids(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Answers of schedules by seeds, and the labels of both."""
    n_schedules, n_seeds = draw(st.integers(2, 8)), draw(st.integers(1, 6))
    flags = st.lists(st.booleans(), min_size=n_schedules * n_seeds, max_size=n_schedules * n_seeds)
    schedules = np.repeat(np.arange(n_schedules), n_seeds)
    return np.array(draw(flags), dtype=float), schedules, np.tile(np.arange(n_seeds), n_schedules)


@given(grids(), N_TESTS)
def test_with_every_case_by_itself_it_is_the_exact_interval(drawn: tuple, n_tests: int) -> None:
    part, whole, each = drawn[0], np.ones(len(drawn[0])), [np.arange(len(drawn[0]))]
    found = clustered_verdict(part, whole, each, n_tests)
    expected = share_verdict(part.sum(), len(part), n_tests)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@given(grids(), N_TESTS)
def test_clusters_never_add_independent_cases(drawn: tuple, n_tests: int) -> None:
    part, schedules, seeds = drawn
    whole = np.ones(len(part))
    one = independent_cases(part, whole, [schedules], n_tests)
    both = independent_cases(part, whole, [schedules, seeds], n_tests)
    assert 1 <= both <= one + 1e-9 <= len(part) + 2e-9
    assert share_variance(part, whole, [schedules, seeds]) >= share_variance(part, whole, [seeds]) - 1e-15


@given(grids(), st.integers(2, 5), N_TESTS)
def test_more_clusters_of_the_same_kind_make_it_clearer(drawn: tuple, factor: int, n_tests: int) -> None:
    part, schedules, _ = drawn
    many = np.concatenate([schedules + k * 1000 for k in range(factor)])
    small = clustered_verdict(part, np.ones(len(part)), [schedules], n_tests)
    large = clustered_verdict(np.tile(part, factor), np.ones(factor * len(part)), [many], n_tests)
    assert set(large.regions) <= set(small.regions)


@given(grids())
def test_seeds_that_no_two_schedules_share_change_nothing(drawn: tuple) -> None:
    part, schedules, seeds = drawn
    whole, own = np.ones(len(part)), schedules * 1000 + seeds
    one, both = (share_variance(part, whole, ways) for ways in ([schedules], [schedules, own]))
    assert both == pytest.approx(max(one, share_variance(part, whole, [own])))


def test_schedules_that_agree_within_themselves_count_once() -> None:
    part = np.repeat([1.0, 0.0, 1.0, 1.0, 0.0] * 4, 50)
    schedules = np.repeat(np.arange(20), 50)
    whole = np.ones(len(part))
    assert independent_cases(part, whole, [schedules]) <= 20
    assert str(clustered_verdict(part, whole, [schedules])) == "seldom or mostly"
    assert str(share_verdict(600, 1000)) == "mostly"
    # All of all seeds: as many as there are schedules.
    assert independent_cases(whole, whole, [schedules]) == 20


def test_of_features_the_toy_models_are_the_clusters() -> None:
    part, whole = np.array([4.0, 4.0, 0.0, 4.0]), np.full(4, 4.0)
    found = clustered_verdict(part, whole, [np.arange(4)])
    assert independent_cases(part, whole, [np.arange(4)]) < 4
    assert found.low < 0.75 < found.high
    with pytest.raises(ValueError, match="a share of nothing"):
        clustered_verdict(np.zeros(2), np.zeros(2), [np.arange(2)])


def test_simulated_schedules_hold_the_mean_as_often_as_promised() -> None:
    """Schedules with shares of their own, uniform on [.4, 1]: the interval is of their mean, .7."""
    rng, hits, trials = np.random.default_rng(3), 0, 300
    schedules, seeds = np.repeat(np.arange(25), 8), np.arange(200)
    for _ in range(trials):
        part = (rng.uniform(size=200) < np.repeat(rng.uniform(0.4, 1.0, 25), 8)).astype(float)
        found = clustered_verdict(part, np.ones(200), [schedules, seeds])
        hits += found.low <= 0.7 <= found.high
    assert hits >= 0.92 * trials
    assert SHARE_REGIONS[2] == "mostly"
