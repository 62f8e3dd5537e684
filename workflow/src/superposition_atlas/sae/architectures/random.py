"""The `random` baseline: a decoder of random directions, uniform on the sphere, W_enc = W_decᵀ and no biases.

a = ReLU(h W_enc); nothing is trained. What a claim of recovery must beat (Korznikov et al. 2026, *Sanity
checks for sparse autoencoders*); `frozen` is the same with a trained encoder.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from superposition_atlas.sae.architecture import Architecture, Look, Parameters, SAELens, TrainingData
from superposition_atlas.sae.architectures import relu, shared
from superposition_atlas.sampling import stream

if TYPE_CHECKING:
    from superposition_atlas.sae.ensemble import SAESettings


def random_decoder(
    data: TrainingData, settings: "SAESettings"
) -> Float[np.ndarray, "instance latent hidden"]:
    """Rows of norm 1, of each seed by itself."""
    purpose = stream.Purpose.SAE_INITIAL_WEIGHTS
    normal = stream.standard_normal(data.seeds, 0, settings.n_latents, data.n_hidden, purpose)
    return (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype(np.float32)


def initial(data: TrainingData, settings: "SAESettings") -> Parameters:
    """The whole of it."""
    b_dec = np.zeros((len(data.seeds), data.n_hidden), dtype=np.float32)
    return shared.aligned(random_decoder(data, settings), b_dec)


ARCHITECTURE = Architecture(
    name="random",
    label="random",
    summary="a decoder of random directions, nothing trained",
    look=Look("#8a8a8a", "p", "", is_hollow=True),
    saelens=SAELens("standard"),
    level=None,
    shapes=shared.shapes,
    initial=initial,
    trained=frozenset(),
    loss=relu.loss,
    after_step=shared.keep,
    encode=relu.encode,
    is_baseline=True,
)
