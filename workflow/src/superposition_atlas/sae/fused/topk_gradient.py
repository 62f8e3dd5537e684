"""The compiled gradient of `topk`: δ_j = 1[a_j > 0] ρ_j, beside AuxK's (`fused_selection`)."""

from superposition_atlas.sae.fused.fused_gradient import (
    no_finish,
    no_more,
    no_preparation,
    slopes_of_active,
)
from superposition_atlas.sae.fused.fused_rows import inlined
from superposition_atlas.sae.fused.fused_selection import choose_largest

RECTIFIES = False
SELECTS_FROM_BATCH = False
HAS_PREFIXES = False
HAS_GATE = False
HAS_AUXILIARY = True

prepare = no_preparation
add_gradient = slopes_of_active
finish = no_finish
after_step = no_more


@inlined
def activate(rows, sizes, model, goal):  # type: ignore[no-untyped-def]
    """a, the k largest of each sample."""
    choose_largest(rows.activations, rows.slope, rows.pre_activations, goal.k, sizes.n_latents)
