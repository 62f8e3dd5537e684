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

Two choices make it train reliably. The encoder begins as the decoder's transpose, rows of norm 1, as in the
paper: where encoder and decoder disagree, a latent soon exceeds its threshold for no sample, and then nothing
but θ has a gradient. And ε is 0.1, not ARENA's 0.01: through a narrow window few samples move θ, and where a
bias lifts a latent over θ for inputs without any feature, which are most, only a θ within ε / 2 sees it.
Both ε and θ are in units of π: where h is three times as large, so should ε and the initial θ be.

Of 64 SAEs on pentagons (5 to 2, p = 0.025, λ = 0.1, 20,000 steps), with relu's start and ε = 0.01, one ended
at eight times the true L0 (tied), and 38 % of the latents died (untied). As it is here, L0 fell to at most
0.43 of its start in all 64, tied or not, and kept within 7 % over the last half.
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

if TYPE_CHECKING:
    import torch

    from superposition_atlas.sae.ensemble import SAESettings


def shapes(n_hidden: int, n_latents: int) -> Shapes:
    """The parameters of one instance, in the order in which they are stored."""
    return shared.shapes(n_hidden, n_latents) | {"log_threshold": (n_latents,)}


def initial(data: TrainingData, settings: "SAESettings") -> Parameters:
    """Decoder directions as `relu`'s, of norm 1, W_enc = W_decᵀ, and the same threshold for every latent."""
    parameters = shared.initial(data, settings)
    W_dec = parameters["W_dec"] / np.linalg.norm(parameters["W_dec"], axis=-1, keepdims=True)
    threshold = np.full_like(parameters["b_enc"], settings.initial_threshold)
    return shared.aligned(W_dec, parameters["b_dec"]) | {"log_threshold": np.log(threshold)}


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


def saelens_weights(parameters: Parameters, n_latents: int) -> Parameters:
    """SAELens has θ in the place of its logarithm."""
    return {name: parameters[name] for name in shared.TRAINED} | {
        "threshold": np.exp(parameters["log_threshold"])
    }


def fused() -> ModuleType:
    """The compiled gradient."""
    from superposition_atlas.sae.fused import jumprelu_gradient

    return jumprelu_gradient


ARCHITECTURE = Architecture(
    name="jumprelu",
    label="JumpReLU",
    summary="a threshold for each latent and an L0 penalty",
    look=Look("#3c8d5a", "^", (0, (1, 1))),
    saelens=SAELens("jumprelu", weights=saelens_weights),
    level="sparsity_coefficient",
    shapes=shapes,
    initial=initial,
    trained=shared.TRAINED | {"log_threshold"},
    loss=loss,
    after_step=shared.after_step,
    encode=encode,
    settings=frozenset({"tied", "initial_threshold", "bandwidth"}),
    fused=fused,
)
