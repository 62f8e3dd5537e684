"""The `gated` architecture: whether a latent fires and how strongly are decided apart.

    gate = (h - b_dec) W_enc + b_enc
    mag  = exp(r_mag) · (h - b_dec) W_enc + b_mag
    a    = 1[gate > 0] · ReLU(mag)
    h'   = a Ŵ_dec + b_dec
    L    = mean over the batch of (mean_d (h' - h)² + λ Σ_j ReLU(gate_j) + mean_d (h'_gate - h)²)

with h'_gate = ReLU(gate) Ŵ_dec + b_dec, in which Ŵ_dec and the b_dec that is added have no gradient: so the
gate learns, since 1[gate > 0] has none. Rajamanoharan et al. 2024, *Improving dictionary learning with
gated sparse autoencoders*; ARENA 3.0. SAELens lets the gradient into that decoder and sums over d; its b_gate
is b_enc here. r_mag [latent] and b_mag [latent] begin at 0: gate and magnitude are then one.
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
    return shared.shapes(n_hidden, n_latents) | {"r_mag": (n_latents,), "b_mag": (n_latents,)}


def initial(data: TrainingData, settings: "SAESettings") -> Parameters:
    """Initial parameters of `relu`, with r_mag and b_mag 0."""
    parameters = shared.initial(data, settings)
    return parameters | {name: np.zeros_like(parameters["b_enc"]) for name in ("r_mag", "b_mag")}


def loss(
    parameters: Tensors, h: "torch.Tensor", objective: Objective
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Loss [instance] and activations [instance, batch, latent] on h [instance, batch, hidden]."""
    b_dec = parameters["b_dec"]
    projection = shared.product(h - b_dec[:, None, :], parameters["W_enc"])
    gate = projection + parameters["b_enc"][:, None, :]
    magnitude = parameters["r_mag"].exp()[:, None, :] * projection + parameters["b_mag"][:, None, :]
    activations = magnitude.relu() * (gate > 0)
    W_dec = shared.decoder(parameters, objective.settings)

    error = shared.squared_error(activations, W_dec, b_dec, h)
    penalty = objective.sparsity_coefficient[:, None] * gate.relu().sum(dim=-1)
    gate_error = shared.squared_error(gate.relu(), W_dec.detach(), b_dec.detach(), h)
    return (error + penalty + gate_error).mean(dim=-1), activations


def encode(
    parameters: Mapping[str, np.ndarray],
    h: Float[np.ndarray, "instance batch hidden"],
    k: Integer[np.ndarray, " instance"],
) -> Float[np.ndarray, "instance batch latent"]:
    """a = 1[gate > 0] · ReLU(mag)."""
    projection = (h - parameters["b_dec"][:, None, :]) @ parameters["W_enc"]
    gate = projection + parameters["b_enc"][:, None, :]
    magnitude = np.exp(parameters["r_mag"])[:, None, :] * projection + parameters["b_mag"][:, None, :]
    return np.asarray(np.where(gate > 0, np.maximum(magnitude, 0.0), 0.0))


def saelens_weights(parameters: Parameters, n_latents: int) -> Parameters:
    """SAELens calls b_enc b_gate, and has r_mag and b_mag as they are."""
    return {"b_gate" if name == "b_enc" else name: array for name, array in parameters.items()}


def fused() -> ModuleType:
    """The compiled gradient."""
    from superposition_atlas.sae.fused import gated_gradient

    return gated_gradient


ARCHITECTURE = Architecture(
    name="gated",
    label="gated",
    summary="a gate decides whether a latent fires, a magnitude how strongly",
    look=Look("#d1681c", "s", (0, (4, 1.5))),
    saelens=SAELens("gated", weights=saelens_weights),
    level="sparsity_coefficient",
    shapes=shapes,
    initial=initial,
    trained=shared.TRAINED | {"r_mag", "b_mag"},
    loss=loss,
    after_step=shared.after_step,
    encode=encode,
    fused=fused,
)
