"""Code common to architectures: parameters, their start, pre-activations, unit rows, the error."""

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from superposition_atlas.sae.architecture import NORM_EPSILON, Parameters, Shapes, Tensors, TrainingData
from superposition_atlas.sampling import stream

if TYPE_CHECKING:
    import torch

    from superposition_atlas.sae.ensemble import SAESettings

TRAINED = frozenset(("W_enc", "W_dec", "b_enc", "b_dec"))


def shapes(n_hidden: int, n_latents: int) -> Shapes:
    """The parameters of one instance, in the order in which they are stored."""
    return {
        "W_enc": (n_hidden, n_latents),
        "W_dec": (n_latents, n_hidden),
        "b_enc": (n_latents,),
        "b_dec": (n_hidden,),
    }


def initial(data: TrainingData, settings: "SAESettings") -> Parameters:
    """Uniform weights in ± sqrt(6 / (n_hidden · n_latents)), biases 0.

    That is what `kaiming_uniform_` makes of ARENA's tensors with the instance as first of three axes: the
    fan-in is the product of the other two. It does not depend on the number of instances.
    """
    n_hidden, n_latents = data.n_hidden, settings.n_latents
    u = stream.uniform(data.seeds, 0, n_hidden, 2 * n_latents, stream.Purpose.SAE_INITIAL_WEIGHTS)
    weights = (sqrt(6.0 / (n_hidden * n_latents)) * (2.0 * u - 1.0)).astype(np.float32)
    return {
        "W_enc": weights[:, :, :n_latents],
        "W_dec": weights[:, :, n_latents:].swapaxes(1, 2),
        "b_enc": np.zeros((len(weights), n_latents), dtype=np.float32),
        "b_dec": np.zeros((len(weights), n_hidden), dtype=np.float32),
    }


def aligned(
    W_dec: Float[np.ndarray, "instance latent hidden"], b_dec: Float[np.ndarray, "instance hidden"]
) -> Parameters:
    """A decoder with its transpose as encoder, b_enc 0."""
    return {
        "W_enc": W_dec.swapaxes(1, 2),
        "W_dec": W_dec,
        "b_enc": np.zeros(W_dec.shape[:2], dtype=np.float32),
        "b_dec": b_dec,
    }


def unit_rows(W_dec: "torch.Tensor") -> "torch.Tensor":
    """Ŵ_dec, rows of norm 1 (of norm 0 where W_dec's is)."""
    unit: torch.Tensor = W_dec / (W_dec.norm(dim=-1, keepdim=True) + NORM_EPSILON)
    return unit


def decoder(parameters: Tensors, settings: "SAESettings") -> "torch.Tensor":
    """Ŵ_dec, or Ŵ_encᵀ where weights are tied."""
    return unit_rows(parameters["W_enc"].mT if settings.tied else parameters["W_dec"])


def after_step(parameters: Tensors, activations: "torch.Tensor", settings: "SAESettings") -> None:
    """Replaces W_dec by Ŵ_dec."""
    parameters["W_dec"].copy_(decoder(parameters, settings))


def keep(parameters: Tensors, activations: "torch.Tensor", settings: "SAESettings") -> None:
    """Changes nothing: for architectures whose decoder is not trained."""


def product(left: "torch.Tensor", right: "torch.Tensor") -> "torch.Tensor":
    """left @ right. Its rounding may depend on the number of instances.

    The reference engine has one instance at a time on the CPU, and the CUDA engine always the same number.
    """
    return left @ right


def pre_activations(parameters: Tensors, h: "torch.Tensor") -> "torch.Tensor":
    """π = (h - b_dec) W_enc + b_enc, [instance, batch, latent]."""
    centred = h - parameters["b_dec"][:, None, :]
    return product(centred, parameters["W_enc"]) + parameters["b_enc"][:, None, :]


def numpy_pre_activations(
    parameters: Mapping[str, np.ndarray], h: Float[np.ndarray, "instance batch hidden"]
) -> Float[np.ndarray, "instance batch latent"]:
    """π = (h - b_dec) W_enc + b_enc."""
    centred = h - parameters["b_dec"][:, None, :]
    return np.asarray(centred @ parameters["W_enc"] + parameters["b_enc"][:, None, :])


def squared_error(
    activations: "torch.Tensor", W_dec: "torch.Tensor", b_dec: "torch.Tensor", h: "torch.Tensor"
) -> "torch.Tensor":
    """mean_d (a W_dec + b_dec - h)², [instance, batch]."""
    return (product(activations, W_dec) + b_dec[:, None, :] - h).square().mean(dim=-1)
