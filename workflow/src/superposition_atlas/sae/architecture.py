"""What an SAE architecture has to say for itself; each stands in a module of its own and says it there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas import stream
from superposition_atlas.errors import TrainingError
from superposition_atlas.sae.ensemble import SAESettings
from superposition_atlas.toy_model import TrainingSettings, centre, encode

if TYPE_CHECKING:
    import torch

ARCHITECTURES = ("relu",)

ADAM_BETA_1 = 0.9
ADAM_BETA_2 = 0.999
ADAM_EPSILON = 1e-8

Shapes = dict[str, tuple[int, ...]]
Parameters = dict[str, np.ndarray]
"""Name → array [instance, ...]; views of `SAEState.parameters`."""
Tensors = Mapping[str, "torch.Tensor"]


@dataclass
class SAEState:
    """All that training carries from one step to the next; engines advance it in place.

    Each instance's parameters lie in one row, in the order of the architecture's `shapes`, and so do Adam's
    moments: an optimiser need not know what it optimises.
    """

    step: int
    """Steps taken."""
    parameters: Float[np.ndarray, "instance parameter"]
    first_moment: Float[np.ndarray, "instance parameter"]
    second_moment: Float[np.ndarray, "instance parameter"]
    last_fired: Integer[np.ndarray, "instance latent"]
    """Number of the last step (from 0) in which a latent fired for any sample, -1 if it never did. This one
    number is all that a window of any length needs to know of the past."""


@dataclass(frozen=True)
class TrainingData:
    """What an SAE is trained on: the hidden activations h of its own toy model on its own samples."""

    W: Float[np.ndarray, "instance hidden feature"]
    probability: Float[np.ndarray, "instance feature"]
    seeds: Integer[np.ndarray, " instance"]
    toy_settings: TrainingSettings
    """The toy models', which say how large features are and whether inputs are centred."""

    def hidden(
        self, step: int, batch_size: int, purpose: stream.Purpose
    ) -> Float[np.ndarray, "instance batch hidden"]:
        """h of one batch, float32."""
        x = stream.sample(
            self.seeds, step, batch_size, self.probability, purpose, self.toy_settings.magnitudes
        )
        return encode(x - centre(self.probability, self.toy_settings)[:, None, :], self.W)

    def one(self, instance: int) -> "TrainingData":
        """One instance's, by itself."""
        one = slice(instance, instance + 1)
        return replace(self, W=self.W[one], probability=self.probability[one], seeds=self.seeds[one])


FusedAdvance = Callable[[SAEState, int, TrainingData, SAESettings, int], None]


@dataclass(frozen=True)
class Architecture:
    """One architecture. Adding one is adding a module that defines one of these, and its name to
    `ARCHITECTURES` and `find`.
    """

    name: str
    shapes: Callable[[int, int], Shapes]
    """(n_hidden, n_latents) → name and shape of each parameter of one instance. W_enc [hidden, latent],
    W_dec [latent, hidden], b_enc [latent] and b_dec [hidden] are always among them."""
    initial: Callable[[Integer[np.ndarray, " instance"], int, int], Parameters]
    """(seeds, n_hidden, n_latents) → parameters before the first step, each seed's by itself."""
    loss: Callable[[Tensors, "torch.Tensor", SAESettings], tuple["torch.Tensor", "torch.Tensor"]]
    """(parameters, h [instance, batch, hidden], settings) → loss [instance], activations [instance, batch,
    latent], differentiable: the reference that autograd trains and that a fused engine is tested against."""
    constrain: Callable[[Tensors], None]
    """What is done to the parameters after each step of the optimiser, in place."""
    encode: Callable[[Mapping[str, np.ndarray], np.ndarray], np.ndarray]
    """(parameters, h [instance, batch, hidden]) → activations [instance, batch, latent]."""
    advance: FusedAdvance | None
    """(state, n_steps, data, settings, threads): the same steps, fused and compiled, for toy models whose
    inputs are U[0, 1] and not centred; None where there is no such engine."""


def find(name: str) -> Architecture:
    """The named architecture. Its module is imported here, so that torch and numba are loaded by use only.

    Raises:
        TrainingError: if there is none of that name.
    """
    if name == "relu":
        from superposition_atlas.sae import relu

        return relu.ARCHITECTURE
    raise TrainingError(f"architecture is {name!r}; allowed: {', '.join(ARCHITECTURES)}")


def split(flat: np.ndarray, shapes: Shapes) -> Parameters:
    """Named views [instance, ...] of the rows of a flat array [instance, parameter]."""
    named = {}
    start = 0
    for name, shape in shapes.items():
        stop = start + prod(shape)
        named[name] = flat[:, start:stop].reshape(len(flat), *shape)
        start = stop
    return named


def join(parameters: Parameters, shapes: Shapes) -> Float[np.ndarray, "instance parameter"]:
    """The flat array [instance, parameter] whose `split` these parameters are."""
    rows = [parameters[name].reshape(len(parameters[name]), -1) for name in shapes]
    return np.ascontiguousarray(np.concatenate(rows, axis=1), dtype=np.float32)
