"""The compiled gradient of `relu` and `frozen`: δ_j = 1[a_j > 0] (ρ_j + s) with s = λ n_hidden / 2."""

import numpy as np

from superposition_atlas.sae.fused.fused_gradient import (
    accumulate,
    along,
    already_active,
    no_finish,
    no_more,
    no_preparation,
)
from superposition_atlas.sae.fused.fused_rows import BLOCK, inlined

RECTIFIES = True
SELECTS_FROM_BATCH = False
HAS_PREFIXES = False
HAS_GATE = False
HAS_AUXILIARY = False

prepare = no_preparation
activate = already_active
finish = no_finish
after_step = no_more


@inlined
def add_gradient(of_latent, sums, sizes, model, goal, rows, residual, j):  # type: ignore[no-untyped-def]
    """Adds a block to the sums of latent j."""
    for s in range(goal.block):
        value = rows.pre_activations[j * BLOCK + s]
        rho = along(rows.slope, model.unit, j, residual, s, sizes.n_hidden)
        delta = rho + goal.sparsity_slope if value > np.float32(0.0) else np.float32(0.0)
        of_latent = accumulate(of_latent, delta, value, rows, residual, s, sizes.n_hidden)
    return of_latent
