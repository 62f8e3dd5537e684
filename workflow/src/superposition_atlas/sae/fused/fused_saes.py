"""The fused engine: whole training steps of SAEs in one compiled loop.

Instances share nothing: each is trained from first to last step of a call by one thread, so its bits depend
neither on the other instances nor on the number of threads. A batch is processed in blocks that stay in the
first-level cache; within a block, arrays are rows of BLOCK samples, which fill the vector lanes.

What all architectures share is in `fused_gradient`. What is particular to one is in a module of its own,
which its file in `architectures` names, and whose functions the compiler inlines:

    prepare         once a step, before the batch: `Model.level`
    select          once a step, with SELECTS_FROM_BATCH: the bound of what is active
    activate        once a block: `Rows.activations`
    add_gradient    for each block and latent: δ_j, and the gradients of the architecture's own parameters
    finish          once a step, after the batch
    after_step      once a step, after the optimizer
    RECTIFIES            whether the activations are ReLU(π) and stand in the place of π
    SELECTS_FROM_BATCH   whether what is active depends on the whole batch
    HAS_GATE             whether `Rows.other_activations` are reconstructed as well
    HAS_AUXILIARY        whether dead latents are told apart, for AuxK
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import cache
from importlib import import_module
from math import prod
from typing import Any

import numpy as np

from superposition_atlas.backends.numba_cache import compile_kernel
from superposition_atlas.backends.threads import run_in_groups
from superposition_atlas.sae.architecture import NORM_EPSILON, Architecture, SAEState, TrainingData, warmup
from superposition_atlas.sae.ensemble import SAESettings
from superposition_atlas.sae.fused.fused_gradient import (
    Goal,
    Model,
    Rows,
    Sizes,
    Sums,
    add_b_dec,
    add_biases,
    add_longer_prefixes,
    begin_along,
    mark_dead,
    normalise_decoder,
    reconstruct,
    reconstruct_prefixes,
    store_unit_rows,
    take_adam_step,
    through_normalisation,
)
from superposition_atlas.sae.fused.fused_rows import (
    BLOCK,
    QUADS,
    TILE,
    clear_behind_batch,
    correlate,
    draw,
    draw_groups,
    weighted_sum,
)
from superposition_atlas.sae.fused.fused_selection import (
    LARGEST_BITS,
    add_slopes_of_dead,
    reconstruct_by_dead,
)
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.structure import ALL, independent, is_shared, scales, shared_words
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON

_LOW_WORD = np.uint64(0xFFFFFFFF)
_MOST_PRODUCTS = 150_000


def fits(n_features: int, n_hidden: int, n_latents: int) -> bool:
    """Whether SAEs are so small that this engine is the faster one: far above, torch's BLAS is.

    Measured on one core: 10 times as fast as the reference at 80 → 20 → 80 latents, 1.5 times at
    512 → 128 → 512, .7 times at 512 → 256 → 1024.
    """
    return n_hidden * (n_features + n_latents) <= _MOST_PRODUCTS


@dataclass(frozen=True)
class Form:
    """Constants that a kernel is compiled for."""

    gradient: str
    """Name of the architecture's module."""
    tied: bool
    n_features: int
    n_hidden: int
    n_latents: int
    n_parameters: int
    n_prefixes: int
    """Number of prefixes of matryoshka, all latents together among them; else 1."""
    structured: bool
    """Whether features share words."""


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
        n_prefixes=len(ends),
        structured=data.structure is not None,
    )
    threshold = stream.thresholds(data.probability)
    structure = independent(threshold.shape) if data.structure is None else data.structure
    seeds = data.seeds.astype(np.uint64)
    arguments = (
        state.parameters,
        state.first_moment,
        state.second_moment,
        state.last_fired,
        np.ascontiguousarray(data.W, dtype=np.float32),
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
        settings.batch_size,
        float(settings.learning_rate),
        settings.bandwidth,
        settings.auxiliary_coefficient,
        settings.dead_window,
        "W_dec" in architecture.trained,
    )

    # The kernel releases the GIL: Python's threads are all it takes.
    kernel = _kernel(form)
    run_in_groups(lambda first, end: kernel(first, end, *arguments), n_instances, threads)
    state.step += n_steps


@cache
def _kernel(form: Form) -> Callable[..., Any]:
    """The compiled loop over steps of the instances from `first_instance` to before `end`."""
    # Constants of other files belong to the factory: the cache of machine code is keyed by what it holds.
    # A module is held by its name, a function would be held by an identity that differs in each process.
    (
        gradient_name, TIED, N_FEATURES, N_HIDDEN, N_LATENTS, N_PARAMETERS, N_PREFIXES, STRUCTURED,
    ) = astuple(form)  # fmt: skip
    own = import_module(gradient_name)
    RECTIFIES, SELECTS = own.RECTIFIES, own.SELECTS_FROM_BATCH
    HAS_GATE, HAS_AUXILIARY = own.HAS_GATE, own.HAS_AUXILIARY
    IN_PLANE, IS_TILED = N_HIDDEN == 2, N_HIDDEN > TILE
    SAE_INPUTS = int(stream.Purpose.SAE_INPUTS)
    BETA_1, BETA_2, EPSILON, SMALL = ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, NORM_EPSILON
    # Parameters lie in the order W_enc, W_dec, b_enc, b_dec, the architecture's own.
    W_DEC = N_HIDDEN * N_LATENTS
    B_ENC = 2 * W_DEC
    B_DEC = B_ENC + N_LATENTS
    OWN = B_DEC + N_HIDDEN
    # Where the weight of latent j and dimension d of the decoder is stored: in W_enc if tied.
    WHOLE = (N_PREFIXES - 1) * N_HIDDEN * BLOCK  # where the residual of all latents begins
    FIRST, ROW, COLUMN = (0, 1, N_LATENTS) if TIED else (W_DEC, N_HIDDEN, 1)

    @compile_kernel()
    def advance_instances(  # type: ignore[no-untyped-def]
        first_instance, end, all_parameters, all_first_moments, all_second_moments, all_last_fired, all_W,
        all_own_thresholds, all_thresholds, all_scales, all_groups, seed_words, all_coefficients, all_k,
        first_prefix, first_step, warm,
        batch_size, learning_rate, bandwidth, auxiliary_coefficient, dead_window,
        trains_decoder,
    ):  # fmt: skip
        zero = np.float32(0.0)
        n_blocks = (batch_size + BLOCK - 1) // BLOCK
        n_held = n_blocks if SELECTS else 1  # blocks that are held at a time
        x = np.empty(N_FEATURES * BLOCK, np.float32)
        shared = np.empty(N_FEATURES // 2 * BLOCK if STRUCTURED else 0, np.uint32)
        rows = Rows(
            np.empty(n_held * N_HIDDEN * BLOCK, np.float32),
            np.empty(n_held * N_LATENTS * BLOCK, np.float32),
            np.empty(N_LATENTS * BLOCK, np.float32),
            np.empty(N_LATENTS * BLOCK, np.float32),
            np.empty(N_PREFIXES * N_HIDDEN * BLOCK, np.float32),
            np.empty(N_HIDDEN * BLOCK, np.float32),
            np.empty(BLOCK, np.float32),
            np.empty(BLOCK, np.float32),
        )
        sums = Sums(
            np.empty(N_PARAMETERS, np.float32),
            np.empty(N_LATENTS, np.float32),
            np.empty(N_LATENTS, np.float32),
        )
        sizes = Sizes(N_HIDDEN, N_LATENTS, W_DEC, OWN)
        residual, gradient = rows.residual, sums.gradient
        unit, level = np.empty(N_LATENTS * N_HIDDEN, np.float32), np.empty(N_LATENTS, np.float32)
        norm, is_dead = np.empty(N_LATENTS, np.float32), np.zeros(N_LATENTS, np.bool_)
        bits = rows.pre_activations.view(np.int32)
        never = zero if RECTIFIES else np.float32(-np.inf)
        gradient_scale = np.float32(2.0 / (N_HIDDEN * batch_size))
        half_width, alpha = np.float32(0.5 * bandwidth), np.float32(auxiliary_coefficient)
        norm_epsilon = np.float32(SMALL)
        adam_constants = (
            np.float32(BETA_1), np.float32(BETA_2), np.float32(1.0 - BETA_1), np.float32(1.0 - BETA_2),
            np.float32(EPSILON),
        )  # fmt: skip

        for instance in range(first_instance, end):
            parameters = all_parameters[instance]
            W = all_W[instance].reshape(N_HIDDEN * N_FEATURES)
            own_threshold, threshold = all_own_thresholds[instance], all_thresholds[instance]
            scale, groups = all_scales[instance], all_groups[instance]
            key0, key1 = seed_words[instance]
            k = all_k[instance]
            model = Model(parameters, unit, level, first_prefix, is_dead)
            bound, least = 0, LARGEST_BITS

            for turn in range(len(warm)):
                step = first_step + turn
                normalise_decoder(
                    unit, norm, parameters, FIRST, ROW, COLUMN, N_HIDDEN, N_LATENTS, norm_epsilon
                )
                gradient[:] = zero
                sums.slopes[:] = zero
                sums.activity[:] = zero
                n_dead = 0
                if HAS_AUXILIARY and alpha > zero:
                    n_dead = mark_dead(is_dead, all_last_fired[instance], step, dead_window)
                own.prepare(sizes, model)
                sparsity_slope = np.float32(0.5 * N_HIDDEN * all_coefficients[instance] * warm[turn])

                # Two rounds where what is active depends on the whole batch: π of it, then the rest.
                for part in range(2 * n_blocks if SELECTS else n_blocks):
                    block = part % n_blocks
                    n_samples = min(batch_size - block * BLOCK, BLOCK)
                    c_at = block * N_HIDDEN * BLOCK if SELECTS else 0
                    p_at = block * N_LATENTS * BLOCK if SELECTS else 0
                    if not SELECTS or part < n_blocks:
                        draw(x, N_FEATURES, block * QUADS, step, SAE_INPUTS, own_threshold, scale, key0, key1)
                        if STRUCTURED:
                            draw_groups(
                                x, shared, N_FEATURES, block * QUADS, step, SAE_INPUTS, threshold, groups,
                                key0, key1,
                            )  # fmt: skip
                        for d in range(N_HIDDEN):
                            weighted_sum(
                                rows.centred, c_at + d * BLOCK, -parameters[B_DEC + d], x, -1, W,
                                d * N_FEATURES, 1, x, 0, N_FEATURES, False,
                            )  # fmt: skip
                        for j in range(N_LATENTS):
                            weighted_sum(
                                rows.pre_activations, p_at + j * BLOCK, parameters[B_ENC + j], x, -1,
                                parameters, j, N_LATENTS, rows.centred, c_at, N_HIDDEN, RECTIFIES,
                            )  # fmt: skip
                        if n_samples < BLOCK:
                            clear_behind_batch(rows.centred, c_at, N_HIDDEN, n_samples, zero)
                            clear_behind_batch(rows.pre_activations, p_at, N_LATENTS, n_samples, never)
                    if SELECTS and part < n_blocks:
                        if part == n_blocks - 1:
                            bound, least = own.select(bits, k, batch_size, n_blocks, N_LATENTS, bound)
                        continue

                    goal = Goal(sparsity_slope, half_width, k, bound)
                    own.activate(rows, sizes, model, goal, p_at)
                    activations = rows.pre_activations if RECTIFIES else rows.activations
                    if N_PREFIXES == 1:
                        reconstruct(residual, rows.centred, c_at, activations, unit, N_HIDDEN, N_LATENTS)
                    if N_PREFIXES > 1:
                        reconstruct_prefixes(rows, c_at, model, N_HIDDEN, N_LATENTS)
                    if HAS_GATE:
                        reconstruct(
                            rows.other_residual, rows.centred, c_at, rows.other_activations, unit, N_HIDDEN,
                            N_LATENTS,
                        )  # fmt: skip
                    if HAS_AUXILIARY and n_dead > 0:
                        reconstruct_by_dead(rows, p_at, WHOLE, model, n_dead, N_HIDDEN, N_LATENTS)
                    if N_PREFIXES > 1:
                        add_longer_prefixes(residual, N_HIDDEN, N_PREFIXES)
                    add_b_dec(sums, B_DEC, residual, N_HIDDEN)
                    for j in range(N_LATENTS):
                        r_at = first_prefix[j] * N_HIDDEN * BLOCK if N_PREFIXES > 1 else 0
                        if IS_TILED:
                            begin_along(rows.slope, unit, j, residual, r_at, N_HIDDEN)
                        if IS_TILED and HAS_GATE:
                            begin_along(rows.other_slope, unit, j, rows.other_residual, 0, N_HIDDEN)
                        slopes, active, encoder_0, encoder_1, decoder_0, decoder_1 = own.add_gradient(
                            (zero, zero, zero, zero, zero, zero),
                            sums,
                            sizes,
                            model,
                            goal,
                            rows,
                            j,
                            c_at,
                            r_at,
                        )
                        if IN_PLANE:
                            gradient[j] += encoder_0
                            gradient[N_LATENTS + j] += encoder_1
                            gradient[W_DEC + 2 * j] += decoder_0
                            gradient[W_DEC + 2 * j + 1] += decoder_1
                        else:
                            row = W_DEC + j * N_HIDDEN
                            correlate(gradient, j, N_LATENTS, rows.slope, 0, rows.centred, c_at, N_HIDDEN)
                            correlate(gradient, row, 1, activations, j * BLOCK, residual, r_at, N_HIDDEN)
                        sums.slopes[j] += slopes
                        sums.activity[j] += active
                    if HAS_AUXILIARY and n_dead > 0:
                        add_slopes_of_dead(sums, sizes, model, alpha, rows, c_at)

                add_biases(sums, sizes, parameters)
                own.finish(sums, sizes, model, bandwidth)
                through_normalisation(
                    sums, sizes, model, norm, FIRST, ROW, COLUMN, norm_epsilon, TIED, trains_decoder
                )
                for j in range(N_LATENTS):
                    if sums.activity[j] > zero:
                        all_last_fired[instance, j] = step
                for p in range(N_PARAMETERS):
                    gradient[p] *= gradient_scale
                take_adam_step(
                    parameters, all_first_moments[instance], all_second_moments[instance], gradient,
                    adam_constants, np.float32(learning_rate / (1.0 - BETA_1 ** (step + 1))),
                    np.float32(1.0 / np.sqrt(1.0 - BETA_2 ** (step + 1))),
                )  # fmt: skip
                if trains_decoder:
                    store_unit_rows(parameters, W_DEC, FIRST, ROW, COLUMN, N_HIDDEN, N_LATENTS, norm_epsilon)
                own.after_step(sizes, model, rows, least)

    kernel: Callable[..., Any] = advance_instances
    return kernel
