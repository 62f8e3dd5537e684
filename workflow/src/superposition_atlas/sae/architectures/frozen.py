"""The `frozen` baseline: the decoder of `random`, never changed; encoder and biases are trained as `relu`'s.

It begins as `random`, with W_enc = W_decᵀ: what it gains is what the encoder alone can learn. After Korznikov
et al. 2026, *Sanity checks for sparse autoencoders*.
"""

from superposition_atlas.sae.architectures import random, relu, shared
from superposition_atlas.sae.architectures.base import Architecture

ARCHITECTURE = Architecture(
    shapes=shared.shapes,
    initial=random.initial,
    trained=shared.TRAINED - {"W_dec"},
    loss=relu.loss,
    settle=shared.leave,
    encode=relu.encode,
    advance=shared.advance,
)
