"""The fused engine: whole training steps of SAEs in one compiled loop.

Instances share nothing: each is trained from first to last step of a call by one thread, so its bits depend
neither on the other instances nor on the number of threads. A batch is processed in blocks that stay in the
first-level cache; within a block, arrays are rows of BLOCK samples, which fill the vector lanes.

A step is made of parts (`fused_parts`). What is particular to one architecture is in a module of its own,
which its file in `architectures` names, and whose functions the parts inline:

    prepare         once a step, before the batch: `Model.level`
    select          once a step, with SELECTS_FROM_BATCH: the bound of what is active
    activate        once a block: `Rows.activations`
    add_gradient    for each block and latent: δ_j, and the gradients of the architecture's own parameters
    finish          once a step, after the batch
    after_step      once a step, after the optimizer
    RECTIFIES            whether the activations are ReLU(π) and stand in the place of π
    SELECTS_FROM_BATCH   whether what is active depends on the whole batch
    HAS_PREFIXES         whether prefixes of the latents reconstruct by themselves
    HAS_GATE             whether `Rows.other_activations` are reconstructed as well
    HAS_AUXILIARY        whether dead latents are told apart, for AuxK
"""

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from superposition_atlas.backends.numba_cache import UNCOUNTED, compile_kernel
from superposition_atlas.backends.threads import run_in_groups
from superposition_atlas.sae.architecture import Architecture, SAEState, TrainingData, warmup
from superposition_atlas.sae.ensemble import SAESettings
from superposition_atlas.sae.fused.fused_form import Form
from superposition_atlas.sae.fused.fused_gradient import Goal, Model, Rows, Sums
from superposition_atlas.sae.fused.fused_parts import (
    add_gradients,
    begin_step,
    encode_block,
    end_step,
    reconstruct_block,
    reconstruct_prefixes,
)
from superposition_atlas.sae.fused.fused_rows import BLOCK, QUADS
from superposition_atlas.sae.fused.fused_selection import (
    LARGEST_BITS,
    add_slopes_of_dead,
    mark_dead,
    reconstruct_by_dead,
)
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.structure import ALL, independent, is_shared, scales, shared_words
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2

_LOW_WORD = np.uint64(0xFFFFFFFF)
_MOST_PRODUCTS = 150_000
_ALIGNED = 16
"""Floats of a vector register, at most."""


def fits(n_features: int, n_hidden: int, n_latents: int) -> bool:
    """Whether SAEs are so small that this engine is the faster one: far above, torch's BLAS is.

    Measured on one core: 10 times as fast as the reference at 80 → 20 → 80 latents, 1.5 times at
    512 → 128 → 512, .7 times at 512 → 256 → 1024.
    """
    return n_hidden * (n_features + n_latents) <= _MOST_PRODUCTS


def advance(
    architecture: Architecture,
    state: SAEState,
    n_steps: int,
    data: TrainingData,
    settings: SAESettings,
    threads: int,
) -> None:
    """n_steps steps in place, on `threads` threads, of an architecture with a compiled gradient."""
    assert architecture.fused is not None
    n_instances, n_hidden, n_features = data.W.shape
    ends = np.array([*settings.prefixes, settings.n_latents])
    form = Form(
        gradient=architecture.fused().__name__,
        tied=settings.tied,
        n_features=n_features,
        n_hidden=n_hidden,
        n_latents=settings.n_latents,
        n_parameters=sum(map(prod, architecture.shapes(n_hidden, settings.n_latents).values())),
        structured=data.structure is not None,
    )
    threshold = stream.thresholds(data.probability)
    structure = independent(threshold.shape) if data.structure is None else data.structure
    seeds = data.seeds.astype(np.uint64)
    steps = state.step + 1.0 + np.arange(n_steps)
    arguments = (
        state.parameters,
        state.first_moment,
        state.second_moment,
        state.last_fired,
        data.W.reshape(n_instances, -1).astype(np.float32),
        np.where(is_shared(structure), np.uint32(ALL - 1), threshold),
        threshold,
        scales(threshold, structure),
        shared_words(structure),
        np.stack([seeds & _LOW_WORD, seeds >> np.uint64(32)], axis=1).astype(np.uint32),
        data.sparsity_coefficient,
        data.k,
        np.searchsorted(ends, np.arange(settings.n_latents), side="right"),
        state.step,
        np.array([warmup(settings, state.step + turn) for turn in range(n_steps)]),
        (settings.learning_rate / (1.0 - ADAM_BETA_1**steps)).astype(np.float32),
        (1.0 / np.sqrt(1.0 - ADAM_BETA_2**steps)).astype(np.float32),
        settings.batch_size,
        settings.bandwidth,
        settings.auxiliary_coefficient,
        settings.dead_window,
        "W_dec" in architecture.trained,
        n_hidden,
    )

    # The kernel releases the GIL: Python's threads are all it takes.
    kernel = _kernel(form)

    def advance_some(first: int, end: int) -> None:
        kernel(first, end, *_workspace(form, settings.batch_size, len(ends)), *arguments)

    run_in_groups(advance_some, n_instances, threads)
    state.step += n_steps


def _workspace(form: Form, batch_size: int, n_prefixes: int) -> tuple[Any, ...]:
    """What a thread computes with: x and shared words, `Rows` of the blocks held, `Sums`, arrays of `Model`.

    Rows begin where a vector register's worth of memory does, which makes steps up to a quarter faster.
    """
    n_hidden, n_latents = form.n_hidden, form.n_latents
    n_held = -(-batch_size // BLOCK) if form.module.SELECTS_FROM_BATCH else 1
    shapes = (
        (form.n_features * BLOCK,),
        (n_held, n_hidden * BLOCK),
        (n_held, n_latents * BLOCK),
        (n_latents * BLOCK,),
        (n_latents * BLOCK,),
        (n_prefixes, n_hidden * BLOCK),
        (n_hidden * BLOCK,),
        (BLOCK,),
        (BLOCK,),
        (form.n_parameters,),
        (n_latents,),
        (n_latents,),
        (n_latents * n_hidden,),
        (n_latents,),
        (n_latents,),
    )
    lengths = [-(-prod(shape) // _ALIGNED) * _ALIGNED for shape in shapes]
    whole = np.empty(sum(lengths) + _ALIGNED, np.float32)
    at = -(whole.ctypes.data // whole.itemsize) % _ALIGNED
    arrays = []
    for shape, length in zip(shapes, lengths, strict=True):
        arrays.append(whole[at : at + prod(shape)].reshape(shape))
        at += length
    x, centred, pre_activations, *others = arrays
    bits = pre_activations.view(np.int32)
    shared = np.empty(form.n_features // 2 * BLOCK if form.structured else 0, np.uint32)
    held = Rows(centred, pre_activations, bits, *others[:6])
    return x, shared, held, bits.reshape(-1), Sums(*others[6:9]), *others[9:], np.zeros(n_latents, np.bool_)


@cache
def _kernel(form: Form) -> Callable[..., Any]:
    """The compiled loop over steps of the instances from `first_instance` to before `end`."""
    # Constants belong to the factory: the cache of machine code is keyed by what the kernel closes over. A
    # module is held by its name, a function of one would be held by an identity that differs in each process.
    own, sizes = form.module, form.sizes
    N_HIDDEN, N_LATENTS = form.n_hidden, form.n_latents
    SELECTS, HAS_AUXILIARY, HAS_PREFIXES = own.SELECTS_FROM_BATCH, own.HAS_AUXILIARY, own.HAS_PREFIXES
    begin, encode, reconstruct = begin_step(form), encode_block(form), reconstruct_block(form)
    reconstruct_each, add, end_it = reconstruct_prefixes(form), add_gradients(form), end_step(form)
    mark, reconstruct_dead, add_dead = mark_dead(form), reconstruct_by_dead(form), add_slopes_of_dead(form)

    @compile_kernel(**UNCOUNTED)
    def advance_instances(  # type: ignore[no-untyped-def]
        first_instance, end, x, shared, held, bits, sums, unit, norm, level, is_dead, all_parameters,
        all_first_moments, all_second_moments, all_last_fired, all_W, all_own_thresholds, all_thresholds,
        all_scales, all_groups, seed_words, all_coefficients, all_k, first_prefix, first_step, warm, rates,
        corrections, batch_size, bandwidth, auxiliary_coefficient, dead_window, trains_decoder, n_hidden,
    ):  # fmt: skip
        n_blocks = (batch_size + BLOCK - 1) // BLOCK
        gradient_scale = np.float32(2.0 / (N_HIDDEN * batch_size))
        half_width, alpha = np.float32(0.5 * bandwidth), np.float32(auxiliary_coefficient)
        for instance in range(first_instance, end):
            model = Model(all_parameters[instance], unit, norm, level, first_prefix, is_dead)
            last_fired = all_last_fired[instance]
            k = all_k[instance]
            bound, least = 0, LARGEST_BITS
            for turn in range(len(warm)):
                step = first_step + turn
                begin(model, sums)
                n_dead = 0
                if HAS_AUXILIARY and alpha > np.float32(0.0):
                    n_dead = mark(is_dead, last_fired, step, dead_window)
                sparsity_slope = np.float32(0.5 * N_HIDDEN * all_coefficients[instance] * warm[turn])

                # Two rounds where what is active depends on the whole batch: π of it, then the rest.
                for part in range(2 * n_blocks if SELECTS else n_blocks):
                    block = part % n_blocks
                    place = block if SELECTS else 0
                    rows = Rows(
                        held.centred[place], held.pre_activations[place], held.bits[place], held.activations,
                        held.other_activations, held.residual, held.other_residual, held.slope,
                        held.other_slope,
                    )  # fmt: skip
                    if not SELECTS or part < n_blocks:
                        encode(
                            rows.centred, rows.pre_activations, x, shared, all_W[instance],
                            all_own_thresholds[instance], all_thresholds[instance], all_scales[instance],
                            all_groups[instance], seed_words[instance], model.parameters, block * QUADS, step,
                            batch_size - block * BLOCK,
                        )  # fmt: skip
                    if SELECTS and part < n_blocks:
                        if part == n_blocks - 1:
                            bound, least = own.select(bits, k, batch_size, n_blocks, N_LATENTS, bound)
                        continue
                    goal = Goal(sparsity_slope, half_width, k, BLOCK, bound)
                    reconstruct(rows, model, goal)
                    if HAS_PREFIXES and len(held.residual) > 1:
                        reconstruct_each(rows, model, n_hidden)
                    if HAS_AUXILIARY and n_dead > 0:
                        reconstruct_dead(rows, model, n_dead, n_hidden)
                    add(rows, sums, model, goal, n_hidden)
                    if HAS_AUXILIARY and n_dead > 0:
                        add_dead(rows, sums, model, alpha, n_hidden)
                end_it(
                    model, sums, all_first_moments[instance], all_second_moments[instance], last_fired, step,
                    bandwidth, gradient_scale, rates[turn], corrections[turn], trains_decoder,
                )  # fmt: skip
                own.after_step(sizes, model.parameters, held, least)

    kernel: Callable[..., Any] = advance_instances
    return kernel
