from dataclasses import replace

import numpy as np
import pytest
import superposition_atlas as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.errors import TheoryError, TrainingError
from superposition_atlas.schedules import geometric_values, linear_values, permuted
from superposition_atlas.theory.matching import Matching, match, partner_threshold
from superposition_atlas.theory.predictor import ranked_axes
from superposition_atlas.theory.rankings import greedy, most_important, most_valuable
from superposition_atlas.theory.structures import (
    axis_cost,
    axis_structures,
    axis_weights,
    drop_costs,
    joins,
    pair_costs,
)

IMPORTANCE = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(1e-3, 10.0))
DENSITY = st.one_of(st.sampled_from([0.05, 4 / 7, 1.0]), st.floats(1e-3, 1.0))
FEATURES = st.lists(st.tuples(IMPORTANCE, DENSITY), min_size=1, max_size=8)


def _arrays(features: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    importance, probability = np.array(features).T
    return importance, probability


def _saved_by_hand(found: Matching, importance: np.ndarray, probability: np.ndarray) -> float:
    dropped, paired = drop_costs(importance, probability), pair_costs(importance, probability)
    return dropped[list(found.kept)].sum() - sum(paired[pair] for pair in found.pairs)


@settings(max_examples=60, deadline=None)
@given(FEATURES, st.integers(1, 5))
def test_no_matching_of_all_saves_more(features: list[tuple[float, float]], n_hidden: int) -> None:
    importance, probability = _arrays(features)
    found = match(importance, probability, n_hidden)
    dropped, paired = drop_costs(importance, probability), pair_costs(importance, probability)
    least = min(
        axis_cost(structure, dropped, paired) for structure in axis_structures(len(features), n_hidden)
    )
    nothing = dropped.sum()
    assert found.cost == pytest.approx(least, abs=1e-9 * nothing)
    assert found.gap <= 1e-9 * nothing


@settings(max_examples=40, deadline=None)
@given(FEATURES, st.integers(1, 10))
def test_it_is_a_matching_and_its_numbers_are_those_of_its_groups(
    features: list[tuple[float, float]], n_hidden: int
) -> None:
    importance, probability = _arrays(features)
    found = match(importance, probability, n_hidden)
    assert len(found.alone) + len(found.pairs) <= n_hidden
    used = [*found.alone, *(feature for pair in found.pairs for feature in pair)]
    assert len(used) == len(set(used))
    assert sorted(used) == list(found.kept)
    assert found.saved == pytest.approx(_saved_by_hand(found, importance, probability))
    assert found.saved + found.cost == pytest.approx(drop_costs(importance, probability).sum())
    assert set(found.kept) | set(found.absent) == set(range(len(features)))
    assert found.structure.kept == frozenset(found.kept)
    words = {"alone": found.alone, "absent": found.absent}
    for word, members in words.items():
        assert list(np.flatnonzero(found.labels == word)) == list(members)
    assert [found.partner[i] for i, _ in found.pairs] == [j for _, j in found.pairs]


def _random_schedule(draw_seed: int, n_features: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(draw_seed)
    return random.uniform(0.05, 1.0, n_features), 10 ** random.uniform(-2.3, 0.0, n_features)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(9, 40), st.integers(1, 12))
def test_features_in_another_order_have_the_same_matching(seed: int, n_features: int, n_hidden: int) -> None:
    importance, probability = _random_schedule(seed, n_features)
    order = np.random.default_rng(seed + 1).permutation(n_features)
    found = match(importance, probability, n_hidden)
    permuted_ = match(importance[order], probability[order], n_hidden)
    np.testing.assert_array_equal(permuted_.labels, found.labels[order])
    pairs = {frozenset(pair) for pair in found.pairs}
    assert {frozenset((int(order[i]), int(order[j]))) for i, j in permuted_.pairs} == pairs


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.floats(1e-6, 1e6))
def test_importance_as_a_factor_changes_nothing_but_the_numbers(seed: int, factor: float) -> None:
    importance, probability = _random_schedule(seed, 20)
    found, scaled = match(importance, probability, 6), match(factor * importance, probability, 6)
    np.testing.assert_array_equal(scaled.labels, found.labels)
    assert scaled.cost == pytest.approx(factor * found.cost)
    assert scaled.loss_share == pytest.approx(found.loss_share)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(9, 30))
def test_each_further_dimension_saves_less(seed: int, n_features: int) -> None:
    saved = [match(*_random_schedule(seed, n_features), m).saved for m in range(1, 8)]
    gains = np.diff([0.0, *saved])
    assert (gains > 0).all()
    assert (np.diff(gains) <= 1e-9 * saved[-1]).all()


def test_of_equal_features_the_lower_are_alone_before_shared_before_absent() -> None:
    found = match(np.ones(9), np.full(9, 0.2), 3)
    assert found.pairs == ((0, 1), (2, 3), (4, 5))
    frequent = match(np.ones(9), np.full(9, 0.9), 3)
    assert frequent.alone == (0, 1, 2)
    assert frequent.pairs == ()
    mixed = match(np.ones(5), np.full(5, 0.2), 4)
    assert mixed.alone == (0, 1, 2)
    assert mixed.pairs == ((3, 4),)


def test_all_have_a_dimension_where_there_are_enough() -> None:
    importance, probability = _random_schedule(1, 30)
    found = match(importance, probability, 30)
    assert found.alone == tuple(range(30))
    assert found.cost == 0.0
    # Less than any tolerance of the programs inside, and yet there is a dimension for it.
    assert match([1.0, 1e-12, 1e-13], [0.5, 0.5, 0.5], 3).alone == (0, 1, 2)


def test_features_of_no_importance_are_absent() -> None:
    assert match([0.0, 1.0, 0.0], [0.5, 0.5, 0.5], 2).labels.tolist() == ["absent", "alone", "absent"]
    nothing = match([0.0, 0.0], [0.5, 0.5], 1)
    assert nothing.kept == ()
    assert nothing.cost == 0.0
    assert np.isnan(nothing.loss_share)


@pytest.mark.parametrize("family", ["geometric", "equal", "uniform"])
def test_the_optimum_is_proved_at_a_hundred_features(family: str) -> None:
    importance, probability = {
        "geometric": (0.9 ** np.arange(100.0), permuted(geometric_values(100, 1.0, 0.02), seed=3)),
        "equal": (np.ones(100), linear_values(100, 0.9, 0.1)),
        "uniform": (0.95 ** np.arange(100.0), np.full(100, 0.2)),
    }[family]
    found = match(importance, probability, 20)
    assert found.gap <= 1e-9 * (found.cost + found.saved)


def test_the_bound_is_stated_at_three_hundred_features() -> None:
    found = match(*_random_schedule(0, 300), 60)
    assert 0.0 <= found.gap <= 1e-6 * (found.cost + found.saved)


def test_it_is_the_cheapest_where_all_can_be_enumerated() -> None:
    for seed in range(10):
        importance, probability = _random_schedule(seed, 6)
        cheapest = ranked_axes(importance, probability, 2)[0]
        found = match(importance, probability, 2)
        assert found.structure.kept == cheapest.structure.kept
        assert found.cost / 6 == pytest.approx(cheapest.cost)


def test_its_cost_is_the_exact_loss_of_its_weights() -> None:
    importance, probability = _random_schedule(5, 8)
    found = match(importance, probability, 3)
    b = probability / 2
    b[list(found.kept)] = 0.0
    W = axis_weights(found.structure, 8, 3)
    assert sa.exact_loss(W, b, importance, probability).sum() == pytest.approx(found.cost)


# --- partners ----------------------------------------------------------------------------------------------

POSITIVE = st.floats(1e-3, 10.0)


@given(POSITIVE, POSITIVE, st.floats(1e-3, 1.0), st.floats(1e-3, 1.0))
def test_a_feature_shares_rather_than_being_absent_below_the_threshold(
    I_i: float, I_j: float, p_i: float, p_j: float
) -> None:
    threshold = float(partner_threshold(p_i, I_i, I_j))
    if abs(p_j - threshold) < 1e-9:
        return
    importance, probability = np.array([I_i, I_j]), np.array([p_i, p_j])
    below = p_j < threshold
    assert below == (pair_costs(importance, probability)[0, 1] < drop_costs(importance, probability)[0])
    assert below == joins(importance, probability, 0, 1)


@given(POSITIVE, POSITIVE, st.floats(1e-3, 1.0), st.floats(1e-3, 1.0))
def test_two_features_share_one_dimension_iff_each_is_below_the_others_threshold(
    I_i: float, I_j: float, p_i: float, p_j: float
) -> None:
    of_j, of_i = float(partner_threshold(p_i, I_i, I_j)), float(partner_threshold(p_j, I_j, I_i))
    if min(abs(p_j - of_j), abs(p_i - of_i)) < 1e-6:
        return
    found = match([I_i, I_j], [p_i, p_j], 1)
    assert (len(found.kept) == 2) == (p_j < of_j and p_i < of_i)


def test_no_absent_feature_would_share_with_one_alone() -> None:
    importance, probability = 0.9 ** np.arange(40.0), permuted(geometric_values(40, 1.0, 0.02), seed=3)
    found = match(importance, probability, 10)
    assert found.alone
    assert found.absent
    for j in found.alone:
        absent = list(found.absent)
        threshold = partner_threshold(probability[absent], importance[absent], importance[j])
        assert (probability[j] >= threshold).all()


def test_two_equal_features_share_up_to_the_triple_point() -> None:
    assert partner_threshold(4 / 7, 1.0, 1.0) == pytest.approx(4 / 7)
    assert match([1.0, 1.0], [0.57, 0.57], 1).pairs == ((0, 1),)
    assert match([1.0, 1.0], [0.573, 0.573], 1).alone == (0,)


def test_an_absent_frequent_feature_makes_room_for_two_that_save_more() -> None:
    # P2: V_i < V_j + V_k - c_jk, though V_i is larger than either of them.
    importance, probability = np.ones(3), np.array([0.9, 0.4, 0.4])
    V, c = drop_costs(importance, probability), pair_costs(importance, probability)
    assert V[0] > max(V[1], V[2])
    assert V[0] < V[1] + V[2] - c[1, 2]
    assert match(importance, probability, 1).pairs == ((1, 2),)


# --- baselines, arguments ----------------------------------------------------------------------------------


def test_where_nothing_would_share_the_matching_is_the_linear_model() -> None:
    importance, probability = 0.9 ** np.arange(12.0), np.full(12, 1.0)
    found = match(importance, probability, 4)
    np.testing.assert_array_equal(found.is_kept, most_valuable(importance, probability, 4))
    np.testing.assert_array_equal(found.is_kept, most_important(importance, probability, 4))


@settings(max_examples=40, deadline=None)
@given(FEATURES, st.integers(1, 5))
def test_a_greedy_choice_is_a_matching_and_never_better(
    features: list[tuple[float, float]], n_hidden: int
) -> None:
    importance, probability = _arrays(features)
    structure = greedy(importance, probability, n_hidden)
    assert len(structure.groups) <= n_hidden
    assert len(structure.kept) == sum(map(len, structure.groups))
    dropped, paired = drop_costs(importance, probability), pair_costs(importance, probability)
    cost = axis_cost(structure, dropped, paired)
    assert cost >= match(importance, probability, n_hidden).cost - 1e-9 * dropped.sum()


def test_a_greedy_choice_is_the_matching_where_the_order_is_aligned_and_not_where_it_is_random() -> None:
    aligned = greedy(IMPORTANT, GEOMETRIC, 20)
    assert aligned == match(IMPORTANT, GEOMETRIC, 20).structure
    mixed = permuted(GEOMETRIC, seed=3)
    found, chosen = match(IMPORTANT, mixed, 20), greedy(IMPORTANT, mixed, 20)
    # It is nearer to training, which has 31 features, 9 of them alone.
    assert len(chosen.kept) < len(found.kept)
    assert sum(len(group) == 1 for group in chosen.groups) > len(found.alone)


def test_a_schedule_or_toy_models_are_taken_as_well() -> None:
    schedule = sa.schedules.geometric(n_features=5, first=1.0, last=0.02, importance=0.9)
    found = sa.match(schedule, n_hidden=2)
    assert found.structure == match(schedule.importance, schedule.probability, 2).structure
    models = sa.train(schedule, n_hidden=2, seeds=[0, 1], steps=0)
    assert sa.match(models).structure == found.structure
    binary = replace(models, settings=replace(models.settings, magnitudes="binary"))
    with pytest.raises(TheoryError, match="magnitudes of the toy models is 'binary': must be 'uniform'"):
        sa.match(binary)


def test_its_repr_is_one_short_line() -> None:
    assert repr(match([1.0, 0.9, 0.1], [1.0, 0.1, 0.1], 2)) == (
        "Matching(3 features in 2 dimensions: 3 represented, 1 alone, 2 in pairs, 1.5% of the loss left)"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [0.5]), "n_hidden is missing"),
        (([1.0], None, 1), "probability is missing"),
        (([1.0, 2.0], [0.5], 1), "importance has 2 features, probability 1"),
        (([-1.0], [0.5], 1), r"importance\[0\] is -1.0: must be at least 0"),
        (([1.0], [0.0], 1), r"probability\[0\] is 0.0: must be in \(0, 1\]"),
        (([1.0], [np.nan], 1), r"probability\[0\] is nan: must be finite"),
        ((np.ones(5000), np.ones(5000), 1), "there are 5000 features"),
        ((sa.schedules.uniform(3, 0.5), [0.5], 1), "probability is given twice"),
        ((sa.schedules.explicit([1.0, 1.0], [[0.1, 0.2], [0.1, 0.3]]), None, 1), "probability differs"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple, message: str) -> None:
    with pytest.raises(TheoryError, match=message):
        match(*arguments)


def test_there_is_a_dimension_at_least() -> None:
    with pytest.raises(TrainingError, match="n_hidden is 0: must be at least 1"):
        match([1.0], [0.5], 0)


# --- the experiment of the post ----------------------------------------------------------------------------

IMPORTANT, EQUAL = 0.9 ** np.arange(80.0), np.ones(80)
GEOMETRIC, LINEAR = geometric_values(80, 1.0, 0.02), linear_values(80, 0.9, 0.1)


@pytest.mark.parametrize(
    ("importance", "probability", "n_kept", "n_alone", "loss_share"),
    [
        (IMPORTANT, GEOMETRIC, 24, 16, 0.074),
        (IMPORTANT, np.full(80, GEOMETRIC.mean()), 28, 12, 0.088),
        (IMPORTANT, permuted(GEOMETRIC, seed=3), 37, 3, 0.055),
        (IMPORTANT, permuted(GEOMETRIC, seed=4), 33, 7, 0.040),
        (IMPORTANT, GEOMETRIC[::-1], 40, 0, 0.099),
        (EQUAL, GEOMETRIC, 40, 0, 0.398),
        (IMPORTANT, LINEAR, 20, 20, 0.126),
        (IMPORTANT, LINEAR[::-1], 33, 7, 0.148),
        (IMPORTANT, permuted(LINEAR, seed=3), 26, 14, 0.102),
        (IMPORTANT, permuted(LINEAR, seed=4), 25, 15, 0.095),
        (EQUAL, LINEAR, 40, 0, 0.638),
    ],
    ids=[
        *("geometric-case1", "uniform-matched", "geometric-case3", "geometric-case4", "geometric-case2"),
        *("geometric-equal", "linear-case1", "linear-case2", "linear-case3", "linear-case4", "linear-equal"),
    ],
)
def test_eighty_features_in_twenty_dimensions(
    importance: np.ndarray, probability: np.ndarray, n_kept: int, n_alone: int, loss_share: float
) -> None:
    found = match(importance, probability, 20)
    assert (len(found.kept), len(found.alone)) == (n_kept, n_alone)
    assert found.loss_share == pytest.approx(loss_share, abs=6e-4)
