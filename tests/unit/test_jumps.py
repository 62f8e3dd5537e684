"""Jumps of a path: found where they are, and not where there is only drift and noise."""

from dataclasses import replace

import numpy as np
import pytest
import superposition_atlas as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.errors import ArgumentError
from superposition_atlas.metrics import jumps
from superposition_atlas.metrics.jumps import FLAT_RECORDS, MOVING_RECORDS, jumps_of
from superposition_atlas.schedules import Schedule

N = 100


def step_at(record, low, high, n=N):
    """A path that is at one level before a record and at another from it on."""
    return np.where(np.arange(n) < record, low, high)


@given(
    st.integers(FLAT_RECORDS, N - FLAT_RECORDS),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
)
@settings(deadline=None)
def test_a_step_is_found_where_it_is(record, low, high):
    found = jumps_of(step_at(record, low, high)[:, None])
    if abs(high - low) > jumps.JUMP_HEIGHT:
        assert found.record.tolist() == [record]
        assert (found.before[0], found.after[0]) == (low, high)
    else:
        assert len(found) == 0


@given(st.integers(0, 2**32 - 1), st.floats(0.0, 0.004))
@settings(deadline=None, max_examples=40)
def test_noise_and_drift_have_no_jumps(seed, scale):
    noise = np.random.default_rng(seed).uniform(-scale, scale, size=(N, 20))
    assert len(jumps_of(np.linspace(0.2, 0.7, N)[:, None] * np.linspace(0, 1, 20) + noise)) == 0


def test_a_path_may_move_for_a_few_records():
    path = np.full(N, 0.1)
    path[30 : 30 + MOVING_RECORDS] = np.linspace(0.1, 0.5, MOVING_RECORDS)
    path[30 + MOVING_RECORDS :] = 0.5
    found = jumps_of(path[:, None])
    assert found.record.tolist() == [30 + MOVING_RECORDS // 2]
    assert found.after == pytest.approx([0.5])


def test_a_path_that_is_never_flat_again_has_no_jump():
    path = step_at(30, 0.1, 0.5)
    path[30::2] += 0.1
    assert len(jumps_of(path[:, None])) == 0


def test_two_jumps_far_apart_are_two():
    path = step_at(20, 0.1, 0.5) + step_at(42, 0.0, 0.3)
    found = jumps_of(np.stack([path, path[::-1]], axis=1))
    places = sorted(zip(found.feature.tolist(), found.record.tolist(), strict=True))
    assert places == [(0, 20), (0, 42), (1, N - 42), (1, N - 20)]


def test_noise_does_not_split_a_jump():
    noise = np.random.default_rng(4).uniform(-0.01, 0.01, size=(N, 60))
    found = jumps_of(step_at(50, 0.0, 0.5)[:, None] + noise)
    assert len(found) == len(set(found.feature.tolist()))
    assert set(found.record.tolist()) == {50}


def test_few_records_have_no_jumps():
    assert len(jumps_of(step_at(5, 0.0, 1.0, 10)[:, None])) == 0


def test_paths_without_jumps_keep_ends_and_scatter():
    rng = np.random.default_rng(0)
    paths = step_at(30, 0.1, 0.6)[:, None] + rng.normal(scale=0.003, size=(N, 50))
    smooth = jumps.smooth_paths(paths, 3)
    line = np.linspace(0.1, 0.6, N)[:, None]
    assert np.abs(smooth - line).max() < 0.1
    assert (smooth - line).std() == pytest.approx(0.003, rel=0.3)
    assert len(jumps_of(paths)) == 50
    assert len(jumps_of(smooth)) == 0
    mixed = jumps.shuffled_paths(paths, 3)
    assert np.sort(mixed, axis=0) == pytest.approx(np.sort(paths, axis=0))
    assert len(jumps_of(mixed)) < 5
    assert (jumps.shuffled_paths(paths, 3) == mixed).all()


@pytest.fixture(scope="module")
def learned():
    """Two toy models with a record every 20 steps."""
    schedule = Schedule(np.ones(8), np.full(8, 0.1))
    return sa.train(schedule, 3, 2, steps=600, record_steps=range(0, 601, 15), progress=False)


def test_tables_agree_with_each_other(learned):
    found, learning, rates = (
        getattr(jumps, f"{name}_table")(learned) for name in ("jump", "learning", "rate")
    )
    assert len(learning) == 2 * 41
    assert learning["n_jumps"].sum() == len(found) == rates["n_jumps"].sum()
    assert set(found["step"]) <= set(range(0, 601, 15))
    assert (rates["n_swaps"] <= rates["n_jumps"]).all()
    assert learning["loss_drop"].isna().sum() == 2 * 2 * (MOVING_RECORDS // 2)
    ranks = learning.pivot_table(index="step", columns="instance", values="rank")
    assert ranks.sum(axis=1).to_numpy() == pytest.approx(1.0)
    assert len(learning["dimensionality"].iloc[0]) == 8


def test_planted_jumps_are_tied_to_planted_drops():
    """Weights of known digons, one of which forms late; the loss falls there in one toy model alone."""
    n_records = N
    schedule = Schedule(np.ones(4), np.full(4, 0.1))
    models = sa.train(schedule, 2, 3, steps=n_records, record_steps=range(n_records), progress=False)
    W = np.zeros((n_records, 3, 2, 4), np.float32)
    W[:, :, 0, 0], W[:, :, 0, 1], W[:, :, 1, 2] = 1.0, -1.0, 1.0
    W[30:, 1, 1, 3] = -1.0
    loss = np.ones((n_records, 3, 4))
    loss[30:, 1] = 0.5
    planted = replace(models, history=replace(models.history, W=W, feature_loss=loss))
    rates = jumps.rate_table(planted)
    assert rates["n_jumps"].tolist() == [0, 2, 0]
    assert rates["n_swaps"].tolist() == [
        0,
        2,
        0,
    ]  # feature 3 rises from 0 to 1/2, feature 2 falls from 1 to 1/2
    assert rates["n_events"].tolist() == [0, 1, 0]
    assert rates.loc[1, "event_rank"] == 1.0
    assert rates.loc[1, "share_falling"] == 1.0
    assert np.isnan(rates.loc[0, "event_rank"])
    assert jumps.jump_table(planted)["step"].tolist() == [30, 30]


def test_the_rank_is_a_half_where_losses_fall_alike():
    schedule = Schedule(np.ones(3), np.full(3, 0.1))
    models = sa.train(schedule, 2, 4, steps=N, record_steps=range(N), progress=False)
    loss = np.broadcast_to(np.linspace(2, 1, N)[:, None, None], (N, 4, 3))
    same = replace(models, history=replace(models.history, feature_loss=loss))
    rank = jumps.learning_table(same)["rank"].dropna()
    assert (rank == 0.5).all()


def test_jumps_need_records():
    schedule = Schedule(np.ones(3), np.full(3, 0.1))
    with pytest.raises(ArgumentError, match="have 0 records"):
        jumps.jump_table(sa.random_dictionaries(schedule, 2, 1))
