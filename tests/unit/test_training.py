"""Training: engines agree with the formulas and each other, however it is cut; known toy models come out."""

import subprocess
import sys
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from superposition_atlas.errors import TrainingError
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.sample import sample
from superposition_atlas.schedules import Schedule
from superposition_atlas.toy_model import TrainingSettings, encode, initial_weights, reconstruct
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2
from superposition_atlas.training.fused.fused_engine import FusedEngine
from superposition_atlas.training.optimizer import learning_rates
from superposition_atlas.training.problem import HELD_OUT_SAMPLES, Problem, TrainingState
from superposition_atlas.training.torch_engine import DeviceStream, TorchEngine
from superposition_atlas.training.train_toy_models import LOSS_WINDOW, random_dictionaries, train

VARIANTS = {
    "plain": {},
    "linear": {"output": "linear"},
    "bias-zero": {"bias": "zero"},
    "bias-mean": {"bias": "mean"},
    "bias-given": {"bias": (0.3, -0.2, 0.1, 0.0, 0.7)},
    "bias-densest-zero": {"bias": "densest_zero"},
    "centred": {"centred_inputs": True},
    "centred-linear-mean": {"centred_inputs": True, "output": "linear", "bias": "mean"},
    "binary": {"magnitudes": "binary"},
    "exponential": {"magnitudes": "exponential"},
    "lognormal-centred": {"magnitudes": "lognormal", "centred_inputs": True},
    "signed": {"magnitudes": "signed_uniform"},
}
COMPUTING = {
    "relu-hidden": {"hidden": "relu"},
    "relu-hidden-centred": {"hidden": "relu", "centred_inputs": True},
    "untied": {"output_weights": "untied"},
    "untied-linear-frozen": {"output_weights": "untied", "output": "linear", "bias": "mean"},
    "untied-densest-zero": {"output_weights": "untied", "bias": "densest_zero"},
    "absolute": {"target": "absolute", "magnitudes": "signed_uniform"},
    "absolute-centred-linear": {
        "target": "absolute", "magnitudes": "signed_uniform", "centred_inputs": True, "output": "linear",
    },
    "absolute-by-neurons": {
        "target": "absolute", "magnitudes": "signed_uniform", "hidden": "relu", "output_weights": "untied",
    },
}  # fmt: skip
"""Variants with a ReLU on h, output weights of their own, or |x| as what is to be computed."""
ALL = VARIANTS | COMPUTING
OPTIMIZERS = {
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1},
    "adamw-frozen-bias": {"optimizer": "adamw", "weight_decay": 0.1, "bias": "mean"},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.1},
    "sgd-momentum-decay": {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01, "learning_rate": 0.03},
    "linear-warmup": {"learning_rate_schedule": "linear", "warmup_steps": 20},
    "cosine": {"learning_rate_schedule": "cosine"},
    "quarter-cosine": {"learning_rate_schedule": "quarter_cosine", "warmup_steps": 1},
}

# n_features, n_hidden: the talk's two, then sizes on all sides of the kernel's tiles, also m > n and n = 1.
SHAPES = [(5, 2), (80, 20), (1, 1), (2, 1), (7, 3), (13, 29), (33, 13), (9, 5)]


def problem(n_features=5, n_hidden=2, n_instances=3, batch_size=256, *, rng=0, probability=None, **others):
    """A problem whose instances all differ."""
    random = np.random.default_rng(rng)
    shape = (n_instances, n_features)
    return Problem(
        seeds=random.integers(0, 2**64, n_instances, dtype=np.uint64),
        importance=random.uniform(0.0, 2.0, shape),
        probability=random.uniform(0.01, 1.0, shape) if probability is None else np.full(shape, probability),
        n_hidden=n_hidden,
        settings=TrainingSettings(batch_size=batch_size, **others),
    )


def trained(engine, of, *chunks):
    """State after chunks of steps, and the loss over the last of them."""
    state = TrainingState.initial(of)
    for n_steps in chunks:
        state.loss_sum[:] = 0.0
        engine.advance(state, n_steps, of)
    return state, state.loss_sum / n_steps


def arrays(state):
    return [array for values in (state.weights, state.mean, state.square) for array in (values.W, values.b)]


def assert_same_bits(state, other):
    assert state.step == other.step
    for array, other_array in zip(arrays(state), arrays(other), strict=True):
        np.testing.assert_array_equal(array, other_array)


def matrices(of, rows):
    """W and W_out in the rows of a state."""
    return rows[:, : of.n_hidden], rows[:, -of.n_hidden :]


def target(of, x):
    return np.abs(x) if of.settings.target == "absolute" else x


def gradient_by_definition(of, W, b, step):
    """Gradient of Σ_i I_i (y_i - x'_i)², mean over batch and features, and that loss: float64."""
    rows, b = W.astype(float), b.astype(float)
    W, W_out = matrices(of, rows)
    batch_size, output, magnitudes = of.settings.batch_size, of.settings.output, of.settings.magnitudes
    x = sample(of.seeds, step, batch_size, of.probability, magnitudes=magnitudes).astype(float)
    importance = of.importance[:, None, :]
    seen = x - of.centre[:, None, :]
    hidden = encode(seen, W, of.settings.hidden)
    error = reconstruct(hidden, W_out, b, output) - target(of, x)
    follows = (hidden @ W_out + b[:, None, :] > 0) | (output == "linear")
    back = 2 * importance * error * follows / x[0].size
    lets_through = (encode(seen, W) > 0) | (of.settings.hidden == "linear")
    back_to_hidden = (back @ W_out.swapaxes(1, 2)) * lets_through
    parts = back_to_hidden.swapaxes(1, 2) @ seen, hidden.swapaxes(1, 2) @ back
    gradient_W = np.concatenate(parts, axis=1) if of.n_rows > of.n_hidden else sum(parts)
    gradient_b = back.sum(1)
    if of.settings.bias == "densest_zero":
        gradient_b[of.probability == of.probability.max(axis=1, keepdims=True)] = 0.0
    return gradient_W, gradient_b, (importance * error**2).mean((1, 2))


def assert_close_to_largest(actual, expected, tolerance, cancelled=0.0):
    """Within a part of the largest; `cancelled` is what rounding leaves of terms that cancel."""
    scale = np.abs(expected).max() + 1e-12
    assert np.abs(actual - expected).max() <= tolerance * scale + cancelled


@pytest.mark.parametrize("engine", [FusedEngine(2), TorchEngine("cpu", 2)], ids=lambda engine: engine.name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@given(data=st.data())
@settings(max_examples=25)
def test_the_gradient_of_one_step(engine, shape, data):
    of = problem(
        *shape,
        n_instances=data.draw(st.integers(1, 3)),
        batch_size=data.draw(st.sampled_from([1, 2, 15, 31, 32, 33, 100, 256, 257, 700])),
        rng=data.draw(st.integers(0, 1000)),
        probability=data.draw(st.sampled_from([None, 1.0, 0.3, 0.01])),
    )
    state = TrainingState.initial(of)
    state.weights.W *= data.draw(st.sampled_from([0.1, 1.0, 3.0]))
    state.weights.b[...] = np.random.default_rng(0).normal(0.0, 0.2, state.weights.b.shape)
    state.step = data.draw(st.integers(0, 10**6))
    assume(distance_to_kinks(of, state) > 1e-6)
    assert_one_step_follows_the_gradient(engine, of, state)


def distance_to_kinks(of, state):
    """The smallest |z|: one that float32 rounds to the other side of 0 has another slope."""
    x = sample(of.seeds, state.step, of.settings.batch_size, of.probability).astype(float)
    W, b = (array.astype(float) for array in (state.weights.W, state.weights.b))
    return np.abs(encode(x, W) @ W + b[:, None, :]).min()


@pytest.mark.parametrize("engine", [FusedEngine(2), TorchEngine("cpu", 2)], ids=lambda engine: engine.name)
@pytest.mark.parametrize("variant", ALL.values(), ids=ALL)
@pytest.mark.parametrize("p", [1.0, 0.3, 0.03], ids=lambda p: f"p={p}")
def test_the_gradient_of_every_variant(engine, variant, p):
    of = problem(probability=p, batch_size=301, **variant)
    state = TrainingState.initial(of)
    if of.settings.trains_bias:
        state.weights.b[...] = np.random.default_rng(0).normal(0.0, 0.2, state.weights.b.shape)
    assert_one_step_follows_the_gradient(engine, of, state)


def assert_one_step_follows_the_gradient(engine, of, state):
    trains_bias = of.settings.trains_bias
    gradient_W, gradient_b, loss = gradient_by_definition(of, state.weights.W, state.weights.b, state.step)
    engine.advance(state, 1, of)
    # From running means of 0 the mean is the gradient times 1 - β₁, the square its square times 1 - β₂.
    assert_close_to_largest(state.mean.W / (1 - ADAM_BETA_1), gradient_W, 1e-5, 3e-7)
    assert_close_to_largest(state.mean.b / (1 - ADAM_BETA_1), gradient_b * trains_bias, 1e-5, 3e-7)
    size = np.sqrt(state.square.W / (1 - ADAM_BETA_2))
    assert_close_to_largest(size, np.abs(gradient_W), 1e-5, 3e-7)
    np.testing.assert_allclose(state.loss_sum, loss, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "p"),
    [*((shape, None) for shape in SHAPES), *((shape, p) for shape in SHAPES[:3] for p in (1.0, 0.02))],
    ids=str,
)
def test_engines_stay_together_for_100_steps(shape, p):
    of = problem(*shape, probability=p, batch_size=200)
    fused, fused_loss = trained(FusedEngine(2), of, 100)
    reference, reference_loss = trained(TorchEngine("cpu", 2), of, 100)
    np.testing.assert_allclose(fused.weights.W, reference.weights.W, atol=2e-5)
    np.testing.assert_allclose(fused.weights.b, reference.weights.b, atol=2e-5)
    np.testing.assert_allclose(fused_loss, reference_loss, rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_the_densest_features_bias_alone_is_held(optimizer):
    """Its bias stays at 0 and no other does, of each toy model by itself; the engines agree."""
    schedule = Schedule(np.ones((2, 3)), np.array([[0.9, 0.5, 0.1], [0.1, 0.9, 0.9]]))
    held = np.array([[True, False, False], [False, True, True]])
    fused, reference = (
        train(schedule, 2, [0, 1], bias="densest_zero", optimizer=optimizer,
              steps=60, batch_size=100, learning_rate=0.02, engine=engine, progress=None)
        for engine in ("fused", "torch")
    )  # fmt: skip
    assert ((fused.b == 0) == held).all()
    np.testing.assert_allclose(fused.b, reference.b, atol=2e-5)
    np.testing.assert_allclose(fused.W, reference.W, atol=2e-5)


@pytest.mark.parametrize("variant", (ALL | OPTIMIZERS).values(), ids=ALL | OPTIMIZERS)
def test_engines_stay_together_in_every_variant(variant):
    of = problem(batch_size=200, probability=0.2, steps=100, **variant)
    fused, fused_loss = trained(FusedEngine(2), of, 40, 60)
    reference, reference_loss = trained(TorchEngine("cpu", 2), of, 40, 60)
    np.testing.assert_allclose(fused.weights.W, reference.weights.W, atol=2e-5)
    np.testing.assert_allclose(fused.weights.b, reference.weights.b, atol=2e-5)
    np.testing.assert_allclose(fused_loss, reference_loss, rtol=1e-5)


@pytest.mark.parametrize("variant", ["bias-zero", "bias-mean", "bias-given"])
@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_a_frozen_bias_stays_as_it_is(variant, engine):
    of = problem(optimizer="adamw", weight_decay=0.5, steps=30, **VARIANTS[variant])
    schedule = Schedule(of.importance, of.probability)
    given = {"bias-zero": 0.0, "bias-mean": of.probability / 2, "bias-given": of.settings.bias}[variant]
    settings = {"optimizer": "adamw", "weight_decay": 0.5, "steps": 30, "bias": of.settings.bias}
    models = train(schedule, 2, of.seeds, engine=engine, **settings)
    np.testing.assert_array_equal(models.b, np.broadcast_to(np.float32(given), models.b.shape))


def test_centring_is_a_change_of_bias():
    """z = Wᵀ W (x - μ) + b is what a bias b - Wᵀ W μ makes of plain inputs."""
    of = problem(batch_size=64, centred_inputs=True)
    plain = replace(of, settings=replace(of.settings, centred_inputs=False))
    state = TrainingState.initial(of)
    state.weights.b[...] = np.random.default_rng(1).normal(0.0, 0.3, state.weights.b.shape)
    moved = state.copy()
    hidden = encode(of.centre[:, None, :], state.weights.W)
    moved.weights.b -= (hidden @ state.weights.W)[:, 0]
    engine = FusedEngine(1)
    np.testing.assert_allclose(
        engine.feature_loss(state.weights, of), engine.feature_loss(moved.weights, plain), rtol=1e-4
    )


@pytest.mark.parametrize("variant", ALL.values(), ids=ALL)
def test_the_held_out_loss_is_that_of_the_model(variant):
    of = problem(probability=0.1, **variant)
    state, _ = trained(FusedEngine(1), of, 200)
    x = sample(
        of.seeds, 0, HELD_OUT_SAMPLES, of.probability, stream.Purpose.EVALUATION, of.settings.magnitudes
    )
    W, W_out = matrices(of, state.weights.W)
    hidden = encode(x - of.centre[:, None, :], W, of.settings.hidden)
    error = target(of, x) - reconstruct(hidden, W_out, state.weights.b, of.settings.output)
    expected = (of.importance[:, None, :] * error.astype(float) ** 2).mean(axis=1)
    np.testing.assert_allclose(FusedEngine(2).feature_loss(state.weights, of), expected, rtol=1e-4)
    np.testing.assert_allclose(TorchEngine("cpu", 1).feature_loss(state.weights, of), expected, rtol=1e-4)


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_what_is_recorded_is_what_training_passes_through(engine):
    of = problem()
    schedule, arguments = Schedule(of.importance, of.probability), {"batch_size": 64, "engine": engine}
    recorded = train(schedule, 2, of.seeds, steps=150, record_steps=[150, 0, 7, 70], **arguments)
    assert recorded.history is not None
    assert recorded.history.steps.tolist() == [0, 7, 70, 150]
    assert train(schedule, 2, of.seeds, steps=150, **arguments).history is None
    for row, steps in enumerate([7, 70, 150], start=1):
        short = train(schedule, 2, of.seeds, steps=steps, **arguments)
        np.testing.assert_array_equal(recorded.history.W[row], short.W)
        np.testing.assert_array_equal(recorded.history.b[row], short.b)
    np.testing.assert_array_equal(recorded.W, recorded.history.W[-1])
    assert recorded.history.feature_loss.shape == (4, 3, 5)
    np.testing.assert_allclose(recorded.history.loss, recorded.history.feature_loss.mean(-1))
    first = recorded.select(slice(1, 2))
    np.testing.assert_array_equal(first.history.W, recorded.history.W[:, 1:2])
    np.testing.assert_array_equal(first.history.steps, recorded.history.steps)


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_with_no_steps_the_initial_weights_are_what_comes_back(engine):
    models = train(SCHEDULE, 2, range(3), steps=0, engine=engine, record_steps=[0])
    np.testing.assert_array_equal(models.W, initial_weights(range(3), 3, 2, "xavier"))
    np.testing.assert_array_equal(models.history.W[0], models.W)
    assert not models.b.any()
    assert np.isnan(models.loss).all()


def test_random_dictionaries_are_unit_vectors_in_all_directions():
    models = random_dictionaries(Schedule(np.ones(40), np.full(40, 0.1)), 3, range(200), "lognormal")
    np.testing.assert_allclose(np.linalg.norm(models.W, axis=1), 1.0, atol=1e-6)
    directions = models.W.swapaxes(1, 2).reshape(-1, 3).astype(float)
    # Uniform on the sphere: every coordinate is uniform on [-1, 1] (Archimedes).
    assert min(stats.kstest(column, stats.uniform(-1, 2).cdf).pvalue for column in directions.T) > 1e-4
    assert models.settings.magnitudes == "lognormal"


@pytest.mark.parametrize("warmup_steps", [0, 3])
def test_the_quarter_cosine_is_that_of_the_notebooks(warmup_steps):
    """ARENA's `cosine_decay_lr`, np.cos(0.5 * np.pi * step / (steps - 1)): 0 at the last step."""
    settings = TrainingSettings(
        steps=20 + warmup_steps,
        learning_rate=1.0,
        learning_rate_schedule="quarter_cosine",
        warmup_steps=warmup_steps,
    )
    expected = [np.cos(0.5 * np.pi * step / 19) for step in range(20)]
    rates = learning_rates(settings, warmup_steps, 20)
    np.testing.assert_allclose(rates, expected, rtol=0, atol=1e-15)
    assert abs(rates[-1]) < 1e-15
    assert learning_rates(replace(settings, steps=warmup_steps + 1), warmup_steps, 1) == [1.0]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_the_default_weight_decay_is_that_of_torch(optimizer):
    makes = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[optimizer]
    theirs = makes([torch.zeros(1, requires_grad=True)]).defaults["weight_decay"]
    assert TrainingSettings(optimizer=optimizer).weight_decay == theirs
    assert TrainingSettings(optimizer=optimizer, weight_decay=0.0).weight_decay == 0.0
    assert TrainingSettings(optimizer=optimizer).as_dict()["weight_decay"] == theirs


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_adamw_decays_by_default(engine):
    settings = {"steps": 3, "optimizer": "adamw", "learning_rate": 0.1, "engine": engine}
    models, same, other = (
        train(SCHEDULE, 2, range(2), **settings, **more)
        for more in ({}, {"weight_decay": 0.01}, {"weight_decay": 0.0})
    )
    np.testing.assert_array_equal(models.W, same.W)
    assert not np.array_equal(models.W, other.W)


def test_a_learning_rate_of_zero_at_the_end_of_a_schedule_is_reached_smoothly():
    settings = TrainingSettings(steps=100, learning_rate=0.5, warmup_steps=10)
    for name, at_half in {"constant": 1, "linear": 0.5, "cosine": 0.5, "quarter_cosine": 0.5**0.5}.items():
        rates = learning_rates(replace(settings, learning_rate_schedule=name), 0, 100) / 0.5
        np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
        assert rates[10] == rates.max() == 1.0
        if name != "quarter_cosine":
            np.testing.assert_allclose(rates[55], at_half)
        assert (np.diff(rates[10:]) <= 0).all()
        assert (rates >= 0).all()
        np.testing.assert_array_equal(
            rates[37:60], learning_rates(replace(settings, learning_rate_schedule=name), 37, 23) / 0.5
        )


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        ("linear", lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, total_iters=50)),
        ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=50)),
    ],
)
def test_schedules_of_the_learning_rate_are_torchs(name, scheduler):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    torchs, rates = scheduler(optimizer), []
    for _ in range(50):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        torchs.step()
    settings = TrainingSettings(steps=50, learning_rate=0.3, learning_rate_schedule=name)
    np.testing.assert_allclose(learning_rates(settings, 0, 50), rates, rtol=1e-9)


@pytest.mark.parametrize("batch_size", [1, 31, 33, 100])
@pytest.mark.parametrize("output", ["relu", "linear"])
def test_a_gradient_that_is_zero_is_exactly_zero(batch_size, output):
    """Adam would make whole steps of rounding errors: nothing may be added only to be taken off again."""
    of = problem(2, 1, 1, batch_size, probability=1.0, magnitudes="binary", output=output)
    state = TrainingState.initial(of)
    state.weights.W[...], state.weights.b[...] = [[[1.0, -3.0]]], [[0.1, 0.0]]
    if output == "linear":
        state.weights.W[...], state.weights.b[...] = [[[1.0, 0.0]]], [[0.0, 1.0]]  # reconstructs exactly
    FusedEngine(1).advance(state, 1, of)
    assert state.mean.b[0, 0] == 0.0
    assert state.loss_sum[0] >= 0.0


def test_what_is_no_number_never_passes_for_a_dead_unit():
    of = problem(3, 2, 1, 8, probability=1.0)
    state = TrainingState.initial(of)
    state.weights.W[...] = 1e30  # z is ∞ - ∞ somewhere
    state.weights.W[0, 0, 1] = -1e30
    for engine in (FusedEngine(1), TorchEngine("cpu", 1)):
        own = state.copy()
        engine.advance(own, 1, of)
        assert not own.is_finite()[0]


@pytest.mark.parametrize(("shape", "batch_size"), [((3000, 2), 1024), ((5, 2), 10**6)], ids=str)
def test_a_loss_of_many_terms_is_as_exact_as_one_of_few(shape, batch_size):
    of = problem(*shape, n_instances=1, batch_size=batch_size, probability=0.5)
    state = TrainingState.initial(of)
    _, _, loss = gradient_by_definition(of, state.weights.W, state.weights.b, 0)
    FusedEngine(1).advance(state, 1, of)
    np.testing.assert_allclose(state.loss_sum, loss, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES[:5], ids=str)
def test_fused_bits_do_not_depend_on_batching_order_or_threads(shape):
    of = problem(*shape, n_instances=7)
    # Some instances have mostly empty samples, which take another way through the program.
    rarity = np.array([1.0, 0.01, 1.0, 0.01, 0.002, 1.0, 0.01])[:, None]
    schedule = Schedule(of.importance, of.probability * rarity)
    seeds = np.arange(100, 107)

    def weights(rows, threads):
        part = Schedule(schedule.importance[rows], schedule.probability[rows])
        models = train(part, shape[1], seeds[rows], steps=120, batch_size=90, engine="fused", threads=threads)
        return np.concatenate([models.W.reshape(len(models), -1), models.b, models.loss[:, None]], axis=1)

    together = weights(np.arange(7), 2)
    np.testing.assert_array_equal(together, weights(np.arange(7), 1))
    np.testing.assert_array_equal(together, weights(np.arange(7), 5))
    np.testing.assert_array_equal(together, weights(np.arange(7)[::-1], 2)[::-1])
    one_by_one = [weights(np.array([row]), 2) for row in range(7)]
    np.testing.assert_array_equal(together, np.concatenate(one_by_one))


@pytest.mark.parametrize("engine", [FusedEngine(2), TorchEngine("cpu", 2)], ids=lambda engine: engine.name)
@pytest.mark.parametrize("shape", [(5, 2), (80, 20)], ids=str)
def test_pausing_changes_no_bit(engine, shape):
    of = problem(*shape, batch_size=100)
    whole, _ = trained(engine, of, 60)
    paused, _ = trained(engine, of, 1, 22, 30, 7)
    assert_same_bits(whole, paused)


def test_the_loss_is_the_mean_over_the_last_steps():
    of = problem(n_instances=2)
    schedule = Schedule(of.importance, of.probability)
    models = train(schedule, 2, of.seeds, steps=250, batch_size=256, engine="fused")
    state, over_window = trained(FusedEngine(1), of, 250 - LOSS_WINDOW, LOSS_WINDOW)
    np.testing.assert_array_equal(models.loss, over_window)
    np.testing.assert_array_equal(models.W, state.weights.W)
    short = train(schedule, 2, of.seeds, steps=3, batch_size=256, engine="fused")
    _, over_all = trained(FusedEngine(1), of, 3)
    np.testing.assert_array_equal(short.loss, over_all)


@pytest.mark.parametrize("variant", [{}, VARIANTS["lognormal-centred"]], ids=["plain", "lognormal-centred"])
@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_a_shared_schedule_and_a_schedule_for_each_instance_are_the_same(engine, variant):
    importance, probability = np.array([1.0, 0.5, 0.2]), np.array([0.1, 0.9, 0.4])
    arguments = {"steps": 30, "engine": engine, **variant}
    shared = train(Schedule(importance, probability), 2, range(3), **arguments)
    own = Schedule(np.tile(importance, (3, 1)), np.tile(probability, (3, 1)))
    np.testing.assert_array_equal(shared.W, train(own, 2, range(3), **arguments).W)
    assert shared.importance.shape == shared.probability.shape == (3, 3)
    assert shared.settings == TrainingSettings(steps=30, **variant)


def test_arrays_of_a_problem_may_lie_in_any_order():
    of = problem(**VARIANTS["lognormal-centred"])
    columns = {name: np.asfortranarray(getattr(of, name)) for name in ("importance", "probability")}
    expected, _ = trained(FusedEngine(1), of, 20)
    state, _ = trained(FusedEngine(1), replace(of, **columns), 20)
    for array, other in zip(arrays(state), arrays(expected), strict=True):
        np.testing.assert_array_equal(array, other)


def test_the_device_stream_is_the_stream():
    of = problem(n_features=6, n_instances=4)
    drawn = DeviceStream(of, torch.device("cpu")).sample(12, 101, stream.Purpose.INPUTS)
    np.testing.assert_array_equal(drawn.numpy(), sample(of.seeds, 12, 101, of.probability))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_cuda_device_stays_with_the_cpu_for_100_steps():
    of = problem(9, 3, batch_size=200)
    on_cuda, _ = trained(TorchEngine("cuda", 1), of, 100)
    on_cpu, _ = trained(FusedEngine(1), of, 100)
    np.testing.assert_allclose(on_cuda.weights.W, on_cpu.weights.W, atol=1e-4)


def test_a_feature_of_no_importance_gets_no_gradient():
    of = problem(5, 2)
    of = replace(of, importance=of.importance * [1, 0, 1, 0, 1])
    state, _ = trained(FusedEngine(1), of, 20)
    np.testing.assert_array_equal(state.weights.b[:, [1, 3]], 0.0)
    assert (state.weights.b[:, [0, 2, 4]] != 0.0).all()


def is_regular_pentagon(W):
    """Which of the instances' W are five features of one norm, a fifth of a turn apart."""
    norms = np.linalg.norm(W, axis=1)
    angles = np.sort(np.degrees(np.arctan2(W[:, 1], W[:, 0])), axis=1)
    between = np.diff(angles, axis=1, append=angles[:, :1] + 360.0)
    equal = norms.std(axis=1) < 0.05 * norms.mean(axis=1)
    return (norms.min(axis=1) > 0.5) & equal & (np.abs(between - 72.0).max(axis=1) < 6.0)


def test_equal_rare_features_form_a_regular_pentagon_in_every_seed():
    models = train(Schedule(np.ones(5), np.full(5, 0.02)), 2, range(64), engine="fused")
    assert is_regular_pentagon(models.W).all()


def test_at_p_05_most_seeds_end_as_a_pentagon_and_the_rest_with_four_features_and_a_weak_fifth():
    models = train(Schedule(np.ones(5), np.full(5, 0.05)), 2, range(64), engine="fused")
    pentagon = is_regular_pentagon(models.W)
    assert pentagon.mean() > 0.8  # 92 % here; a plain torch loop with its own random numbers has 91 % of 128
    norms = np.sort(np.linalg.norm(models.W[~pentagon], axis=1), axis=1)
    assert (norms[:, 0] > 0.25).all()
    assert (norms[:, 1:] > 0.9).all()


def test_dense_features_leave_the_most_important_ones_orthogonal():
    models = train(Schedule(0.9 ** np.arange(5), np.ones(5)), 2, range(16), engine="fused")
    norms = np.linalg.norm(models.W, axis=1)
    assert (norms[:, :2] > 0.9).all()
    assert (norms[:, 2:] < 0.1).all()
    cosine = (models.W[:, :, 0] * models.W[:, :, 1]).sum(1) / (norms[:, 0] * norms[:, 1])
    assert np.abs(cosine).max() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("variant", (ALL | OPTIMIZERS).values(), ids=ALL | OPTIMIZERS)
def test_final_losses_of_the_engines_have_one_distribution(variant):
    """Other seeds for either engine, so that agreement is not that of the same samples."""
    schedule = Schedule(0.9 ** np.arange(5), 50.0 ** -np.linspace(0, 1, 5))
    short = {"steps": 1500, "batch_size": 128, "learning_rate": 5e-3} | variant
    fused = train(schedule, 2, range(256), engine="fused", **short)
    reference = train(schedule, 2, range(1000, 1256), engine="torch", device="cpu", **short)
    assert stats.ks_2samp(fused.loss, reference.loss).pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.3, 0.05, 50.0 ** -np.linspace(0, 1, 5)], ids=["p=.3", "p=.05", "geometric"])
def test_engines_agree_in_distribution(p):
    """Other seeds for either engine, so that agreement is not that of the same samples."""
    schedule = Schedule(0.9 ** np.arange(5), np.broadcast_to(p, 5))
    faster = {"steps": 3000, "batch_size": 256, "learning_rate": 3e-3, "init_scale": 0.2}
    fused = train(schedule, 2, range(256), engine="fused", **faster)
    reference = train(schedule, 2, range(1000, 1256), engine="torch", device="cpu", **faster)
    counts = [
        np.bincount((np.linalg.norm(models.W, axis=1) > 0.5).sum(1), minlength=6)
        for models in (fused, reference)
    ]
    seen = np.sum(counts, axis=0) > 0
    if seen.sum() > 1:
        assert stats.chi2_contingency(np.array(counts)[:, seen]).pvalue > 1e-3
    assert stats.ks_2samp(fused.loss, reference.loss).pvalue > 1e-3


SCHEDULE = Schedule(np.ones(3), np.full(3, 0.5))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"n_hidden": 0}, "n_hidden is 0"),
        ({"n_hidden": 2.0}, "n_hidden is 2.0"),
        ({"n_hidden": True}, "n_hidden is True"),
        ({"seeds": []}, "seeds is empty"),
        ({"seeds": [1, -2]}, "seeds[1] is -2"),
        ({"seeds": [2**64]}, "seeds[0] is 18446744073709551616"),
        ({"seeds": [0.5]}, "seeds[0] is 0.5"),
        ({"seeds": ["a"]}, "seeds[0] is 'a'"),
        ({"steps": -1}, "steps is -1"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'"),
        ({"init_scale": "kaiming"}, "init_scale is 'kaiming'"),
        ({"init_scale": -1.0}, "init_scale is -1.0"),
        ({"optimizer": "adagrad"}, "optimizer is 'adagrad'"),
        ({"weight_decay": 0.1}, "weight_decay is 0.1: must be 0 with the optimizer adam"),
        ({"weight_decay": -0.1, "optimizer": "sgd"}, "weight_decay is -0.1"),
        ({"momentum": 0.9}, "momentum is 0.9: must be 0 with the optimizer adam"),
        ({"momentum": 1.0, "optimizer": "sgd"}, "momentum is 1.0"),
        ({"learning_rate_schedule": "step"}, "learning_rate_schedule is 'step'"),
        ({"warmup_steps": 2}, "warmup_steps is 2: must be an integer ≥ 0 and < 2, the steps"),
        ({"output": "tanh"}, "output is 'tanh'"),
        ({"hidden": "tanh"}, "hidden is 'tanh': must be linear or relu"),
        ({"output_weights": "own"}, "output_weights is 'own': must be tied or untied"),
        ({"target": "square"}, "target is 'square': must be inputs or absolute"),
        ({"bias": "none"}, "bias is 'none'"),
        ({"bias": 0.5}, "bias is 0.5"),
        ({"bias": [0.5, 0.5]}, "bias is [0.5, 0.5]: must be a list of 3 numbers, one a feature (it has 2)"),
        ({"bias": [0.5, float("inf"), 0.1]}, "a value of bias is inf"),
        ({"centred_inputs": 1}, "centred_inputs is 1"),
        ({"magnitudes": "gaussian"}, "magnitudes is 'gaussian'"),
        ({"record_steps": [3]}, "a step of record_steps is 3: must be at most steps (2)"),
        ({"record_steps": [-1]}, "a value of record_steps is -1"),
        ({"checkpoint_seconds": -1}, "checkpoint_seconds is -1"),
        ({"bias": b"abc"}, "bias is b'abc'"),
        ({"record_steps": 5}, "record_steps is 5: must be a list"),
        ({"seeds": 0}, "seeds is 0: must be at least 1"),
        ({"seeds": None}, "seeds is None: must be a list of integers, or a number (seeds=8 means range(8))"),
        ({"schedule": None}, "schedule is None: must be a Schedule"),
        ({"schedule": Schedule(np.full(3, 1e37), np.full(3, 0.5))}, "importance is 1e+37 somewhere"),
        ({"learning_rate": 10**400}, "learning_rate is 1000"),
        ({"batch_size": 2**64}, "batch_size is 18446744073709551616: must be at most 16777216"),
        ({"init_scale": np.array([1.0, 2.0])}, "init_scale is array([1., 2.])"),
        ({"checkpoint": 5}, "checkpoint is 5: must be a path"),
        ({"checkpoint": "a\0b"}, "must be a path"),
        ({"engine": "jax"}, "engine is 'jax'"),
        ({"device": "tpu"}, "device is 'tpu'"),
        ({"engine": "fused", "device": "cuda"}, "engine fused runs on the CPU only"),
        ({"threads": 0}, "threads is 0"),
        ({"schedule": Schedule(np.ones((3, 3)), np.full(3, 0.5))}, "importance has 3 rows for 2 seeds"),
        ({"schedule": Schedule(np.ones(3), np.full((1, 3), 0.5))}, "probability has 1 rows for 2 seeds"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_wrong_argument_is_named_in_one_line(changed, named):
    arguments = {"schedule": SCHEDULE, "n_hidden": 2, "seeds": [0, 1], "steps": 2, "batch_size": 4}
    with pytest.raises(TrainingError) as raised:
        train(**(arguments | changed))
    message = str(raised.value)
    assert named in message
    assert "\n" not in message


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_cuda_without_a_cuda_device_is_a_clear_error(engine):
    with pytest.raises(TrainingError, match="no CUDA device"):
        train(SCHEDULE, 2, [0], steps=2, engine=engine, device="cuda")


def test_numpy_integers_are_integers():
    models = train(SCHEDULE, np.int64(2), np.arange(2), steps=np.int32(2), batch_size=np.uint8(4))
    assert models.seeds.tolist() == [0, 1]


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_diverging_training_stops_and_names_seed_steps_and_settings(engine):
    with pytest.raises(TrainingError, match=r"seed 41 \(instance 0\).* after 2 steps; learning_rate is 1e"):
        train(SCHEDULE, 2, [41, 42], steps=500, batch_size=64, learning_rate=1e30, engine=engine)


def test_one_diverging_toy_model_is_told_from_the_others():
    importance = np.array([[1.0, 1.0, 1.0], [1e30, 1.0, 1.0], [1.0, 1.0, 1.0]])
    schedule = Schedule(importance, np.full((3, 3), 0.5))
    with pytest.raises(TrainingError, match="seed 8 "):
        train(schedule, 2, [7, 8, 9], steps=300, batch_size=64, engine="fused")


@pytest.mark.parametrize(("progress", "visible"), [(False, False), (None, False), (True, True)])
def test_progress_is_shown_where_it_is_asked_for(capsys, progress, visible):
    train(SCHEDULE, 2, [0], steps=5, batch_size=4, engine="fused", progress=progress)
    captured = capsys.readouterr()
    assert ("5/5" in captured.err) == visible
    assert captured.out == ""


def test_the_fused_engine_does_not_import_torch():
    program = (
        "import sys, numpy as np\n"
        "from superposition_atlas.schedules import Schedule\n"
        "from superposition_atlas.training.train_toy_models import train\n"
        "assert not {'torch', 'numba'} & set(sys.modules)\n"
        "train(Schedule(np.ones(3), np.full(3, .5)), 2, [0], steps=2, engine='fused')\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_settings_of_adam_are_torchs_own():
    defaults = torch.optim.Adam([torch.zeros(1)]).defaults
    assert defaults["betas"] == (ADAM_BETA_1, ADAM_BETA_2)
    assert astuple(TrainingSettings())[2] == defaults["lr"]
