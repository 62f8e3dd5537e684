import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.schedules import Schedule
from superposition_atlas.theory.random_schedules import (
    FAMILIES,
    HIGH,
    IMPORTANCE_FAMILIES,
    STEEPNESS,
    random_schedules,
)

FROZEN = (
    [0.0117915028071, 0.412127866899, 0.0193003626508, 0.0364296247416, 0.089186418751],
    [1.0, 0.722320717034, 0.521747218256, 0.376868824801, 0.272220159758],
)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 100), st.integers(0, 300))
def test_a_schedule_depends_on_its_index_and_size_alone(n_features: int, index: int) -> None:
    (one,) = random_schedules(n_features, 1, first=index)
    among = list(random_schedules(n_features, index + 3))[index]
    assert (one.index, one.family, one.importance_family) == (index, among.family, among.importance_family)
    np.testing.assert_array_equal(one.probability, among.probability)
    np.testing.assert_array_equal(one.importance, among.importance)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 100), st.integers(0, 300))
def test_schedules_are_in_the_range_that_is_stated(n_features: int, index: int) -> None:
    (one,) = random_schedules(n_features, 1, first=index)
    Schedule(one.importance, one.probability)
    assert one.probability.max() <= HIGH[1]
    assert one.probability.min() >= HIGH[0] / STEEPNESS[1] * (1 - 1e-9)
    assert one.probability.max() / one.probability.min() <= STEEPNESS[1] * (1 + 1e-9)
    assert one.importance.max() <= 1.0
    assert one.importance.min() > 0.0
    if one.family in ("geometric", "linear", "zipf", "two_levels"):
        assert HIGH[0] <= one.probability.max()
        assert one.probability.max() / one.probability.min() >= STEEPNESS[0] * (1 - 1e-9)


def test_families_and_orders_are_mixed() -> None:
    drawn = list(random_schedules(20, 600))
    for name, families in (("family", FAMILIES), ("importance_family", IMPORTANCE_FAMILIES)):
        counts = [sum(getattr(one, name) == family for one in drawn) for family in families]
        # Within four standard deviations of equal shares.
        expected = 600 / len(families)
        assert max(abs(count - expected) for count in counts) < 4 * np.sqrt(expected)
    places = [int(one.probability.argmax()) for one in drawn if one.family == "geometric"]
    assert len(set(places)) >= 17
    correlations = [
        np.corrcoef(one.importance, one.probability)[0, 1]
        for one in drawn
        if one.importance_family == "geometric"
    ]
    assert abs(np.mean(correlations)) < 0.1


def test_sizes_have_schedules_and_seeds_of_their_own() -> None:
    first = {n: next(random_schedules(n, 1)) for n in (5, 20, 80)}
    assert len({one.probability[0] for one in first.values()}) == 3
    seeds = [seed for n in (5, 20, 80) for one in random_schedules(n, 200) for seed in one.training_seeds(8)]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) > 2**48
    assert max(seeds) < 2**64


def test_the_generator_is_frozen() -> None:
    one = list(random_schedules(5, 3))[2]
    assert (one.family, one.importance_family) == ("zipf", "geometric")
    np.testing.assert_allclose(one.probability, FROZEN[0], rtol=1e-9)
    np.testing.assert_allclose(one.importance, FROZEN[1], rtol=1e-9)


@pytest.mark.parametrize(("n_features", "count", "first"), [(1, 1, 0), (5, 1, -1), (5, 2**32, 0)])
def test_what_is_no_range_is_refused(n_features: int, count: int, first: int) -> None:
    with pytest.raises(ValueError, match="no schedules"):
        next(random_schedules(n_features, count, first))
