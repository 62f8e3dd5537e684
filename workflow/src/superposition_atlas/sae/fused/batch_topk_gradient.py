"""The compiled gradient of `batch_topk` and `matryoshka`: δ_j = 1[a_j > 0] ρ_j, beside AuxK's.

In matryoshka, r is the sum of the residuals of those prefixes that hold latent j. What is active depends on
the whole batch, so the kernel computes the batch's π before the first block's gradient.
"""

import numpy as np

from superposition_atlas.sae.fused.fused_gradient import no_finish, no_preparation, slopes_of_active
from superposition_atlas.sae.fused.fused_rows import BLOCK, inlined
from superposition_atlas.sae.fused.fused_selection import (
    LARGEST_BITS,
    bound_of_largest,
    drop_last,
    least_from,
)

RECTIFIES = False
SELECTS_FROM_BATCH = True
HAS_PREFIXES = True
HAS_GATE = False
HAS_AUXILIARY = True
THRESHOLD_RATE = 0.01
"""Weight of the last step in the running mean that the threshold is."""

prepare = no_preparation
add_gradient = slopes_of_active
finish = no_finish


@inlined
def select(bits, k, batch_size, n_blocks, n_latents, guess):  # type: ignore[no-untyped-def]
    """Bound and least of the k · batch_size largest positive values, as bits; lower ones are not active."""
    bound, surplus = bound_of_largest(bits, k * batch_size, guess)
    least = least_from(bits, bound)
    if surplus > 0:
        drop_last(bits, n_blocks, n_latents, least, surplus)
    return bound, least


@inlined
def activate(rows, sizes, model, goal):  # type: ignore[no-untyped-def]
    """a, of what reaches the bound."""
    for s in range(sizes.n_latents * BLOCK):
        is_in = rows.bits[s] >= np.int32(goal.bound)
        rows.activations[s] = rows.pre_activations[s] if is_in else np.float32(0.0)


@inlined
def after_step(sizes, parameters, held, least):  # type: ignore[no-untyped-def]
    """Moves the threshold towards the least positive activation of the step, if there was one."""
    if least < LARGEST_BITS:
        held.bits[0, 0] = least  # the float of these bits, in a place that the step no longer needs
        threshold = parameters[sizes.particular]
        parameters[sizes.particular] += np.float32(THRESHOLD_RATE) * (held.pre_activations[0, 0] - threshold)
