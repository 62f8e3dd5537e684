"""The fused engine of the `relu` architecture: whole training steps in one compiled loop.

Instances share nothing: each is trained from first to last step of a call by one thread, so its bits depend
neither on the other instances nor on the number of threads. A batch is worked through in blocks that stay in
the first-level cache; within a block, arrays are rows of BLOCK samples, which fill the vector lanes. Word w
of the stream's quad q stands at place w · QUADS + q of a row: the order is free, samples are only summed.

Gradients are accumulated without the factor 2 / (n_hidden · batch_size) that all of them share:

    r     = a Ŵ_dec + b_dec - h
    d_j   = 1[a_j > 0] · (Σ_d r_d Ŵ_dec[j, d] + λ n_hidden / 2)
    W_enc[d, j]: Σ (h - b_dec)_d d_j     b_enc[j]: Σ d_j     Ŵ_dec[j, d]: Σ a_j r_d
    b_dec[d]: Σ r_d - Σ_j W_enc[d, j] Σ d_j
    W_dec[j]: (g - (ŵ · g) w / ‖w‖) / (‖w‖ + ε), g the gradient of Ŵ_dec[j]
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from superposition_atlas import stream
from superposition_atlas.compiled import compile_kernel, philox_quad
from superposition_atlas.sae.architecture import (
    ADAM_BETA_1,
    ADAM_BETA_2,
    ADAM_EPSILON,
    SAEState,
    TrainingData,
)
from superposition_atlas.sae.ensemble import SAESettings
from superposition_atlas.sae.relu import NORM_EPSILON

BLOCK = 256
QUADS = BLOCK // 4
_LOW_WORD = np.uint64(0xFFFFFFFF)


def advance(state: SAEState, n_steps: int, data: TrainingData, settings: SAESettings, threads: int) -> None:
    """n_steps steps in place, on `threads` threads."""
    _, n_hidden, n_features = data.W.shape
    kernel = _kernel(n_features, n_hidden, settings.n_latents)
    W = np.ascontiguousarray(data.W, dtype=np.float32)
    threshold = stream.thresholds(data.probability)
    scale = stream.scales(threshold)
    seeds = data.seeds.astype(np.uint64)
    seed_words = np.stack([seeds & _LOW_WORD, seeds >> np.uint64(32)], axis=1).astype(np.uint32)

    def train(first: int, last: int) -> None:
        kernel(
            state.parameters,
            state.first_moment,
            state.second_moment,
            state.last_fired,
            W,
            threshold,
            scale,
            seed_words,
            first,
            last,
            state.step,
            n_steps,
            settings.batch_size,
            float(settings.learning_rate),
            data.sparsity_coefficient,
            settings.sparsity_warmup_steps,
        )

    # The kernel releases the GIL: Python's threads are all it takes.
    workers = min(threads, len(W))
    borders = [len(W) * worker // workers for worker in range(workers + 1)]
    with ThreadPoolExecutor(workers) as pool:
        others = [pool.submit(train, *ends) for ends in pairwise(borders[1:])]
        train(*borders[:2])
        for other in others:
            other.result()
    state.step += n_steps


def _largest_divisor(number: int, limit: int) -> int:
    return max(divisor for divisor in range(1, limit + 1) if number % divisor == 0)


@cache
def _kernel(n_features: int, n_hidden: int, n_latents: int) -> Callable[..., Any]:
    """The compiled loop over steps of one instance, for fixed sizes: they are constants to the compiler."""
    n_weights = n_hidden * n_latents
    # Constants of other files belong to the factory: the cache of machine code is keyed by what it holds.
    SAE_INPUTS = int(stream.Purpose.SAE_INPUTS)
    BETA_1, BETA_2, EPSILON, SMALL = ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, NORM_EPSILON
    # So many rows are worked into a sum at a time.
    FEATURES, DIMENSIONS, LATENTS = (_largest_divisor(size, 8) for size in (n_features, n_hidden, n_latents))
    # Rows of the scratch buffer, by their first element.
    CENTRED = n_features * BLOCK  # h - b_dec; in front of it: x
    RESIDUAL = CENTRED + n_hidden * BLOCK
    LATENT = RESIDUAL + n_hidden * BLOCK
    SLOPE = LATENT + n_latents * BLOCK  # d_j of the latent at hand
    SIZE = SLOPE + BLOCK
    # Places of the parameters and of their gradients, as in `relu.shapes`.
    W_DEC = n_weights
    B_ENC = W_DEC + n_weights
    B_DEC = B_ENC + n_latents
    N_PARAMETERS = B_DEC + n_hidden

    @compile_kernel()
    def advance_instances(  # type: ignore[no-untyped-def]
        all_parameters, all_first_moments, all_second_moments, all_last_fired, all_W, all_thresholds,
        all_scales, seed_words, first_instance, last_instance,
        first_step, n_steps, batch_size, learning_rate, all_coefficients, warmup_steps,
    ):  # fmt: skip
        zero = np.float32(0.0)
        row = np.zeros(SIZE, np.float32)
        unit = np.empty(n_weights, np.float32)
        norm = np.empty(n_latents, np.float32)
        gradient = np.empty(N_PARAMETERS, np.float32)
        activity = np.empty(n_latents, np.float32)
        gradient_scale = np.float32(2.0 / (n_hidden * batch_size))
        beta1, beta2 = np.float32(BETA_1), np.float32(BETA_2)
        rest1, rest2 = np.float32(1.0 - BETA_1), np.float32(1.0 - BETA_2)
        epsilon, norm_epsilon = np.float32(EPSILON), np.float32(SMALL)

        for instance in range(first_instance, last_instance):
            parameters = all_parameters[instance]
            first_moment = all_first_moments[instance]
            second_moment = all_second_moments[instance]
            last_fired = all_last_fired[instance]
            W = all_W[instance]
            threshold = all_thresholds[instance]
            scale = all_scales[instance]
            key0, key1 = seed_words[instance]

            for step in range(first_step, first_step + n_steps):
                warm = min(1.0, (step + 1) / max(warmup_steps, 1))
                sparsity_slope = np.float32(0.5 * n_hidden * all_coefficients[instance] * warm)
                for j in range(n_latents):
                    squared = zero
                    for d in range(n_hidden):
                        weight = parameters[W_DEC + j * n_hidden + d]
                        squared += weight * weight
                    norm[j] = np.sqrt(squared)
                    inverse = np.float32(1.0) / (norm[j] + norm_epsilon)
                    for d in range(n_hidden):
                        unit[j * n_hidden + d] = parameters[W_DEC + j * n_hidden + d] * inverse
                for k in range(N_PARAMETERS):
                    gradient[k] = zero
                for j in range(n_latents):
                    activity[j] = zero

                for start in range(0, batch_size, BLOCK):
                    # x, by the stream
                    first_quad = start // 4
                    for i in range(n_features):
                        largest, factor = threshold[i], scale[i]
                        for q in range(QUADS):
                            w0, w1, w2, w3 = philox_quad(first_quad + q, i, step, SAE_INPUTS, key0, key1)
                            x = i * BLOCK + q
                            row[x] = np.float32(w0) * factor if w0 <= largest else zero
                            row[x + QUADS] = np.float32(w1) * factor if w1 <= largest else zero
                            row[x + 2 * QUADS] = np.float32(w2) * factor if w2 <= largest else zero
                            row[x + 3 * QUADS] = np.float32(w3) * factor if w3 <= largest else zero

                    # h - b_dec
                    for d in range(n_hidden):
                        bias = parameters[B_DEC + d]
                        for i in range(0, n_features, FEATURES):
                            for s in range(BLOCK):
                                total = row[CENTRED + d * BLOCK + s] if i > 0 else -bias
                                for k in range(FEATURES):
                                    total += W[d, i + k] * row[(i + k) * BLOCK + s]
                                row[CENTRED + d * BLOCK + s] = total

                    # a
                    for j in range(n_latents):
                        bias = parameters[B_ENC + j]
                        for d in range(0, n_hidden, DIMENSIONS):
                            is_last = d + DIMENSIONS == n_hidden
                            for s in range(BLOCK):
                                total = row[LATENT + j * BLOCK + s] if d > 0 else bias
                                for k in range(DIMENSIONS):
                                    weight = parameters[(d + k) * n_latents + j]
                                    total += weight * row[CENTRED + (d + k) * BLOCK + s]
                                row[LATENT + j * BLOCK + s] = zero if is_last and total < zero else total

                    # r
                    for d in range(n_hidden):
                        for j in range(0, n_latents, LATENTS):
                            for s in range(BLOCK):
                                r = row[RESIDUAL + d * BLOCK + s] if j > 0 else -row[CENTRED + d * BLOCK + s]
                                for k in range(LATENTS):
                                    r += unit[(j + k) * n_hidden + d] * row[LATENT + (j + k) * BLOCK + s]
                                row[RESIDUAL + d * BLOCK + s] = r

                    # What stands behind the end of the batch counts for nothing.
                    if batch_size - start < BLOCK:
                        for w in range(4):
                            for q in range(QUADS):
                                if start + 4 * q + w >= batch_size:
                                    s = w * QUADS + q
                                    for d in range(n_hidden):
                                        row[RESIDUAL + d * BLOCK + s] = zero
                                    for j in range(n_latents):
                                        row[LATENT + j * BLOCK + s] = zero

                    # gradients
                    for d in range(n_hidden):
                        total = zero
                        for s in range(BLOCK):
                            total += row[RESIDUAL + d * BLOCK + s]
                        gradient[B_DEC + d] += total
                    for j in range(n_latents):
                        slopes = zero
                        active = zero
                        if n_hidden == 2:
                            # All of it in registers; what follows would do the same.
                            u0, u1 = unit[2 * j], unit[2 * j + 1]
                            encoder0, encoder1, decoder0, decoder1 = zero, zero, zero, zero
                            for s in range(BLOCK):
                                a = row[LATENT + j * BLOCK + s]
                                r0, r1 = row[RESIDUAL + s], row[RESIDUAL + BLOCK + s]
                                slope = sparsity_slope + u0 * r0 + u1 * r1
                                slope = slope if a > zero else zero
                                slopes += slope
                                active += a
                                encoder0 += slope * row[CENTRED + s]
                                encoder1 += slope * row[CENTRED + BLOCK + s]
                                decoder0 += a * r0
                                decoder1 += a * r1
                            gradient[j] += encoder0
                            gradient[n_latents + j] += encoder1
                            gradient[W_DEC + 2 * j] += decoder0
                            gradient[W_DEC + 2 * j + 1] += decoder1
                        else:
                            for s in range(BLOCK):
                                row[SLOPE + s] = sparsity_slope
                            for d in range(0, n_hidden, DIMENSIONS):
                                for s in range(BLOCK):
                                    total = row[SLOPE + s]
                                    for k in range(DIMENSIONS):
                                        weight = unit[j * n_hidden + d + k]
                                        total += weight * row[RESIDUAL + (d + k) * BLOCK + s]
                                    row[SLOPE + s] = total
                            for s in range(BLOCK):
                                a = row[LATENT + j * BLOCK + s]
                                slope = row[SLOPE + s] if a > zero else zero
                                row[SLOPE + s] = slope
                                slopes += slope
                                active += a
                            for d in range(n_hidden):
                                encoder = zero
                                decoder = zero
                                for s in range(BLOCK):
                                    encoder += row[SLOPE + s] * row[CENTRED + d * BLOCK + s]
                                    decoder += row[LATENT + j * BLOCK + s] * row[RESIDUAL + d * BLOCK + s]
                                gradient[d * n_latents + j] += encoder
                                gradient[W_DEC + j * n_hidden + d] += decoder
                        gradient[B_ENC + j] += slopes
                        activity[j] += active

                for d in range(n_hidden):
                    for j in range(n_latents):
                        gradient[B_DEC + d] -= parameters[d * n_latents + j] * gradient[B_ENC + j]
                for j in range(n_latents):
                    along = zero
                    for d in range(n_hidden):
                        along += unit[j * n_hidden + d] * gradient[W_DEC + j * n_hidden + d]
                    if norm[j] > zero:
                        along /= norm[j]
                    inverse = np.float32(1.0) / (norm[j] + norm_epsilon)
                    for d in range(n_hidden):
                        k = W_DEC + j * n_hidden + d
                        gradient[k] = (gradient[k] - along * parameters[k]) * inverse
                    if activity[j] > zero:
                        last_fired[j] = step

                # Adam, then W_dec back to norm 1
                correction1 = np.float32(learning_rate / (1.0 - BETA_1 ** (step + 1)))
                correction2 = np.float32(1.0 / np.sqrt(1.0 - BETA_2 ** (step + 1)))
                for k in range(N_PARAMETERS):
                    g = gradient[k] * gradient_scale
                    first = beta1 * first_moment[k] + rest1 * g
                    second = beta2 * second_moment[k] + rest2 * g * g
                    first_moment[k] = first
                    second_moment[k] = second
                    parameters[k] -= correction1 * first / (np.sqrt(second) * correction2 + epsilon)
                for j in range(n_latents):
                    squared = zero
                    for d in range(n_hidden):
                        weight = parameters[W_DEC + j * n_hidden + d]
                        squared += weight * weight
                    inverse = np.float32(1.0) / (np.sqrt(squared) + norm_epsilon)
                    for d in range(n_hidden):
                        parameters[W_DEC + j * n_hidden + d] *= inverse

    kernel: Callable[..., Any] = advance_instances
    return kernel
