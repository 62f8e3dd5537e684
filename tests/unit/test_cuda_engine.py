"""The GPU engine does what the reference does, in Triton's interpreter, and on a GPU where there is one.

Without a GPU, tests/conftest.py has kernels interpreted; where there is one, TRITON_INTERPRET=1 asks for it.
"""

import importlib
import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.backends import optional_packages
from superposition_atlas.errors import DeviceError, TrainingError
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.magnitudes import MAGNITUDES
from superposition_atlas.sampling.structure import intervals_of
from superposition_atlas.schedules import Schedule
from superposition_atlas.training import train_toy_models as training
from superposition_atlas.training.problem import Problem, TrainingState
from superposition_atlas.training.torch_engine import TorchEngine
from superposition_atlas.training.train_toy_models import train

from tests.unit.structure_samples import FIVE
from tests.unit.test_training import (
    OPTIMIZERS,
    VARIANTS,
    assert_close_to_largest,
    assert_same_bits,
    gradient_by_definition,
    problem,
    trained,
)

triton = pytest.importorskip("triton", reason="Triton is for Linux")
tl = triton.language

from superposition_atlas.backends.gpu_failures import failures_named  # noqa: E402
from superposition_atlas.sampling.triton_stream import magnitude, philox_quad  # noqa: E402
from superposition_atlas.training import torch_engine  # noqa: E402
from superposition_atlas.training.cuda import cuda_small, cuda_wide  # noqa: E402
from superposition_atlas.training.cuda.cuda_engine import CudaEngine  # noqa: E402

INTERPRETED = triton.knobs.runtime.interpret
DEVICES = [
    pytest.param(
        "cpu", marks=pytest.mark.skipif(not INTERPRETED, reason="interprets with TRITON_INTERPRET=1 only")
    ),
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(INTERPRETED or not torch.cuda.is_available(), reason="no CUDA device here"),
    ),
]
on_every_device = pytest.mark.parametrize("device", DEVICES)

SMALL_SHAPES = [(5, 2), (1, 1), (7, 3), (2, 8)]
WIDE_SHAPES = [(40, 20), (13, 29), (33, 2), (11, 1)]
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def engine_on(device: str) -> CudaEngine:
    return CudaEngine(device, None if device == "cuda" else lambda: 10**9)


def free_for(n_instances: int, of: Problem) -> int:
    """Free memory in which so many instances have room."""
    module = cuda_small if cuda_small.fits(of) else cuda_wide
    return int(module.bytes_an_instance(of) * (n_instances + 0.5) / 0.8)


def part_of(of: Problem, rows: list[int]) -> Problem:
    arrays = {name: getattr(of, name)[rows] for name in ("seeds", "importance", "probability")}
    return replace(of, **arrays)


# --- the stream ---------------------------------------------------------------------------------------------


@triton.jit
def write_words(out, quads, feature, step, purpose, key0, key1):
    i = tl.arange(0, 4)
    words = philox_quad(
        tl.load(quads + i), tl.load(feature), tl.load(step), tl.load(purpose), tl.load(key0), tl.load(key1)
    )
    for j in tl.static_range(4):
        tl.store(out + 4 * i + j, words[j])


@triton.jit
def write_magnitudes(out, words, threshold, scale, offset, MAGNITUDES: tl.constexpr, SIZE: tl.constexpr):
    i = tl.arange(0, SIZE)
    word = tl.load(words + i)
    start = tl.full((), 0, tl.uint32)
    x = magnitude(word, word, start, tl.load(threshold), tl.load(scale), tl.load(offset), MAGNITUDES)
    tl.store(out + i, x)


@on_every_device
@given(
    seed=st.integers(0, 2**64 - 1),
    step=st.integers(0, 2**32 - 1),
    feature=st.integers(0, 40),
    purpose=st.sampled_from(list(stream.Purpose)),
)
@settings(max_examples=20)
def test_words_are_the_streams(device, seed, step, feature, purpose):
    numbers = [np.arange(4), feature, step, int(purpose), seed & 0xFFFFFFFF, seed >> 32]
    tensors = [torch.from_numpy(np.atleast_1d(np.asarray(n)).astype(np.uint32)).to(device) for n in numbers]
    out = torch.zeros(16, dtype=torch.uint32, device=device)
    write_words[(1,)](out, *tensors)
    expected = stream.words([seed], step, 16, feature + 1, purpose)[0, :, feature]
    np.testing.assert_array_equal(out.cpu().numpy(), expected)


@on_every_device
@pytest.mark.parametrize("name", MAGNITUDES)
@pytest.mark.parametrize("p", [1.0, 0.3, 1e-4])
def test_magnitudes_are_the_streams(device, name, p):
    size = 2**14
    word = stream.words([3], 5, size, 1, stream.Purpose.INPUTS)[0, :, 0]
    threshold = stream.thresholds(np.array([p]))
    word[:3] = 0, threshold[0], 1  # both ends: the largest and least quantiles
    scale = stream.scales(threshold)
    offset = stream.offsets(scale, name)
    u = word.astype(np.float32) * scale + offset
    expected = np.zeros(size, np.float32)
    active = word <= threshold
    expected[active] = MAGNITUDES[name].quantile(u[active], np)
    given_to = [torch.from_numpy(a).to(device) for a in (word, threshold, scale, offset)]
    out = torch.zeros(size, device=device)
    write_magnitudes[(1,)](out, *given_to, MAGNITUDES=name, SIZE=size)
    np.testing.assert_array_equal(out.cpu().numpy() != 0, active & (expected != 0))
    np.testing.assert_allclose(out.cpu().numpy(), expected, rtol=2e-5, atol=2e-7 * (name == "signed_uniform"))


# --- steps --------------------------------------------------------------------------------------------------


@on_every_device
@pytest.mark.parametrize("shape", SMALL_SHAPES + WIDE_SHAPES, ids=str)
@given(data=st.data())
@settings(max_examples=2)
def test_the_gradient_of_one_step(device, shape, data):
    of = problem(
        *shape,
        n_instances=1,
        batch_size=data.draw(st.sampled_from([1, 2, 63, 64, 65, 128, 200])),
        rng=data.draw(st.integers(0, 1000)),
        probability=data.draw(st.sampled_from([None, 1.0, 0.3, 0.01])),
    )
    state = TrainingState.initial(of)
    state.weights.W *= data.draw(st.sampled_from([0.1, 1.0, 3.0]))
    state.weights.b[...] = np.random.default_rng(0).normal(0.0, 0.2, state.weights.b.shape)
    state.step = data.draw(st.integers(0, 10**6))
    gradient_W, gradient_b, loss = gradient_by_definition(of, state.weights.W, state.weights.b, state.step)
    engine_on(device).advance(state, 1, of)
    assert_close_to_largest(state.mean.W * 10, gradient_W, 1e-5)
    assert_close_to_largest(state.mean.b * 10, gradient_b, 1e-5)
    assert_close_to_largest(state.square.W * 1000, gradient_W**2, 3e-5)
    np.testing.assert_allclose(state.loss_sum, loss, rtol=1e-5, atol=1e-12)


def assert_stays_with_the_reference(device, of, *chunks):
    state, loss = trained(engine_on(device), of, *chunks)
    reference, reference_loss = trained(TorchEngine("cpu", 1), of, *chunks)
    np.testing.assert_allclose(state.weights.W, reference.weights.W, atol=2e-5)
    np.testing.assert_allclose(state.weights.b, reference.weights.b, atol=2e-5)
    np.testing.assert_allclose(loss, reference_loss, rtol=2e-5)


@on_every_device
@pytest.mark.parametrize(
    ("shape", "p"),
    [((5, 2), None), ((7, 3), None), ((40, 20), None), ((13, 29), None), ((5, 2), 0.02), ((40, 20), 0.02)],
    ids=str,
)
def test_first_steps_are_the_references(device, shape, p):
    n_instances, n_steps = (3, 100) if device == "cuda" else (1, 3)
    of = problem(*shape, n_instances=n_instances, probability=p, batch_size=100)
    assert_stays_with_the_reference(device, of, 1, n_steps)


@on_every_device
@pytest.mark.parametrize("batch_size", [520, 1024, 1030])
def test_more_warps_take_the_same_steps(device, batch_size):
    of = problem(5, 2, n_instances=1, batch_size=batch_size)
    assert cuda_small.n_warps(of) == (2 if batch_size == 520 else 4)
    assert_stays_with_the_reference(device, of, 1, 1)


# A learning rate's schedule is one number a step to the kernels: one shows that the wide ones use it.
SAME_KERNELS = ("adamw-frozen-bias", "linear-warmup", "quarter-cosine")
CASES = [
    pytest.param(
        shape,
        variant,
        id=f"{name}-{size}",
        marks=[pytest.mark.slow] if size == "wide" and name in SAME_KERNELS else [],
    )
    for size, shape in {"small": (5, 2), "wide": (5, 9)}.items()
    for name, variant in (VARIANTS | OPTIMIZERS).items()
]


@on_every_device
@pytest.mark.parametrize(("shape", "variant"), CASES)
def test_every_variant_is_the_references(device, shape, variant):
    of = problem(*shape, n_instances=1, batch_size=70, probability=0.3, steps=100, **variant)
    assert cuda_small.fits(of) == (shape == (5, 2))
    assert_stays_with_the_reference(device, of, 1, 1)
    if of.settings.bias != "trained":
        state, _ = trained(engine_on(device), of, 1)
        np.testing.assert_array_equal(state.weights.b, TrainingState.initial(of).weights.b)


@on_every_device
@pytest.mark.parametrize("shape", [(5, 2), (20, 4)], ids=["small", "wide"])
@pytest.mark.parametrize("variant", ["plain", "centred-linear-mean", "lognormal-centred"])
def test_held_out_losses_are_the_references(device, shape, variant, monkeypatch):
    for module in (cuda_small, cuda_wide, torch_engine):
        monkeypatch.setattr(module, "HELD_OUT_SAMPLES", 512)
    of = problem(*shape, n_instances=2, **VARIANTS[variant])
    weights = TrainingState.initial(of).weights
    expected = TorchEngine("cpu", 1).feature_loss(weights, of)
    np.testing.assert_allclose(engine_on(device).feature_loss(weights, of), expected, rtol=1e-4)


@on_every_device
@pytest.mark.parametrize("n_features", [5, 20], ids=["small", "wide"])
def test_features_that_depend_on_one_another_are_the_references(device, n_features, monkeypatch):
    for module in (cuda_small, cuda_wide, torch_engine):
        monkeypatch.setattr(module, "HELD_OUT_SAMPLES", 512)
    of = problem(n_features, 2, n_instances=2, batch_size=100, probability=0.3)
    groups = [*FIVE[:1], {"form": "exclusive", "features": [1, 4]}]
    of = replace(of, structure=intervals_of(groups, of.probability))
    assert_stays_with_the_reference(device, of, 1, 2)
    weights = TrainingState.initial(of).weights
    expected = TorchEngine("cpu", 1).feature_loss(weights, of)
    np.testing.assert_allclose(engine_on(device).feature_loss(weights, of), expected, rtol=1e-4)
    independent = TorchEngine("cpu", 1).feature_loss(weights, replace(of, structure=None))
    assert np.abs(expected / independent - 1).max() > 1e-3


@on_every_device
def test_what_is_no_number_never_passes_for_a_dead_unit(device):
    for shape in ((3, 2), (12, 2)):
        of = problem(*shape, 1, 8, probability=1.0)
        state = TrainingState.initial(of)
        state.weights.W[...] = 1e30  # z is ∞ - ∞ somewhere
        state.weights.W[0, 0, 1] = -1e30
        with np.errstate(all="ignore"):
            engine_on(device).advance(state, 1, of)
        assert not state.is_finite()[0]


# --- the same bits ------------------------------------------------------------------------------------------


@on_every_device
@pytest.mark.parametrize("shape", [(5, 2), (20, 6)], ids=["small", "wide"])
def test_bits_depend_neither_on_neighbours_nor_on_cuts_nor_on_pauses(device, shape):
    of = problem(*shape, n_instances=3, batch_size=60)
    together, _ = trained(engine_on(device), of, 3)
    paused, _ = trained(engine_on(device), of, 1, 0, 2)
    assert_same_bits(together, paused)
    in_parts = CudaEngine(device, lambda: free_for(2, of))
    cut, _ = trained(in_parts, of, 2, 1)
    assert_same_bits(together, cut)
    for rows in ([1], [2, 0]):
        alone, _ = trained(engine_on(device), part_of(of, rows), 3)
        np.testing.assert_array_equal(alone.weights.W, together.weights.W[rows])
        np.testing.assert_array_equal(alone.weights.b, together.weights.b[rows])
        np.testing.assert_array_equal(alone.square.W, together.square.W[rows])


@pytest.fixture(params=DEVICES)
def cuda_train(request, monkeypatch):
    """`train` with engine "cuda", wherever its kernels run."""
    if request.param == "cpu":
        module = importlib.import_module("superposition_atlas.training.cuda.cuda_engine")
        monkeypatch.setattr(module, "CudaEngine", partial(CudaEngine, "cpu", lambda: 10**9))
        monkeypatch.setattr(training, "gpu_problem", lambda: None)
    return partial(train, n_hidden=2, engine="cuda", batch_size=64)


SCHEDULE = Schedule(np.ones(3), np.full(3, 0.5))


def test_training_that_fails_names_the_toy_models_and_goes_on_from_its_checkpoint(
    cuda_train, tmp_path, monkeypatch
):
    path = tmp_path / "checkpoint.safetensors"
    kept = {"checkpoint": path, "checkpoint_seconds": np.inf, "steps": 6, "record_steps": [0, 3]}
    monkeypatch.setattr(cuda_small, "HELD_OUT_SAMPLES", 128)
    whole = cuda_train(SCHEDULE, seeds=[7, 9], **{**kept, "checkpoint": None})
    sound = cuda_small.advance

    def fails(state, n_steps, *others):
        if state.step >= 3 and n_steps:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nCompile with …")
        sound(state, n_steps, *others)

    monkeypatch.setattr(cuda_small, "advance", fails)
    with pytest.raises(DeviceError) as raised:
        cuda_train(SCHEDULE, seeds=[7, 9], **kept)
    message = str(raised.value)
    assert "\n" not in message
    for part in ("between steps 3 and", "instances 0 to 1", "(seeds 7 to 9)", "illegal memory", str(path)):
        assert part in message
    monkeypatch.setattr(cuda_small, "advance", sound)
    resumed = cuda_train(SCHEDULE, seeds=[7, 9], **kept)
    np.testing.assert_array_equal(resumed.W, whole.W)
    np.testing.assert_array_equal(resumed.b, whole.b)
    np.testing.assert_array_equal(resumed.loss, whole.loss)
    np.testing.assert_array_equal(resumed.history.feature_loss, whole.history.feature_loss)
    assert resumed.engine.startswith("cuda")


# --- memory, and what there is to run on --------------------------------------------------------------------


@on_every_device
def test_an_ensemble_that_does_not_fit_is_cut_with_a_line_in_the_log(device, caplog):
    of = problem(20, 4, n_instances=7, batch_size=16)
    caplog.set_level(logging.INFO)
    engine = CudaEngine(device, lambda: free_for(3, of))
    state = TrainingState.initial(of)
    engine.advance(state, 0, of)
    engine.advance(state, 1, of)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "7 toy models need" in line
    assert "trained in 3 parts" in line
    with pytest.raises(DeviceError, match="take a smaller batch_size"):
        CudaEngine(device, lambda: free_for(0, of)).advance(state, 1, of)


@pytest.mark.parametrize("shape", [(5, 2), (80, 20), (400, 30), (3200, 100)], ids=str)
def test_groups_of_products_depend_on_sizes_alone(shape):
    sizes = {cuda_wide.group_size(problem(*shape, n_instances=n, batch_size=1024)) for n in (1, 3, 50)}
    (size,) = sizes
    assert size & (size - 1) == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_cuda_device_the_engine_says_so_in_one_line():
    with pytest.raises(TrainingError, match="engine is cuda, but torch finds no CUDA device: use engine f"):
        train(SCHEDULE, 2, [0], steps=2, engine="cuda")


def test_without_triton_the_engine_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(training, "gpu_problem", lambda: None)
    monkeypatch.setattr(optional_packages, "find_spec", lambda name: None if name == "triton" else True)
    with pytest.raises(TrainingError, match=r"triton is not installed \(pip install .*\[gpu\]"):
        train(SCHEDULE, 2, [0], steps=2, engine="cuda")
    assert training.engine_name("auto", "cuda") == "torch-cuda"
    with pytest.raises(TrainingError, match="engine cuda runs on a GPU only"):
        train(SCHEDULE, 2, [0], steps=2, engine="cuda", device="cpu")


def test_a_gpu_trains_only_when_it_is_named(monkeypatch):
    monkeypatch.setattr(training, "gpu_problem", lambda: None)
    assert training.engine_name("auto", "cuda").startswith("cuda (triton")
    assert training.engine_name("torch", "cuda") == "torch-cuda"
    monkeypatch.setattr(training, "gpu_problem", lambda: pytest.fail("auto looks for a GPU"))
    assert training.engine_name("auto") == training.engine_name("auto", "cpu") == "fused"
    assert training.engine_name("fused") == "fused"
    assert training.engine_name("torch") == "torch-cpu"


def test_a_gpu_that_can_not_be_used_is_one_line(monkeypatch):
    def fails(*shape, device):
        raise RuntimeError("CUDA error: no kernel image is available\nmore")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", fails)
    with pytest.raises(
        TrainingError, match=r"engine is cuda, but the GPU can't be used \(CUDA error: no k.*age"
    ):
        train(SCHEDULE, 2, [0], steps=2, engine="cuda")


def test_triton_without_a_compiler_leaves_torch_on_the_gpu(monkeypatch, caplog):
    monkeypatch.setattr(training, "gpu_problem", lambda: None)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)

    class Driver:
        @property
        def active(self):
            raise subprocess.CalledProcessError(1, ["gcc", "main.c"])

    monkeypatch.setattr("triton.runtime.driver", Driver())
    assert training.engine_name("auto", "cuda") == "torch-cuda"
    (line,) = [record.getMessage() for record in caplog.records]
    assert "C compiler" in line
    assert "gcc" in line
    with pytest.raises(TrainingError, match="engine is cuda, but Triton can't compile"):
        training.engine_name("cuda")


def test_a_compiler_that_fails_later_is_one_line():
    found = pytest.raises(DeviceError, match="the GPU failed at the first step: Command")
    with found, failures_named("at the first step"):
        raise subprocess.CalledProcessError(1, ["gcc", "main.c"])


# --- code for a GPU that is not here ------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["5-2", pytest.param("7-3", marks=pytest.mark.slow)])
def test_kernels_compile_for_sm_90_without_spills(shape):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, str(BENCHMARKS / "gpu_code.py"), "--shape", shape]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    if ran.returncode == 3:
        pytest.skip(ran.stderr.strip())
    assert ran.returncode == 0, ran.stderr
    kernels = json.loads(ran.stdout)["kernels"]
    assert len(kernels) >= 8
    for name, found in kernels.items():
        assert found["stack_bytes"] == 0, name  # where registers would be spilled to
        assert found["registers"] <= 255, name
    if shape == "5-2":
        assert kernels["take_steps 5-2"]["registers"] <= 128  # sixteen warps on a multiprocessor
