import numpy as np
import pytest
import superposition_atlas as sa
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.maps.interventions import (
    half_share_point,
    optimum_shares,
    rule_labels,
    threshold_of,
    trained_shares,
    varied_schedule,
)
from superposition_atlas.schedules import Schedule

PAIR = Schedule(np.array([0.3, 1.0]), np.array([0.2, 0.5]))
VALUES = np.linspace(0.05, 0.95, 10)


def test_only_the_partner_is_varied() -> None:
    schedule = varied_schedule(PAIR, 1, [0.1, 0.9], 3)
    np.testing.assert_array_equal(schedule.importance, np.tile([0.3, 1.0], (6, 1)))
    np.testing.assert_array_equal(schedule.probability[:, 0], 0.2)
    np.testing.assert_array_equal(schedule.probability[:, 1], [0.1] * 3 + [0.9] * 3)


def test_the_rule_lets_go_at_the_threshold() -> None:
    threshold = threshold_of(PAIR, 0, 1)
    assert threshold == pytest.approx(1.7 * 0.3 / 1.3)
    labels = rule_labels(PAIR, 1, 0, 1, [threshold - 1e-6, threshold + 1e-6])
    assert labels["feature_label"].tolist() == ["shared", "absent"]
    assert labels["partner_label"].tolist() == ["shared", "alone"]
    assert labels["feature_partner"].tolist() == [1, -1]


def test_the_optimum_lets_go_a_little_above_the_threshold() -> None:
    threshold = threshold_of(PAIR, 0, 1)
    values = [threshold - 0.02, threshold + 0.1]
    assert optimum_shares(PAIR.importance, PAIR.probability, 1, values).tolist() == [True, False]


def test_elsewhere_a_feature_is_offered_another_place() -> None:
    # Feature 1 gets frequent: 0 takes 2 as its partner in its stead.
    schedule = Schedule(np.ones(4), np.full(4, 0.1))
    labels = rule_labels(schedule, 2, 0, 1, [0.1, 0.95])
    assert (labels["feature_label"] == "shared").all()
    assert labels["feature_partner"].iloc[1] != 1


def test_toy_models_that_start_apart_part_just_above_the_threshold() -> None:
    values = [0.15, 0.3, 0.6, 0.9]
    n_seeds = 12
    schedule = varied_schedule(PAIR, 1, values, n_seeds)
    models = sa.train(schedule, 1, range(len(values) * n_seeds), steps=4000, batch_size=256)
    shares = trained_shares(models, 0, 1)
    assert shares["varied"].tolist() == pytest.approx(values)
    assert (shares["n_seeds"] == n_seeds).all()
    assert (shares["n_apart"] > 0).all()
    point = half_share_point(shares["varied"], shares["together_if_apart"])
    assert threshold_of(PAIR, 0, 1) - 0.1 < point < threshold_of(PAIR, 0, 1) + 0.2
    assert (shares["partner_represented"] > 0.5).all()


@given(st.floats(0.06, 0.94))
def test_the_half_share_point_of_a_step_is_between_its_neighbours(step: float) -> None:
    point = half_share_point(VALUES, (step > VALUES).astype(float))
    below, above = VALUES[step > VALUES].max(), VALUES[step <= VALUES].min()
    assert below < point < above


def test_the_half_share_point_does_not_mind_noise() -> None:
    noisy = np.array([1.0, 0.9, 1.0, 0.8, 0.9, 0.1, 0.0, 0.1, 0.0, 0.0])
    assert 0.45 < half_share_point(VALUES, noisy) < 0.55
    assert half_share_point(VALUES, np.ones(10)) == np.inf
    assert half_share_point(VALUES, np.zeros(10)) == -np.inf
    with pytest.raises(ValueError, match="must be ascending"):
        half_share_point([0.2, 0.1], [1.0, 0.0])
