"""The `jumprelu` architecture: a threshold for each latent, and a penalty on the number that exceed theirs.

    π  = (h - b_dec) W_enc + b_enc
    a  = π · 1[π > θ]                        with θ = exp(log_threshold)
    h' = a Ŵ_dec + b_dec
    L  = mean over the batch of (mean_d (h' - h)² + λ Σ_j 1[π_j > θ_j])

θ learns through a straight-through estimate, a rectangle of width ε around it: with K = 1[|π - θ| < ε / 2],

    ∂a/∂θ ≙ -(θ / ε) K        ∂1[π > θ]/∂θ ≙ -(1 / ε) K

and neither jump has a gradient with respect to π, as in Rajamanoharan et al. 2024, *Jumping ahead: improving
reconstruction fidelity with JumpReLU sparse autoencoders*, in ARENA 3.0 and in SAELens (which sums over d).
log_threshold [latent] begins at log(initial_threshold). Tied weights are as in `relu`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.sae import shared
from superposition_atlas.sae.architecture import (
    Architecture,
    Objective,
    Parameters,
    Shapes,
    Tensors,
    TrainingData,
)
from superposition_atlas.sae.ensemble import SAESettings

if TYPE_CHECKING:
    import torch


def shapes(n_hidden: int, n_latents: int) -> Shapes:
    """The parameters of one instance, in the order in which they are stored."""
    return shared.shapes(n_hidden, n_latents) | {"log_threshold": (n_latents,)}


def initial(data: TrainingData, settings: SAESettings) -> Parameters:
    """As `relu`, with the same threshold for every latent."""
    parameters = shared.initial(data, settings)
    threshold = np.full_like(parameters["b_enc"], settings.initial_threshold)
    return parameters | {"log_threshold": np.log(threshold)}


def loss(
    parameters: Tensors, h: "torch.Tensor", objective: Objective
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Loss [instance] and activations [instance, batch, latent] on h [instance, batch, hidden]."""
    bandwidth = objective.settings.bandwidth
    pre_activations = shared.pre_activations(parameters, h)
    threshold = parameters["log_threshold"].exp()[:, None, :]
    constant = threshold.detach()
    fires = pre_activations.detach() > constant
    window = (pre_activations.detach() - constant).abs() < bandwidth / 2
    # Adds 0 to a value and -K/ε to its slope in θ.
    jump = window * ((constant - threshold) / bandwidth)
    activations = pre_activations * fires + constant * jump
    n_active = (fires + jump).sum(dim=-1)

    W_dec = shared.decoder(parameters, objective.settings)
    error = shared.squared_error(activations, W_dec, parameters["b_dec"], h)
    penalty = objective.sparsity_coefficient[:, None] * n_active
    return (error + penalty).mean(dim=-1), activations


def encode(
    parameters: Mapping[str, np.ndarray],
    h: Float[np.ndarray, "instance batch hidden"],
    k: Integer[np.ndarray, " instance"],
) -> Float[np.ndarray, "instance batch latent"]:
    """a = π · 1[π > θ]."""
    pre_activations = shared.numpy_pre_activations(parameters, h)
    fires = pre_activations > np.exp(parameters["log_threshold"])[:, None, :]
    return np.asarray(np.where(fires, pre_activations, 0.0))


ARCHITECTURE = Architecture(
    shapes=shapes,
    initial=initial,
    trained=shared.TRAINED | {"log_threshold"},
    loss=loss,
    settle=shared.settle,
    encode=encode,
)
