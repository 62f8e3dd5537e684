"""The `topk` architecture: of each sample, the k largest latents.

    π  = (h - b_dec) W_enc + b_enc
    a  = ReLU(π) · 1[among the k largest π of the sample; of equals, the first]
    h' = a Ŵ_dec + b_dec
    L  = mean over the batch of mean_d (h' - h)² + auxiliary_coefficient · AuxK, see `selection`

Gao et al. 2024, *Scaling and evaluating sparse autoencoders*; the coefficient 1/32 is theirs; SAELens has 1
and sums over d. The start is `relu`'s, not theirs with W_enc = W_decᵀ.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.sae.architecture import Architecture, Look, Objective, SAELens, Tensors
from superposition_atlas.sae.architectures import shared
from superposition_atlas.sae.architectures.selection import auxiliary_loss, largest, numpy_largest

if TYPE_CHECKING:
    import torch


def loss(
    parameters: Tensors, h: "torch.Tensor", objective: Objective
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Loss [instance] and activations [instance, batch, latent] on h [instance, batch, hidden]."""
    pre_activations = shared.pre_activations(parameters, h)
    chosen = largest(pre_activations.detach(), objective.k[:, None, None])
    activations = pre_activations.relu() * chosen
    W_dec = shared.decoder(parameters, objective.settings)
    residual = h - shared.product(activations, W_dec) - parameters["b_dec"][:, None, :]
    auxiliary = auxiliary_loss(pre_activations, W_dec, residual, objective)
    return residual.square().mean(dim=(-1, -2)) + auxiliary, activations


def encode(
    parameters: Mapping[str, np.ndarray],
    h: Float[np.ndarray, "instance batch hidden"],
    k: Integer[np.ndarray, " instance"],
) -> Float[np.ndarray, "instance batch latent"]:
    """a, the k largest of each sample."""
    pre_activations = shared.numpy_pre_activations(parameters, h)
    return np.asarray(np.maximum(pre_activations, 0.0) * numpy_largest(pre_activations, k))


def saelens_settings(k: int) -> dict[str, Any]:
    """In SAELens too, the k largest are those of π itself, whatever the rows of W_dec."""
    return {"k": k, "rescale_acts_by_decoder_norm": False}


def fused() -> ModuleType:
    """The compiled gradient."""
    from superposition_atlas.sae.fused import topk_gradient

    return topk_gradient


ARCHITECTURE = Architecture(
    name="topk",
    label="TopK",
    summary="the k largest latents of each sample",
    look=Look("#7b4f9d", "D", (0, (4, 1, 1, 1))),
    saelens=SAELens("topk", settings=saelens_settings),
    level="k",
    shapes=shared.shapes,
    initial=shared.initial,
    trained=shared.TRAINED,
    loss=loss,
    after_step=shared.after_step,
    encode=encode,
    settings=frozenset({"k", "auxiliary_coefficient"}),
    fused=fused,
)
