"""What a training step of the fused engine computes with, and what architectures' modules share.

The notation is that of `fused_parts.add_gradients`.
"""

from typing import NamedTuple

import numpy as np

from superposition_atlas.sae.fused.fused_rows import BLOCK, TILE, inlined


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
    norm: np.ndarray
    """Norms of W_dec's rows."""
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
    block: int
    """BLOCK, which a part's compiler does not know and the kernel's does: unrolled by both, loops would spill
    registers."""
    bound: int
    """Bits of the least activation, where what is active depends on the whole batch."""


class Rows(NamedTuple):
    """Rows of samples of one block; of the blocks held at a time, where the first three have another axis."""

    centred: np.ndarray
    """c."""
    pre_activations: np.ndarray
    """π; already rectified where the architecture's module says so."""
    bits: np.ndarray
    """The same memory as π, as integers."""
    activations: np.ndarray
    other_activations: np.ndarray
    """ReLU(gate), or those of AuxK."""
    residual: np.ndarray
    """r [prefix, …]."""
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
def already_active(rows, sizes, model, goal):  # type: ignore[no-untyped-def]
    """For architectures whose activations are ReLU(π)."""


@inlined
def no_finish(sums, sizes, model, bandwidth):  # type: ignore[no-untyped-def]
    """For architectures whose sums over the batch are the gradient."""


@inlined
def no_more(sizes, parameters, held, least):  # type: ignore[no-untyped-def]
    """For architectures that change nothing after the optimizer's step."""


@inlined
def along(out, unit, j, residual, s, n_hidden):  # type: ignore[no-untyped-def]
    """ρ_j = Σ_d r_d Ŵ_dec[j, d] of one sample: in the loop that uses it, so few dimensions need no row.

    In more than TILE dimensions `out` holds the sum over all but the last tile.
    """
    last_tile = (n_hidden - 1) // TILE * TILE
    total = out[s] if n_hidden > TILE else np.float32(0.0)
    for d in range(last_tile, n_hidden):
        total += unit[j * n_hidden + d] * residual[d * BLOCK + s]
    return total


@inlined
def accumulate(of_latent, delta, value, rows, residual, s, n_hidden):  # type: ignore[no-untyped-def]
    """Adds one sample to the sums of one latent: Σ δ, Σ a, and in the plane the gradients of W_enc and Ŵ_dec.

    In more dimensions δ goes into a row, which the kernel correlates with c.
    """
    slopes, active, encoder_0, encoder_1, decoder_0, decoder_1 = of_latent
    if n_hidden == 2:
        encoder_0 += delta * rows.centred[s]
        encoder_1 += delta * rows.centred[BLOCK + s]
        decoder_0 += value * residual[s]
        decoder_1 += value * residual[BLOCK + s]
    else:
        rows.slope[s] = delta
    return slopes + delta, active + value, encoder_0, encoder_1, decoder_0, decoder_1


@inlined
def slopes_of_active(of_latent, sums, sizes, model, goal, rows, residual, j):  # type: ignore[no-untyped-def]
    """δ_j = 1[a_j > 0] ρ_j: for architectures with no penalty."""
    for s in range(goal.block):
        value = rows.activations[j * BLOCK + s]
        rho = along(rows.slope, model.unit, j, residual, s, sizes.n_hidden)
        delta = rho if value > np.float32(0.0) else np.float32(0.0)
        of_latent = accumulate(of_latent, delta, value, rows, residual, s, sizes.n_hidden)
    return of_latent
