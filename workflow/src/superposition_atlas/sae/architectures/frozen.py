"""The `frozen` baseline: the decoder of `random`, never changed; encoder and biases are trained as `relu`'s.

It begins as `random`, with W_enc = W_decᵀ: what it gains is what the encoder alone can learn. After Korznikov
et al. 2026, *Sanity checks for sparse autoencoders*.
"""

from superposition_atlas.sae.architecture import Architecture, Look, SAELens
from superposition_atlas.sae.architectures import random, relu, shared

ARCHITECTURE = Architecture(
    name="frozen",
    label="frozen decoder",
    summary="a decoder of random directions with a trained encoder",
    look=Look("#8a8a8a", ">", (0, (2, 2)), is_hollow=True),
    saelens=SAELens("standard"),
    level="sparsity_coefficient",
    shapes=shared.shapes,
    initial=random.initial,
    trained=shared.TRAINED - {"W_dec"},
    loss=relu.loss,
    after_step=shared.keep,
    encode=relu.encode,
    is_baseline=True,
    fused=relu.fused,
)
