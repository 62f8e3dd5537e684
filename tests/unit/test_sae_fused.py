"""The fused engine, for every architecture: against autograd, and what must not matter to its bits."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.backends import numba_cache
from superposition_atlas.sae import torch_engine
from superposition_atlas.sae.architecture import Architecture, SAEState, TrainingData, join, split
from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.sae.ensemble import SAESettings
from superposition_atlas.sae.fused import fused_saes, gated_gradient
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.toy_model import TrainingSettings

VARIANTS: dict[str, dict[str, Any]] = {
    "relu": {},
    "relu, tied": {"tied": True},
    "gated": {},
    "jumprelu": {"bandwidth": 0.3},
    "jumprelu, tied": {"bandwidth": 0.3, "tied": True},
    "topk": {"auxiliary_coefficient": 0.5},
    "batch_topk": {"auxiliary_coefficient": 0.5},
    "matryoshka": {"auxiliary_coefficient": 0.5, "prefixes": (1, 3)},
    "frozen": {},
}
# Kernels are compiled for each size, a few seconds each: one size in which all stays in registers, and one
# with an odd number of dimensions and more rows than are summed at a time.
SMALL, LARGER = (5, 2, 5), (9, 11, 10)
LARGER_VARIANTS = ("gated", "matryoshka")


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Tensors are tiny here: more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def chosen(variant: str, n_latents: int, **more: Any) -> SAESettings:
    own = {"architecture": variant.split(",")[0], "n_latents": n_latents, "dead_window": 4}
    return SAESettings(**(own | VARIANTS[variant] | more))


def random_data(seed: int, n_instances: int, n_features: int, n_hidden: int, n_latents: int) -> TrainingData:
    """Every instance has its own λ and k, and features that are rare enough for empty, equal samples."""
    rng = np.random.default_rng(seed)
    return TrainingData(
        W=rng.normal(size=(n_instances, n_hidden, n_features)).astype(np.float32),
        probability=rng.uniform(0.02, 1.0, size=(n_instances, 1)) * np.ones(n_features),
        seeds=rng.integers(0, 2**63, size=n_instances),
        sparsity_coefficient=rng.uniform(0.0, 2.0, size=n_instances),
        k=rng.integers(1, n_latents + 1, size=n_instances),
        toy_settings=TrainingSettings(),
    )


def random_state(seed: int, architecture: Architecture, n_instances: int, shape: tuple[int, int]) -> SAEState:
    """In the midst of training, some latents dead. Decoder rows that are trained keep a norm between 0.5
    and 2: their gradient is divided by it, and training holds it at 1.
    """
    rng = np.random.default_rng(seed)
    shapes = architecture.shapes(*shape)
    parameters = {name: rng.normal(size=(n_instances, *size)) for name, size in shapes.items()}
    parameters["W_dec"] /= np.linalg.norm(parameters["W_dec"], axis=-1, keepdims=True)
    if "W_dec" in architecture.trained:
        parameters["W_dec"] *= rng.uniform(0.5, 2.0, size=(n_instances, shape[1], 1))
    if "log_threshold" in parameters:
        parameters["log_threshold"] *= 0.3
    flat = join(parameters, shapes)
    state = SAEState(
        step=7,
        parameters=flat,
        first_moment=(0.01 * rng.normal(size=flat.shape)).astype(np.float32),
        second_moment=(0.01 * rng.uniform(size=flat.shape)).astype(np.float32),
        last_fired=rng.integers(-1, 7, size=(n_instances, shape[1])),
    )
    for name in shapes.keys() - architecture.trained:
        split(state.first_moment, shapes)[name][...] = 0.0
        split(state.second_moment, shapes)[name][...] = 0.0
    return state


def fresh_state(data: TrainingData, of: SAESettings) -> SAEState:
    architecture = by_name(of.architecture)
    flat = join(architecture.initial(data, of), architecture.shapes(data.n_hidden, of.n_latents))
    zeros = np.zeros_like(flat)
    return SAEState(0, flat, zeros, zeros.copy(), np.full((len(flat), of.n_latents), -1, dtype=np.int64))


def copy_of(state: SAEState) -> SAEState:
    arrays = ("parameters", "first_moment", "second_moment", "last_fired")
    return replace(state, **{name: getattr(state, name).copy() for name in arrays})


# Derandomised: a pre-activation within rounding of a threshold or another one may fire in one engine only.
def on_random_cases(test: Callable[..., None]) -> Callable[..., None]:
    drawn = given(
        batch_size=st.integers(1, 600),
        warmup=st.sampled_from([0, 20]),
        coefficient=st.sampled_from([0.0, 0.5]),
        seed=st.integers(0, 2**32),
    )
    return settings(max_examples=6, derandomize=True)(drawn(test))


def compare_one_step(variant: str, sizes: tuple[int, int, int], seed: int, of: SAESettings) -> None:
    data = random_data(seed, 2, *sizes)
    architecture = by_name(of.architecture)
    state = random_state(seed, architecture, 2, sizes[1:])
    expected = copy_of(state)
    fused_saes.advance(by_name(of.architecture), state, 1, data, of, 1)
    torch_engine.advance(architecture, expected, 1, data, of)

    # Adam's first moment holds the gradient itself, a step of it only its direction.
    shapes = architecture.shapes(*sizes[1:])
    for part, atol in (("first_moment", 2e-6), ("second_moment", 2e-6), ("parameters", 1e-5)):
        ours, theirs = split(getattr(state, part), shapes), split(getattr(expected, part), shapes)
        for name in shapes:
            np.testing.assert_allclose(
                ours[name], theirs[name], rtol=1e-4, atol=atol, err_msg=f"{part} {name}"
            )
    np.testing.assert_array_equal(state.last_fired, expected.last_fired)
    assert state.step == expected.step == 8


@pytest.mark.parametrize("variant", VARIANTS)
@on_random_cases
def test_one_fused_step_is_one_step_of_autograd(
    variant: str, batch_size: int, warmup: int, coefficient: float, seed: int
) -> None:
    more = {"batch_size": batch_size, "sparsity_warmup_steps": warmup}
    if "auxiliary_coefficient" in VARIANTS[variant]:
        more["auxiliary_coefficient"] = coefficient
    compare_one_step(variant, SMALL, seed, chosen(variant, SMALL[2], **more))


@pytest.mark.parametrize("variant", LARGER_VARIANTS)
@pytest.mark.parametrize("batch_size", [1, 300])
def test_one_step_of_larger_saes(variant: str, batch_size: int) -> None:
    compare_one_step(variant, LARGER, batch_size, chosen(variant, LARGER[2], batch_size=batch_size))


@pytest.mark.parametrize("variant", VARIANTS)
def test_engines_agree_over_many_steps(variant: str) -> None:
    data = random_data(3, 3, *SMALL)
    of = chosen(variant, SMALL[2], sparsity_warmup_steps=15, batch_size=300)
    ours, theirs = fresh_state(data, of), fresh_state(data, of)
    fused_saes.advance(by_name(of.architecture), ours, 40, data, of, 2)
    torch_engine.advance(by_name(of.architecture), theirs, 40, data, of)
    np.testing.assert_allclose(ours.parameters, theirs.parameters, rtol=0, atol=2e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_bits_for_any_batching_order_threads_and_cut(variant: str) -> None:
    data = random_data(5, 5, *SMALL)
    of = chosen(variant, SMALL[2], batch_size=300)
    together = fresh_state(data, of)
    fused_saes.advance(by_name(of.architecture), together, 40, data, of, 3)
    assert np.isfinite(together.parameters).all()

    order = [4, 0, 2]
    some = TrainingData(
        **{
            name: getattr(data, name)[order]
            for name in ("W", "probability", "seeds", "sparsity_coefficient", "k")
        },
        toy_settings=data.toy_settings,
    )
    apart = fresh_state(some, of)
    for n_steps, threads in ((1, 1), (22, 2), (17, 64)):
        fused_saes.advance(by_name(of.architecture), apart, n_steps, some, of, threads)
    alone = fresh_state(data.one(2), of)
    fused_saes.advance(by_name(of.architecture), alone, 40, data.one(2), of, 1)
    for part in ("parameters", "first_moment", "second_moment", "last_fired"):
        np.testing.assert_array_equal(getattr(apart, part), getattr(together, part)[order], err_msg=part)
        np.testing.assert_array_equal(getattr(alone, part)[0], getattr(together, part)[2], err_msg=part)


@pytest.mark.parametrize("variant", ["batch_topk", "matryoshka"])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_batch_is_cut_where_it_should_be_also_among_equals(variant: str, k: int) -> None:
    """Four of five samples are empty, and so the same: whether the last one chosen is among them or not."""
    data = replace(random_data(1, 2, *SMALL), k=np.full(2, k), probability=np.full((2, SMALL[0]), 0.04))
    of = chosen(variant, SMALL[2], batch_size=257)
    architecture = by_name(of.architecture)
    state = random_state(1, architecture, 2, SMALL[1:])
    shapes = architecture.shapes(*SMALL[1:])
    before = split(state.parameters, shapes)
    before["b_enc"][0] = 0.2  # all latents fire for empty samples
    before["b_dec"][0] = 0.0
    expected = copy_of(state)
    fused_saes.advance(by_name(of.architecture), state, 1, data, of, 1)
    torch_engine.advance(architecture, expected, 1, data, of)
    np.testing.assert_allclose(state.first_moment, expected.first_moment, rtol=1e-4, atol=2e-6)
    threshold = split(state.parameters, shapes)["threshold"]
    np.testing.assert_allclose(threshold, split(expected.parameters, shapes)["threshold"], rtol=1e-6)


@pytest.mark.parametrize("variant", ["gated", "jumprelu", "topk", "batch_topk"])
def test_what_is_not_finite_stays_so(variant: str) -> None:
    data = random_data(0, 2, *SMALL)
    data.W[1, 0, 0] = np.inf
    of = chosen(variant, SMALL[2], batch_size=300)
    state = fresh_state(data, of)
    fused_saes.advance(by_name(of.architecture), state, 5, data, of, 1)
    assert np.isfinite(state.parameters[0]).all()
    assert not np.isfinite(state.parameters[1]).all()


def test_it_is_for_small_saes() -> None:
    assert fused_saes.fits(5, 2, 5)
    assert fused_saes.fits(80, 20, 80)
    assert not fused_saes.fits(1000, 500, 2000)


def test_machine_code_is_keyed_by_the_architectures_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel closes over that module; an edit of it alone must not find the old machine code."""
    asked: list[tuple[str, ...]] = []

    def digest(*modules: str) -> str:
        asked.append(modules)
        return code_digest(*modules)

    monkeypatch.setattr(numba_cache, "code_digest", digest)
    numba_cache._digest_of_loaded.cache_clear()
    fused_saes._kernel.cache_clear()
    data, of = random_data(0, 1, *SMALL), chosen("gated", SMALL[2])
    fused_saes.advance(by_name("gated"), fresh_state(data, of), 0, data, of, 1)
    assert any(gated_gradient.__name__ in modules for modules in asked)
