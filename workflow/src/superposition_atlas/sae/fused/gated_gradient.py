"""The compiled gradient of `gated`; see `fused_parts` for the notation.

δ_j = g_j + exp(r_mag) m_j   with m_j = 1[a_j > 0] ρ_j and
g_j = 1[gate_j > 0] (s + Σ_d (ReLU(gate) Ŵ_dec - c)_d Ŵ_dec[j, d]),  s = λ n_hidden / 2
b_enc: Σ g_j     b_mag: Σ m_j     r_mag: Σ m_j (a_j - b_mag)
"""

import numpy as np

from superposition_atlas.sae.fused.fused_gradient import accumulate, along, no_more
from superposition_atlas.sae.fused.fused_rows import BLOCK, inlined

RECTIFIES = False
SELECTS_FROM_BATCH = False
HAS_PREFIXES = False
HAS_GATE = True
HAS_AUXILIARY = False

after_step = no_more


@inlined
def prepare(sizes, model):  # type: ignore[no-untyped-def]
    """exp(r_mag)."""
    for j in range(sizes.n_latents):
        model.level[j] = np.exp(model.parameters[sizes.particular + j])


@inlined
def activate(rows, sizes, model, goal):  # type: ignore[no-untyped-def]
    """a, and ReLU(gate) as the other activations."""
    zero = np.float32(0.0)
    b_mag = sizes.particular + sizes.n_latents
    b_enc = sizes.particular - sizes.n_hidden - sizes.n_latents
    for j in range(sizes.n_latents):
        gain = model.level[j]
        bias = model.parameters[b_mag + j] - gain * model.parameters[b_enc + j]
        for s in range(BLOCK):
            gate = rows.pre_activations[j * BLOCK + s]
            magnitude = gain * gate + bias
            rows.activations[j * BLOCK + s] = magnitude if gate > zero and magnitude > zero else zero
            rows.other_activations[j * BLOCK + s] = gate if gate > zero else zero


@inlined
def add_gradient(of_latent, sums, sizes, model, goal, rows, residual, j):  # type: ignore[no-untyped-def]
    """Adds a block to the sums of latent j and to its r_mag and b_mag."""
    zero = np.float32(0.0)
    gain = model.level[j]
    magnitude_slopes, scaled_slopes = zero, zero
    for s in range(goal.block):
        value = rows.activations[j * BLOCK + s]
        rho = along(rows.slope, model.unit, j, residual, s, sizes.n_hidden)
        gate_slope = along(rows.other_slope, model.unit, j, rows.other_residual, s, sizes.n_hidden)
        is_open = rows.other_activations[j * BLOCK + s] > zero
        gate_slope = gate_slope + goal.sparsity_slope if is_open else zero
        magnitude_slope = rho if value > zero else zero
        magnitude_slopes += magnitude_slope
        scaled_slopes += magnitude_slope * value
        delta = gate_slope + gain * magnitude_slope
        of_latent = accumulate(of_latent, delta, value, rows, residual, s, sizes.n_hidden)
    sums.gradient[sizes.particular + j] += scaled_slopes
    sums.gradient[sizes.particular + sizes.n_latents + j] += magnitude_slopes
    return of_latent


@inlined
def finish(sums, sizes, model, bandwidth):  # type: ignore[no-untyped-def]
    """Σ g_j = Σ δ_j - exp(r_mag) Σ m_j for b_enc, and r_mag's share of b_mag."""
    n_latents = sizes.n_latents
    r_mag, b_mag = sizes.particular, sizes.particular + n_latents
    b_enc = sizes.particular - sizes.n_hidden - n_latents
    for j in range(n_latents):
        sums.gradient[b_enc + j] -= model.level[j] * sums.gradient[b_mag + j]
        sums.gradient[r_mag + j] -= model.parameters[b_mag + j] * sums.gradient[b_mag + j]
