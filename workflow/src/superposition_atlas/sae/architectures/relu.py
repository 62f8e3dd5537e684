"""The `relu` architecture: ARENA's toy SAE, with an L1 penalty and a decoder of unit norm.

    a  = ReLU((h - b_dec) W_enc + b_enc)
    h' = a Ŵ_dec + b_dec            with Ŵ_dec[j] = W_dec[j] / (‖W_dec[j]‖ + 1e-8)
    L  = mean over the batch of (mean_d (h' - h)² + λ Σ_j |a_j|)

The gradient flows through the normalisation, and after each step of Adam the stored W_dec is replaced by
Ŵ_dec, as in ARENA 3.0 (chapter 1, toy models and SAEs). Tied, W_dec is W_encᵀ throughout, and what is stored
is its Ŵ_dec.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.sae.architecture import Architecture, Look, Objective, SAELens, Tensors
from superposition_atlas.sae.architectures.shared import (
    TRAINED,
    after_step,
    decoder,
    initial,
    numpy_pre_activations,
    pre_activations,
    shapes,
    squared_error,
)

if TYPE_CHECKING:
    import torch


def loss(
    parameters: Tensors, h: "torch.Tensor", objective: Objective
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Loss [instance] and activations [instance, batch, latent] on h [instance, batch, hidden]."""
    activations = pre_activations(parameters, h).relu()
    error = squared_error(activations, decoder(parameters, objective.settings), parameters["b_dec"], h)
    penalty = objective.sparsity_coefficient[:, None] * activations.sum(dim=-1)
    return (error + penalty).mean(dim=-1), activations


def encode(
    parameters: Mapping[str, np.ndarray],
    h: Float[np.ndarray, "instance batch hidden"],
    k: Integer[np.ndarray, " instance"],
) -> Float[np.ndarray, "instance batch latent"]:
    """a = ReLU((h - b_dec) W_enc + b_enc)."""
    return np.asarray(np.maximum(numpy_pre_activations(parameters, h), 0.0))


def fused() -> ModuleType:
    """The compiled gradient."""
    from superposition_atlas.sae.fused import relu_gradient

    return relu_gradient


ARCHITECTURE = Architecture(
    name="relu",
    label="ReLU, L1",
    summary="ReLU with an L1 penalty",
    look=Look("#20639b", "o", "-"),
    saelens=SAELens("standard"),
    level="sparsity_coefficient",
    shapes=shapes,
    initial=initial,
    trained=TRAINED,
    loss=loss,
    after_step=after_step,
    encode=encode,
    settings=frozenset({"tied", "resampling"}),
    fused=fused,
)
