"""The compiled gradient of `jumprelu`; see `fused_parts` for the notation.

δ_j = 1[a_j > 0] ρ_j     log_threshold: -θ / ε Σ K_j (θ ρ_j + s)
with K_j = 1[|π_j - θ_j| < ε / 2], s = λ n_hidden / 2
"""

import numpy as np

from superposition_atlas.sae.fused.fused_gradient import accumulate, along, no_more
from superposition_atlas.sae.fused.fused_rows import BLOCK, inlined

RECTIFIES = False
SELECTS_FROM_BATCH = False
HAS_PREFIXES = False
HAS_GATE = False
HAS_AUXILIARY = False

after_step = no_more


@inlined
def prepare(sizes, model):  # type: ignore[no-untyped-def]
    """θ."""
    for j in range(sizes.n_latents):
        model.level[j] = np.exp(model.parameters[sizes.particular + j])


@inlined
def activate(rows, sizes, model, goal):  # type: ignore[no-untyped-def]
    """a = π · 1[π > θ]."""
    for j in range(sizes.n_latents):
        theta = model.level[j]
        for s in range(BLOCK):
            value = rows.pre_activations[j * BLOCK + s]
            rows.activations[j * BLOCK + s] = value if value > theta else np.float32(0.0)


@inlined
def add_gradient(of_latent, sums, sizes, model, goal, rows, residual, j):  # type: ignore[no-untyped-def]
    """Adds a block to the sums of latent j and to its threshold's."""
    zero = np.float32(0.0)
    theta = model.level[j]
    threshold_slopes = zero
    for s in range(goal.block):
        value = rows.activations[j * BLOCK + s]
        rho = along(rows.slope, model.unit, j, residual, s, sizes.n_hidden)
        delta = rho if value > zero else zero
        is_near = abs(rows.pre_activations[j * BLOCK + s] - theta) < goal.half_width
        threshold_slopes += theta * rho + goal.sparsity_slope if is_near else zero
        of_latent = accumulate(of_latent, delta, value, rows, residual, s, sizes.n_hidden)
    sums.gradient[sizes.particular + j] += threshold_slopes
    return of_latent


@inlined
def finish(sums, sizes, model, bandwidth):  # type: ignore[no-untyped-def]
    """The factor -θ / ε."""
    for j in range(sizes.n_latents):
        sums.gradient[sizes.particular + j] *= -model.level[j] / np.float32(bandwidth)
