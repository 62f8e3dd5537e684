"""Adversarial attacks on toy models whose loss under attack is known."""

from dataclasses import replace

import numpy as np
import pytest
import superposition_atlas as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.metrics import attacks
from superposition_atlas.sampling.stream import Purpose
from superposition_atlas.schedules import Schedule


def models_with(W, probability=0.3, importance=None, b=None):
    """One toy model with these weights [hidden, feature]."""
    n = W.shape[1]
    schedule = Schedule(np.ones(n) if importance is None else importance, np.full(n, probability))
    models = sa.random_dictionaries(schedule, len(W), 1)
    return replace(models, W=W[None].astype(np.float32), b=models.b if b is None else np.float32([b]))


def test_without_superposition_the_loss_grows_by_the_reference():
    table = attacks.attack_table(models_with(np.eye(6)[:4])).iloc[0]
    assert table["vulnerability"] == pytest.approx(1.0, rel=1e-5)
    assert table["vulnerability_one_attack"] == pytest.approx(1.0, rel=1e-5)
    assert table["features_per_dimension"] == pytest.approx(1.0)


def test_the_reference_is_the_most_important_feature():
    importance = np.array([0.5, 2.0, 1.0])
    table = attacks.attack_table(models_with(np.eye(3), importance=importance)).iloc[0]
    assert table["vulnerability"] == pytest.approx(1.0, rel=1e-5)
    assert attacks.without_superposition(0.1, importance) == pytest.approx(0.02)


def test_antipodal_pairs_double_what_an_attack_does():
    # An inactive pair: +√2 ε on one output, nothing on the other, which the ReLU cuts off.
    W = np.kron(np.eye(8), [[1.0, -1.0]])
    rare = attacks.attack_table(models_with(W, probability=0.01)).iloc[0]
    assert rare["features_per_dimension"] == pytest.approx(2.0)
    assert 2.0 - 1e-4 <= rare["vulnerability_one_attack"] < 2.2
    assert rare["vulnerability"] >= rare["vulnerability_one_attack"]


@given(st.integers(0, 1000), st.floats(0.05, 1.0))
@settings(max_examples=15, deadline=None)
def test_a_rotation_changes_nothing_and_each_input_has_its_worst(seed, probability):
    rng = np.random.default_rng(seed)
    W, b = rng.normal(scale=0.5, size=(3, 7)), rng.normal(scale=0.1, size=7)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    one, other = (
        attacks.attack_table(models_with(own, probability, b=b), 64).iloc[0] for own in (W, turn @ W)
    )
    assert one["vulnerability"] == pytest.approx(other["vulnerability"], rel=1e-3, abs=1e-3)
    assert one["loss_attacked"] >= one["loss_one_attack"] >= 0
    assert one["attack_norm"] > 0


def test_losses_are_those_of_the_toy_model_on_attacked_inputs():
    rng = np.random.default_rng(3)
    models = models_with(rng.normal(scale=0.6, size=(2, 5)), b=rng.normal(scale=0.1, size=5))
    found = attacks.attack_table(models, 200).iloc[0]
    x = models.sample(0, 200, Purpose.EVALUATION)
    norm = 0.1 * np.linalg.norm(x[0], axis=1).mean()
    rows = models.W[0].T @ models.W[0]
    steps = norm * rows / np.linalg.norm(rows, axis=1, keepdims=True)
    errors = np.array([((models.reconstruct(x + step) - x)[0] ** 2).sum(axis=1) for step in steps])
    assert found["loss"] == pytest.approx(((models.reconstruct(x) - x)[0] ** 2).sum(axis=1).mean(), rel=1e-5)
    assert found["loss_attacked"] == pytest.approx(errors.max(axis=0).mean(), rel=1e-4)
    assert found["loss_one_attack"] == pytest.approx(errors.mean(axis=1).max(), rel=1e-4)


def test_attacks_have_norm_one_and_raise_their_output_most():
    rng = np.random.default_rng(5)
    W = rng.normal(size=(3, 6))
    W[:, 2] = 0.0
    found = attacks.attacks(W)
    assert len(found) == 5
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0)
    any_other = rng.normal(size=(500, 6))
    any_other /= np.linalg.norm(any_other, axis=1, keepdims=True)
    raised = (W.T @ W)[[0, 1, 3, 4, 5]]
    assert ((raised * found).sum(axis=1) >= (raised @ any_other.T).max(axis=1)).all()


def test_runs_number_the_toy_models_of_a_density():
    schedule = Schedule(np.ones((4, 3)), np.repeat([[0.1], [0.5], [0.1], [0.5]], 3, axis=1))
    table = attacks.attack_table(sa.random_dictionaries(schedule, 2, 4), 32)
    assert table["run"].tolist() == [0, 0, 1, 1]
    assert table["mean_probability"].to_numpy() == pytest.approx([0.1, 0.5, 0.1, 0.5])
