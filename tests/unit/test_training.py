"""Training: engines agree with the formulas and each other, however it is cut; known toy models come out."""

import subprocess
import sys
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from superposition_atlas import stream
from superposition_atlas.errors import TrainingError
from superposition_atlas.schedules import Schedule
from superposition_atlas.toy_model import TrainingSettings, encode, reconstruct
from superposition_atlas.training import LOSS_WINDOW, train
from superposition_atlas.training.fused_engine import FusedEngine
from superposition_atlas.training.optimizer import ADAM_BETA_1, ADAM_BETA_2
from superposition_atlas.training.state import Problem, TrainingState
from superposition_atlas.training.torch_engine import DeviceStream, TorchEngine

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


def gradient_by_definition(of, W, b, step):
    """Gradient of Σ_i I_i (x_i - x'_i)², mean over batch and features, and that loss: float64."""
    W, b = W.astype(float), b.astype(float)
    x = stream.sample(of.seeds, step, of.settings.batch_size, of.probability).astype(float)
    importance = of.importance[:, None, :]
    error = reconstruct(encode(x, W), W, b) - x
    z = encode(x, W) @ W + b[:, None, :]
    back = 2 * importance * error * (z > 0) / x[0].size
    gradient_W = encode(x, W).swapaxes(1, 2) @ back + (back @ W.swapaxes(1, 2)).swapaxes(1, 2) @ x
    return gradient_W, back.sum(1), (importance * error**2).mean((1, 2))


def assert_close_to_largest(actual, expected, tolerance):
    scale = np.abs(expected).max() + 1e-12
    assert np.abs(actual - expected).max() <= tolerance * scale


@pytest.mark.parametrize("engine", [FusedEngine(2), TorchEngine("cpu", 2)], ids=lambda engine: engine.name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@given(data=st.data())
@settings(max_examples=15)
def test_the_gradient_of_one_step(engine, shape, data):
    of = problem(
        *shape,
        n_instances=data.draw(st.integers(1, 3)),
        batch_size=data.draw(st.sampled_from([1, 2, 15, 31, 32, 33, 100, 256, 257, 700])),
        rng=data.draw(st.integers(0, 1000)),
        probability=data.draw(st.sampled_from([None, 1.0, 0.3, 0.01])),
    )
    state = TrainingState.initial(of)
    state.weights.b[...] = np.random.default_rng(0).normal(0.0, 0.2, state.weights.b.shape)
    state.step = data.draw(st.integers(0, 10**6))
    gradient_W, gradient_b, loss = gradient_by_definition(of, state.weights.W, state.weights.b, state.step)
    engine.advance(state, 1, of)
    # From running means of 0 the mean is the gradient times 1 - β₁, the square its square times 1 - β₂.
    assert_close_to_largest(state.mean.W / (1 - ADAM_BETA_1), gradient_W, 1e-5)
    assert_close_to_largest(state.mean.b / (1 - ADAM_BETA_1), gradient_b, 1e-5)
    assert_close_to_largest(state.square.W / (1 - ADAM_BETA_2), gradient_W**2, 2e-5)
    np.testing.assert_allclose(state.loss_sum, loss, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("p", [1.0, None, 0.02], ids=lambda p: f"p={p}")
def test_engines_stay_together_for_100_steps(shape, p):
    of = problem(*shape, probability=p, batch_size=200)
    fused, fused_loss = trained(FusedEngine(2), of, 100)
    reference, reference_loss = trained(TorchEngine("cpu", 2), of, 100)
    np.testing.assert_allclose(fused.weights.W, reference.weights.W, atol=2e-5)
    np.testing.assert_allclose(fused.weights.b, reference.weights.b, atol=2e-5)
    np.testing.assert_allclose(fused_loss, reference_loss, rtol=1e-5)


@pytest.mark.parametrize("shape", SHAPES[:5], ids=str)
def test_fused_bits_do_not_depend_on_batching_order_or_threads(shape):
    schedule = Schedule(problem(*shape, n_instances=7).importance, problem(*shape, n_instances=7).probability)
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


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_a_shared_schedule_and_a_schedule_for_each_instance_are_the_same(engine):
    importance, probability = np.array([1.0, 0.5, 0.2]), np.array([0.1, 0.9, 0.4])
    shared = train(Schedule(importance, probability), 2, range(3), steps=30, engine=engine)
    own = Schedule(np.tile(importance, (3, 1)), np.tile(probability, (3, 1)))
    np.testing.assert_array_equal(shared.W, train(own, 2, range(3), steps=30, engine=engine).W)
    assert shared.importance.shape == shared.probability.shape == (3, 3)
    assert shared.settings == TrainingSettings(steps=30)


def test_the_device_stream_is_the_stream():
    of = problem(n_features=6, n_instances=4)
    sample = DeviceStream(of, torch.device("cpu")).sample(12, 101, stream.Purpose.INPUTS)
    np.testing.assert_array_equal(sample.numpy(), stream.sample(of.seeds, 12, 101, of.probability))


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
        ({"seeds": [1, -2]}, "seed is -2"),
        ({"seeds": [2**64]}, "seed is 18446744073709551616"),
        ({"seeds": [0.5]}, "seed is 0.5"),
        ({"seeds": ["a"]}, "seed is 'a'"),
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'"),
        ({"init_scale": "kaiming"}, "init_scale is 'kaiming'"),
        ({"init_scale": -1.0}, "init_scale is -1.0"),
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
    with pytest.raises(TrainingError, match=r"seed 41 \(instance 0\) .* step 1; learning_rate is 1e\+30"):
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
        "from superposition_atlas.training import train\n"
        "assert not {'torch', 'numba'} & set(sys.modules)\n"
        "train(Schedule(np.ones(3), np.full(3, .5)), 2, [0], steps=2, engine='fused')\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_settings_of_adam_are_torchs_own():
    defaults = torch.optim.Adam([torch.zeros(1)]).defaults
    assert defaults["betas"] == (ADAM_BETA_1, ADAM_BETA_2)
    assert astuple(TrainingSettings())[2] == defaults["lr"]
