"""Theory where features depend on one another: supports, exact loss, costs of pairs, matching."""

from itertools import combinations

import numpy as np
import pytest
import superposition_atlas as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.sampling.sample import sample
from superposition_atlas.sampling.structure import joint_probability, none_active
from superposition_atlas.schedules import Schedule
from superposition_atlas.theory.structures import drop_costs, pair_costs
from superposition_atlas.theory.supports import (
    exact_probability,
    frequent_states,
    structured_states,
    support_probabilities,
)

from tests.unit.structure_samples import five, random_schedule

FOUR = np.full(4, 0.1)
PAIRS = [{"form": "together", "features": [0, 1]}, {"form": "together", "features": [2, 3]}]


def structured(seed, most=6):
    """The first of the random schedules from a seed on that has a group of two features."""
    while (schedule := random_schedule(seed, most)).structure is None:
        seed += 10**6
    return schedule


def weights_of(schedule, n_hidden, seed):
    random = np.random.default_rng(seed)
    shape = (n_hidden, schedule.n_features)
    return 0.8 * random.normal(size=shape), 0.2 * random.normal(size=schedule.n_features)


@given(seed=st.integers(0, 10**5))
def test_supports_have_the_probabilities_of_features_and_pairs(seed):
    schedule = structured(seed, 8)
    p, rows = schedule.probability, (schedule.probability[None], schedule.structure[None])
    (weight,) = support_probabilities(*rows)
    n = len(p)
    members = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    assert weight.sum() == pytest.approx(1.0)
    joint = joint_probability(exact_probability(p, schedule.structure), schedule.structure)
    np.testing.assert_allclose(members.T @ (weight[:, None] * members), joint, atol=1e-12)
    assert weight[0] == pytest.approx(none_active(*rows)[0], abs=1e-8)


def test_a_group_has_few_supports():
    p = np.linspace(0.05, 0.12, 8)
    for form, most in (("exclusive", 9), ("together", 9)):
        schedule = Schedule(np.ones(8), p, [{"form": form, "features": list(range(8))}])
        weight = support_probabilities(p[None], schedule.structure[None])[0]
        assert np.count_nonzero(weight) == most
    schedule = Schedule(np.ones(8), p, [{"form": "exclusive", "features": list(range(8))}])
    assert len(structured_states(p[None], schedule.structure[None]).starts) - 1 == 1 + 2 * 8


def check_against_samples(seed, n_samples):
    schedule = structured(seed)
    W, b = weights_of(schedule, 1 + seed % 3, seed)
    x = sample(seed, 0, n_samples, schedule.probability, structure=schedule.structure)[0].astype(float)
    errors = schedule.importance * (x - np.maximum(x @ W.T @ W + b, 0.0)) ** 2
    spread = errors.std(axis=0) / np.sqrt(n_samples)
    assert np.all(np.abs(errors.mean(axis=0) - sa.exact_loss(W, b, schedule)) <= 4 * spread + 1e-7)


@pytest.mark.parametrize("seed", range(8))
def test_the_exact_loss_is_that_of_samples(seed):
    check_against_samples(seed, 2**16)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_the_exact_loss_is_that_of_many_samples(seed):
    check_against_samples(seed, 2**18)


@given(seed=st.integers(0, 10**5))
@settings(max_examples=20)
def test_gradients_are_those_of_differences(seed):
    schedule = structured(seed, 5)
    W, b = weights_of(schedule, 2, seed)
    _, dW, db = sa.exact_gradient(W, b, schedule)
    random = np.random.default_rng(seed)
    for _ in range(3):
        along_W, along_b, step = random.normal(size=W.shape), random.normal(size=b.shape), 1e-6
        up, down = (
            sa.exact_loss(W + sign * step * along_W, b + sign * step * along_b, schedule).sum()
            for sign in (1, -1)
        )
        assert (up - down) / (2 * step) == pytest.approx((dW * along_W).sum() + db @ along_b, abs=1e-6)


def test_toy_models_and_rows_bring_their_structure():
    rows = five(2)
    models = sa.train(rows, 2, 2, steps=0, progress=False)
    expected = [
        sa.exact_loss(models.W[k], models.b[k], rows.importance, rows.probability[k], rows.structure[k])
        for k in range(2)
    ]
    np.testing.assert_allclose(sa.exact_loss(models), expected, rtol=1e-12)
    independent = sa.exact_loss(models.W, models.b, rows.importance, rows.probability)
    assert np.abs(sa.exact_loss(models) / independent - 1).max() > 0.01


def test_rare_supports_hold_little_of_the_loss():
    schedule = Schedule(np.ones(6), np.geomspace(1e-4, 1e-2, 6), PAIRS)
    some = frequent_states(schedule.importance, schedule.probability, 1e-5, schedule.structure)
    whole = structured_states(schedule.probability[None], schedule.structure[None])
    assert len(some.starts) < len(whole.starts)
    assert some.weight.sum() == pytest.approx(1.0, abs=1e-5)


# --- costs of pairs, matching, best solutions ---------------------------------------------------------------


@given(seed=st.integers(0, 10**5))
@settings(max_examples=30)
def test_an_antipodal_pair_costs_what_its_joint_probability_says(seed):
    schedule = structured(seed, 5)
    p, importance = exact_probability(schedule.probability, schedule.structure), schedule.importance
    costs = pair_costs(importance, p, joint_probability(p, schedule.structure))
    for i, j in combinations(range(len(p)), 2):
        W, b = np.zeros((1, len(p))), p / 2
        W[0, [i, j]], b[[i, j]] = (1.0, -1.0), 0.0
        losses = sa.exact_loss(W, b, schedule)
        assert losses[[i, j]].sum() == pytest.approx(costs[i, j], abs=1e-12)
        others = np.delete(np.arange(len(p)), [i, j])
        np.testing.assert_allclose(losses[others], drop_costs(importance, p)[others], atol=1e-12)


def test_exclusive_features_share_dimensions_for_nothing():
    exclusive = [{"form": "exclusive", "features": [0, 1]}, {"form": "exclusive", "features": [2, 3]}]
    found = sa.match(Schedule(np.ones(4), np.full(4, 0.4), exclusive), n_hidden=2)
    assert found.pairs == ((0, 1), (2, 3))
    assert found.cost == pytest.approx(0.0, abs=1e-9)


def test_correlated_features_are_matched_across_their_pairs():
    found = sa.match(Schedule(np.ones(4), FOUR, PAIRS), n_hidden=2)
    assert found.kept == (0, 1, 2, 3)
    assert not {(0, 1), (2, 3)} & set(found.pairs)
    assert found.cost == pytest.approx(2 * 0.01 * 2 / 6)


@given(seed=st.integers(0, 10**5))
@settings(max_examples=15)
def test_the_matching_is_the_best_of_all(seed):
    schedule = structured(seed, 6)
    importance, p = schedule.importance, schedule.probability
    dropped, paired = (
        drop_costs(importance, p),
        pair_costs(importance, p, joint_probability(p, schedule.structure)),
    )

    def cheapest(features, room):
        if not features or not room:
            return dropped[list(features)].sum()
        first, rest = features[0], features[1:]
        choices = [dropped[first] + cheapest(rest, room), cheapest(rest, room - 1)]
        choices += [
            paired[first, other] + cheapest(tuple(k for k in rest if k != other), room - 1) for other in rest
        ]
        return min(choices)

    found = sa.match(schedule, n_hidden=2)
    assert found.cost == pytest.approx(cheapest(tuple(range(len(p))), 2), rel=1e-9, abs=1e-12)


def test_best_solutions_lay_correlated_pairs_at_right_angles_and_exclusive_ones_opposite():
    (best, *_) = sa.best_solutions(Schedule(np.ones(4), FOUR, PAIRS), n_hidden=2, n_starts=2)
    cosines = best.W.T @ best.W
    cosines /= np.sqrt(np.outer(np.diag(cosines), np.diag(cosines)))
    np.testing.assert_allclose(cosines[[0, 2], [1, 3]], 0.0, atol=0.1)
    exclusive = [{"form": "exclusive", "features": [0, 1]}, {"form": "exclusive", "features": [2, 3]}]
    (best, *_) = sa.best_solutions(Schedule(np.ones(4), np.full(4, 0.3), exclusive), n_hidden=2, n_starts=2)
    assert best.loss == pytest.approx(0.0, abs=1e-9)
