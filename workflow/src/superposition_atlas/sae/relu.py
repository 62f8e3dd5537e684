"""The `relu` architecture: ARENA's toy SAE, untied, with an L1 penalty and a decoder of unit norm.

    a  = ReLU((h - b_dec) W_enc + b_enc)
    h' = a Ŵ_dec + b_dec            with Ŵ_dec[j] = W_dec[j] / (‖W_dec[j]‖ + 1e-8)
    L  = mean over the batch of (mean_d (h' - h)² + λ Σ_j |a_j|)

The gradient flows through the normalisation, and after each step of Adam the stored W_dec is replaced by
Ŵ_dec, as in ARENA 3.0 (chapter 1, toy models and SAEs).
"""

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas import stream
from superposition_atlas.sae.architecture import (
    Architecture,
    Parameters,
    SAEState,
    Shapes,
    Tensors,
    TrainingData,
)
from superposition_atlas.sae.ensemble import SAESettings

if TYPE_CHECKING:
    import torch

NORM_EPSILON = 1e-8
"""Added to norms before dividing by them."""


def shapes(n_hidden: int, n_latents: int) -> Shapes:
    """The parameters of one instance, in the order in which they are stored."""
    return {
        "W_enc": (n_hidden, n_latents),
        "W_dec": (n_latents, n_hidden),
        "b_enc": (n_latents,),
        "b_dec": (n_hidden,),
    }


def initial(seeds: Integer[np.ndarray, " instance"], n_hidden: int, n_latents: int) -> Parameters:
    """Uniform weights in ± sqrt(6 / (n_hidden · n_latents)), biases 0.

    That is what `kaiming_uniform_` makes of ARENA's tensors with the instance as first of three axes: the
    fan-in is the product of the other two. It does not depend on the number of instances.
    """
    u = stream.uniform(seeds, 0, n_hidden, 2 * n_latents, stream.Purpose.SAE_INITIAL_WEIGHTS)
    weights = (sqrt(6.0 / (n_hidden * n_latents)) * (2.0 * u - 1.0)).astype(np.float32)
    return {
        "W_enc": weights[:, :, :n_latents],
        "W_dec": weights[:, :, n_latents:].swapaxes(1, 2),
        "b_enc": np.zeros((len(weights), n_latents), dtype=np.float32),
        "b_dec": np.zeros((len(weights), n_hidden), dtype=np.float32),
    }


def unit_rows(W_dec: "torch.Tensor") -> "torch.Tensor":
    """Ŵ_dec, rows of norm 1 (of norm 0 where W_dec's is)."""
    unit: torch.Tensor = W_dec / (W_dec.norm(dim=-1, keepdim=True) + NORM_EPSILON)
    return unit


def loss(
    parameters: Tensors, h: "torch.Tensor", settings: SAESettings
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Loss [instance] and activations [instance, batch, latent] on h [instance, batch, hidden]."""
    b_dec = parameters["b_dec"][:, None, :]
    activations = ((h - b_dec) @ parameters["W_enc"] + parameters["b_enc"][:, None, :]).relu()
    reconstruction = activations @ unit_rows(parameters["W_dec"]) + b_dec
    squared_error = (reconstruction - h).square().mean(dim=-1)
    sparsity = activations.sum(dim=-1)
    return (squared_error + settings.sparsity_coefficient * sparsity).mean(dim=-1), activations


def constrain(parameters: Tensors) -> None:
    """Replaces W_dec by Ŵ_dec."""
    parameters["W_dec"].copy_(unit_rows(parameters["W_dec"]))


def encode(
    parameters: Mapping[str, np.ndarray], h: Float[np.ndarray, "instance batch hidden"]
) -> Float[np.ndarray, "instance batch latent"]:
    """a = ReLU((h - b_dec) W_enc + b_enc)."""
    centred = h - parameters["b_dec"][:, None, :]
    return np.asarray(np.maximum(centred @ parameters["W_enc"] + parameters["b_enc"][:, None, :], 0.0))


def advance(state: SAEState, n_steps: int, data: TrainingData, settings: SAESettings, threads: int) -> None:
    """n_steps steps in place, fused and compiled."""
    from superposition_atlas.sae import fused_relu

    fused_relu.advance(state, n_steps, data, settings, threads)


ARCHITECTURE = Architecture("relu", shapes, initial, loss, constrain, encode, advance)
