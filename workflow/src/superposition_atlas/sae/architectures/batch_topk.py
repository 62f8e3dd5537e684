"""The `batch_topk` architecture: k latents a sample on average, chosen over the whole batch.

    π  = (h - b_dec) W_enc + b_enc
    a  = ReLU(π) · 1[among the k · batch largest ReLU(π) of the batch; of equals, the first]
    h' = a Ŵ_dec + b_dec
    L  = mean over the batch of mean_d (h' - h)² + auxiliary_coefficient · AuxK, see `selection`

Bussmann et al. 2024, *BatchTopK sparse autoencoders*. A trained SAE sees samples one by one:
a = π · 1[π > threshold], where `threshold` [1] begins at 0 and after each step moves 0.01 of the way to the
least positive activation of that step, as in SAELens; the paper takes their mean after training.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.sae.architecture import (
    Architecture,
    Look,
    Objective,
    Parameters,
    SAELens,
    Shapes,
    Tensors,
    TrainingData,
)
from superposition_atlas.sae.architectures import shared
from superposition_atlas.sae.architectures.selection import auxiliary_loss, of_batch

if TYPE_CHECKING:
    import torch

    from superposition_atlas.sae.ensemble import SAESettings

THRESHOLD_RATE = 0.01
"""Weight of the last step in the running mean that the threshold is."""


def shapes(n_hidden: int, n_latents: int) -> Shapes:
    """The parameters of one instance, in the order in which they are stored."""
    return shared.shapes(n_hidden, n_latents) | {"threshold": (1,)}


def initial(data: TrainingData, settings: "SAESettings") -> Parameters:
    """Initial parameters of `relu`, with threshold 0."""
    parameters = shared.initial(data, settings)
    return parameters | {"threshold": np.zeros((len(data.seeds), 1), dtype=np.float32)}


def loss(
    parameters: Tensors, h: "torch.Tensor", objective: Objective
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Loss [instance] and activations [instance, batch, latent] on h [instance, batch, hidden]."""
    pre_activations = shared.pre_activations(parameters, h)
    activations = of_batch(pre_activations, objective.k)
    W_dec = shared.decoder(parameters, objective.settings)
    residual = h - parameters["b_dec"][:, None, :] - shared.product(activations, W_dec)
    auxiliary = auxiliary_loss(pre_activations, W_dec, residual, objective)
    return residual.square().mean(dim=(-1, -2)) + auxiliary, activations


def after_step(parameters: Tensors, activations: "torch.Tensor", settings: "SAESettings") -> None:
    """Replaces W_dec by Ŵ_dec, moves the threshold towards the least positive activation if there is one."""
    shared.after_step(parameters, activations, settings)
    threshold = parameters["threshold"][:, 0]
    least = activations.masked_fill(activations <= 0, float("inf")).flatten(start_dim=1).amin(dim=-1)
    threshold.lerp_(least.where(least.isfinite(), threshold), THRESHOLD_RATE)


def encode(
    parameters: Mapping[str, np.ndarray],
    h: Float[np.ndarray, "instance batch hidden"],
    k: Integer[np.ndarray, " instance"],
) -> Float[np.ndarray, "instance batch latent"]:
    """a = π · 1[π > threshold]."""
    pre_activations = shared.numpy_pre_activations(parameters, h)
    return np.asarray(np.where(pre_activations > parameters["threshold"][:, None, :], pre_activations, 0.0))


def saelens_weights(parameters: Parameters, n_latents: int) -> Parameters:
    """A trained one is a JumpReLU SAE whose thresholds are equal."""
    return parameters | {"threshold": np.broadcast_to(parameters["threshold"], (n_latents,))}


def fused() -> ModuleType:
    """The compiled gradient."""
    from superposition_atlas.sae.fused import batch_topk_gradient

    return batch_topk_gradient


ARCHITECTURE = Architecture(
    name="batch_topk",
    label="BatchTopK",
    summary="k latents a sample on average over the batch",
    look=Look("#b3224f", "v", (0, (7, 1.5))),
    saelens=SAELens("jumprelu", weights=saelens_weights),
    level="k",
    shapes=shapes,
    initial=initial,
    trained=shared.TRAINED,
    loss=loss,
    after_step=after_step,
    encode=encode,
    settings=frozenset({"k", "auxiliary_coefficient"}),
    fused=fused,
)
