"""The parts of a training step that architectures share, inlined into the fused engine's kernels.

Gradients lack the factor 2 / (n_hidden · batch_size), which the kernel applies once at the end. With
c = h - b_dec, the residual r = a Ŵ_dec - c, ρ_j = Σ_d r_d Ŵ_dec[j, d] and δ_j the slope of the loss in
(c W_enc)_j, which is the architecture's own:

    W_enc[d, j]: Σ c_d δ_j     b_enc[j]: Σ δ_j     Ŵ_dec[j, d]: Σ a_j r_d
    b_dec[d]: Σ r_d - Σ_j W_enc[d, j] Σ δ_j
    W_dec[j]: (g - (ŵ · g) w / ‖w‖) / (‖w‖ + ε), g the gradient of Ŵ_dec[j]; tied, it is added to W_enc's

All sums are over the batch. Where sums over the batch are needed of a block only, they are added to those of
the blocks before.
"""

from typing import NamedTuple

import numpy as np

from superposition_atlas.sae.fused.fused_rows import BLOCK, TILE, add_scaled, inlined, weighted_sum


class Sizes(NamedTuple):
    """Constants to the compiler."""

    n_hidden: int
    n_latents: int
    W_dec: int
    """Index at which W_dec begins in a row of parameters."""
    particular: int
    """Index at which the parameters begin that only this architecture has."""


class Model(NamedTuple):
    """One SAE at one step, as arrays."""

    parameters: np.ndarray
    unit: np.ndarray
    """Ŵ_dec, row by row."""
    level: np.ndarray
    """One number a latent that the architecture computes once a step: exp(r_mag), or θ."""
    first_prefix: np.ndarray
    """The number of the first prefix that holds a latent."""
    is_dead: np.ndarray


class Goal(NamedTuple):
    """Input of the loss beside the model, at one step."""

    sparsity_slope: np.float32
    """λ n_hidden / 2."""
    half_width: np.float32
    """ε / 2, of jumprelu."""
    k: int
    bound: int
    """Bits of the least activation, where what is active depends on the whole batch."""


class Rows(NamedTuple):
    """Rows of samples of one block; with SELECTS_FROM_BATCH, the first two of the whole batch."""

    centred: np.ndarray
    """c."""
    pre_activations: np.ndarray
    """π; already rectified where the architecture's module says so."""
    activations: np.ndarray
    other_activations: np.ndarray
    """ReLU(gate), or those of AuxK."""
    residual: np.ndarray
    """r, of each prefix."""
    other_residual: np.ndarray
    """Residual of `other_activations`."""
    slope: np.ndarray
    other_slope: np.ndarray


class Sums(NamedTuple):
    """Sums of a step over the batch."""

    gradient: np.ndarray
    """Gradient in the order of the parameters."""
    slopes: np.ndarray
    """Σ δ_j."""
    activity: np.ndarray
    """Σ a_j."""


@inlined
def no_preparation(sizes, model):  # type: ignore[no-untyped-def]
    """For architectures that compute nothing before the batch."""


@inlined
def already_active(rows, sizes, model, goal, p_at):  # type: ignore[no-untyped-def]
    """For architectures whose activations are ReLU(π)."""


@inlined
def no_finish(sums, sizes, model, bandwidth):  # type: ignore[no-untyped-def]
    """For architectures whose sums over the batch are the gradient."""


@inlined
def no_more(sizes, model, rows, least):  # type: ignore[no-untyped-def]
    """For architectures that change nothing after the optimizer's step."""


@inlined
def normalise_decoder(unit, norm, parameters, first, row, column, n_hidden, n_latents, epsilon):  # type: ignore[no-untyped-def]
    """Ŵ_dec, and the norms of W_dec's rows. Weight d of latent j stands at first + j row + d column."""
    for j in range(n_latents):
        squared = np.float32(0.0)
        for d in range(n_hidden):
            weight = parameters[first + j * row + d * column]
            squared += weight * weight
        norm[j] = np.sqrt(squared)
        inverse = np.float32(1.0) / (norm[j] + epsilon)
        for d in range(n_hidden):
            unit[j * n_hidden + d] = parameters[first + j * row + d * column] * inverse


@inlined
def mark_dead(is_dead, last_fired, step, dead_window):  # type: ignore[no-untyped-def]
    """Marks the latents that fired in none of the last steps, and counts them."""
    n_dead = 0
    for j in range(len(is_dead)):
        is_dead[j] = last_fired[j] < max(step - dead_window, 0)
        n_dead += is_dead[j]
    return n_dead


@inlined
def reconstruct(residual, centred, c_at, activations, unit, n_hidden, n_latents):  # type: ignore[no-untyped-def]
    """residual = activations Ŵ_dec - c."""
    for d in range(n_hidden):
        weighted_sum(
            residual, d * BLOCK, np.float32(0.0), centred, c_at + d * BLOCK, unit, d, n_hidden,
            activations, 0, n_latents, False,
        )  # fmt: skip


@inlined
def reconstruct_prefixes(rows, c_at, model, n_hidden, n_latents):  # type: ignore[no-untyped-def]
    """The residual of each prefix of the latents."""
    for d in range(n_hidden):
        at = d * BLOCK
        for s in range(BLOCK):
            rows.residual[at + s] = -rows.centred[c_at + at + s]
        for j in range(n_latents):
            if j > 0 and model.first_prefix[j] > model.first_prefix[j - 1]:
                last = at
                at += n_hidden * BLOCK
                for s in range(BLOCK):
                    rows.residual[at + s] = rows.residual[last + s]
            add_scaled(rows.residual, at, model.unit[j * n_hidden + d], rows.activations, j * BLOCK)


@inlined
def add_longer_prefixes(residual, n_hidden, n_prefixes):  # type: ignore[no-untyped-def]
    """Adds to each prefix's residual those of the longer ones, which hold its latents too."""
    for g in range(n_prefixes - 2, -1, -1):
        for s in range(n_hidden * BLOCK):
            residual[g * n_hidden * BLOCK + s] += residual[(g + 1) * n_hidden * BLOCK + s]


@inlined
def add_b_dec(sums, b_dec, residual, n_hidden):  # type: ignore[no-untyped-def]
    """Σ r_d."""
    for d in range(n_hidden):
        total = np.float32(0.0)
        for s in range(BLOCK):
            total += residual[d * BLOCK + s]
        sums.gradient[b_dec + d] += total


@inlined
def begin_along(out, unit, j, residual, r_at, n_hidden):  # type: ignore[no-untyped-def]
    """The part of ρ_j = Σ_d r_d Ŵ_dec[j, d] that `along` expects in `out`: all but the last tile."""
    last_tile = (n_hidden - 1) // TILE * TILE
    weighted_sum(out, 0, np.float32(0.0), out, -1, unit, j * n_hidden, 1, residual, r_at, last_tile, False)


@inlined
def along(out, unit, j, residual, r_at, s, n_hidden):  # type: ignore[no-untyped-def]
    """ρ_j of one sample: in the loop that uses it, so that few dimensions need no row of their own."""
    last_tile = (n_hidden - 1) // TILE * TILE
    total = out[s] if n_hidden > TILE else np.float32(0.0)
    for d in range(last_tile, n_hidden):
        total += unit[j * n_hidden + d] * residual[r_at + d * BLOCK + s]
    return total


@inlined
def accumulate(of_latent, delta, value, rows, c_at, r_at, s, n_hidden):  # type: ignore[no-untyped-def]
    """Adds one sample to the sums of one latent: Σ δ, Σ a, and in the plane the gradients of W_enc and Ŵ_dec.

    In more dimensions δ goes into a row, which the kernel correlates with c.
    """
    slopes, active, encoder_0, encoder_1, decoder_0, decoder_1 = of_latent
    if n_hidden == 2:
        encoder_0 += delta * rows.centred[c_at + s]
        encoder_1 += delta * rows.centred[c_at + BLOCK + s]
        decoder_0 += value * rows.residual[r_at + s]
        decoder_1 += value * rows.residual[r_at + BLOCK + s]
    else:
        rows.slope[s] = delta
    return slopes + delta, active + value, encoder_0, encoder_1, decoder_0, decoder_1


@inlined
def slopes_of_active(of_latent, sums, sizes, model, goal, rows, j, c_at, r_at):  # type: ignore[no-untyped-def]
    """δ_j = 1[a_j > 0] ρ_j: for architectures with no penalty."""
    for s in range(BLOCK):
        value = rows.activations[j * BLOCK + s]
        rho = along(rows.slope, model.unit, j, rows.residual, r_at, s, sizes.n_hidden)
        delta = rho if value > np.float32(0.0) else np.float32(0.0)
        of_latent = accumulate(of_latent, delta, value, rows, c_at, r_at, s, sizes.n_hidden)
    return of_latent


@inlined
def add_biases(sums, sizes, parameters):  # type: ignore[no-untyped-def]
    """Once the batch is summed: what b_enc has, and b_dec by c = h - b_dec."""
    n_hidden, n_latents = sizes.n_hidden, sizes.n_latents
    b_enc = sizes.particular - n_hidden - n_latents
    for d in range(n_hidden):
        for j in range(n_latents):
            sums.gradient[b_enc + n_latents + d] -= parameters[d * n_latents + j] * sums.slopes[j]
    for j in range(n_latents):
        sums.gradient[b_enc + j] = sums.slopes[j]


@inlined
def through_normalisation(sums, sizes, model, norm, first, row, column, epsilon, is_tied, trains_decoder):  # type: ignore[no-untyped-def]
    """Turns the gradient of Ŵ_dec into that of the weights it is made of; see `normalise_decoder`."""
    zero = np.float32(0.0)
    n_hidden = sizes.n_hidden
    for j in range(sizes.n_latents):
        projected = zero
        for d in range(n_hidden):
            projected += model.unit[j * n_hidden + d] * sums.gradient[sizes.W_dec + j * n_hidden + d]
        if norm[j] > zero:
            projected /= norm[j]
        inverse = np.float32(1.0) / (norm[j] + epsilon)
        for d in range(n_hidden):
            p = sizes.W_dec + j * n_hidden + d
            weight = model.parameters[first + j * row + d * column]
            of_weight = (sums.gradient[p] - projected * weight) * inverse
            if is_tied:
                sums.gradient[d * sizes.n_latents + j] += of_weight
            sums.gradient[p] = of_weight if trains_decoder and not is_tied else zero


@inlined
def take_adam_step(parameters, first_moment, second_moment, gradient, constants, rate, correction):  # type: ignore[no-untyped-def]
    """One step of Adam. A parameter that is not trained has gradient and moments 0 and keeps its value."""
    beta_1, beta_2, rest_1, rest_2, epsilon = constants
    for p in range(len(gradient)):
        g = gradient[p]
        first = beta_1 * first_moment[p] + rest_1 * g
        second = beta_2 * second_moment[p] + rest_2 * g * g
        first_moment[p] = first
        second_moment[p] = second
        parameters[p] -= rate * first / (np.sqrt(second) * correction + epsilon)


@inlined
def store_unit_rows(parameters, W_dec, first, row, column, n_hidden, n_latents, epsilon):  # type: ignore[no-untyped-def]
    """Replaces W_dec by rows of norm 1."""
    for j in range(n_latents):
        squared = np.float32(0.0)
        for d in range(n_hidden):
            weight = parameters[first + j * row + d * column]
            squared += weight * weight
        inverse = np.float32(1.0) / (np.sqrt(squared) + epsilon)
        for d in range(n_hidden):
            parameters[W_dec + j * n_hidden + d] = parameters[first + j * row + d * column] * inverse
