"""The toy model by its formula, and its initialisation, which belongs to one instance alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.sampling.sample import sample
from superposition_atlas.sampling.stream import Purpose
from superposition_atlas.toy_model import (
    ToyModels,
    TrainingSettings,
    encode,
    initial_weights,
    reconstruct,
    xavier_scale,
)


def toy_models(n_instances: int) -> ToyModels:
    rng = np.random.default_rng(0)
    return ToyModels(
        W=rng.normal(size=(n_instances, 2, 5)).astype(np.float32),
        b=rng.normal(size=(n_instances, 5)).astype(np.float32),
        loss=rng.uniform(size=n_instances),
        seeds=np.arange(n_instances) + 10,
        importance=rng.uniform(size=(n_instances, 5)),
        probability=rng.uniform(size=(n_instances, 5)),
        settings=TrainingSettings(),
        engine="by hand",
    )


def test_reconstruction_is_the_formula() -> None:
    rng = np.random.default_rng(1)
    x, W, b = rng.uniform(size=(2, 7, 5)), rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 5))
    hidden, reconstruction = encode(x, W), reconstruct(encode(x, W), W, b)
    for instance in range(2):
        for position in range(7):
            h = W[instance] @ x[instance, position]
            np.testing.assert_allclose(hidden[instance, position], h)
            expected = np.maximum(W[instance].T @ h + b[instance], 0)
            np.testing.assert_allclose(reconstruction[instance, position], expected)


def test_a_linear_output_has_no_relu() -> None:
    rng = np.random.default_rng(1)
    h, W, b = rng.normal(size=(2, 7, 3)), rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 5))
    z = reconstruct(h, W, b, "linear")
    assert (z < 0).any()
    np.testing.assert_array_equal(reconstruct(h, W, b), np.maximum(z, 0))


def test_a_toy_model_encodes_and_reconstructs_its_own_samples() -> None:
    models = toy_models(3)
    x = models.sample(4, 50)
    np.testing.assert_array_equal(x, sample(models.seeds, 4, 50, models.probability, Purpose.EVALUATION))
    np.testing.assert_allclose(models.encode(x), encode(x, models.W))
    np.testing.assert_allclose(models.reconstruct(x), reconstruct(encode(x, models.W), models.W, models.b))
    settings = TrainingSettings(centred_inputs=True, magnitudes="binary", output="linear")
    centred = replace(models, settings=settings)
    x = centred.sample(4, 50)
    assert set(np.unique(x)) == {0.0, 1.0}
    hidden = encode(x - models.probability[:, None, :], models.W)  # the mean of a binary feature is p
    np.testing.assert_allclose(centred.encode(x), hidden, atol=1e-5)
    expected = reconstruct(hidden, models.W, models.b, "linear")
    np.testing.assert_allclose(centred.reconstruct(x), expected, atol=1e-5)


def test_orthonormal_columns_reconstruct_without_loss() -> None:
    x = np.random.default_rng(2).uniform(size=(1, 20, 2))  # its own hidden activations
    np.testing.assert_allclose(reconstruct(x, np.eye(2)[None], np.zeros((1, 2))), x)


@given(st.integers(1, 100), st.integers(1, 100))
def test_xaviers_scale(n_features: int, n_hidden: int) -> None:
    assert xavier_scale(n_features, n_hidden) == pytest.approx((2 / (n_features + n_hidden)) ** 0.5)


def test_the_scale_of_one_instance_and_that_of_the_talks_eight() -> None:
    assert xavier_scale(5, 2) == pytest.approx(0.5345, abs=1e-4)
    # Both are settings; neither follows from how many are trained together.
    for scale in (0.2, "xavier"):
        alone = initial_weights([3], 5, 2, scale)
        among_many = initial_weights(range(512), 5, 2, scale)
        np.testing.assert_array_equal(alone[0], among_many[3])


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6), st.integers(1, 8), st.integers(1, 4))
def test_initial_weights_are_their_seeds_alone(seeds: list[int], n_features: int, n_hidden: int) -> None:
    W = initial_weights(seeds, n_features, n_hidden, "xavier")
    assert W.shape == (len(seeds), n_hidden, n_features)
    assert W.dtype == np.float32
    for index, seed in enumerate(seeds):
        np.testing.assert_array_equal(W[index], initial_weights([seed], n_features, n_hidden, "xavier")[0])
    np.testing.assert_array_equal(W[::-1], initial_weights(seeds[::-1], n_features, n_hidden, "xavier"))


@pytest.mark.parametrize(("init_scale", "expected"), [(0.2, 0.2), (1, 1.0), ("xavier", xavier_scale(5, 2))])
def test_initial_weights_are_normal_with_their_scale(init_scale: float, expected: float) -> None:
    W = initial_weights(range(4000), 5, 2, init_scale).astype(np.float64).reshape(-1) / expected
    assert len(np.unique(W)) > 0.99 * len(W)
    # The moments of a standard normal, within five standard errors of 40,000 draws.
    n_draws = len(W)
    assert np.mean(W) == pytest.approx(0, abs=5 / n_draws**0.5)
    assert np.mean(W**2) == pytest.approx(1, abs=5 * (2 / n_draws) ** 0.5)
    assert np.mean(W**3) == pytest.approx(0, abs=5 * (15 / n_draws) ** 0.5)
    assert np.mean(W**4) == pytest.approx(3, abs=5 * (96 / n_draws) ** 0.5)


def test_the_scale_multiplies_the_same_draws() -> None:
    small, large = (initial_weights(range(5), 8, 3, scale) for scale in (0.25, 1.0))
    np.testing.assert_allclose(4 * small, large, rtol=1e-6)


def test_selecting_keeps_what_belongs_together() -> None:
    models = toy_models(4)
    assert (len(models), models.n_hidden, models.n_features) == (4, 2, 5)
    chosen = models.select(np.array([2, 0]))
    assert len(chosen) == 2
    for name in ("W", "b", "loss", "seeds", "importance", "probability"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(models, name)[[2, 0]])
    np.testing.assert_array_equal(models.select(slice(1, 3)).seeds, [11, 12])
    assert chosen.settings == models.settings


def test_settings_are_plain_values_that_make_them_again() -> None:
    settings = TrainingSettings(steps=3, init_scale=0.2, bias=(0.5, 1.0), record_steps=(0, 3))
    assert TrainingSettings(**json.loads(json.dumps(settings.as_dict()))) == settings
    assert TrainingSettings() == TrainingSettings(10_000, 1024, 1e-3, "xavier")
