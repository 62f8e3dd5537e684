"""What an SAE architecture has to say for itself; each stands in a module of its own and says it there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas.errors import TrainingError
from superposition_atlas.sae.ensemble import ARCHITECTURES, SAESettings
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.sample import sample
from superposition_atlas.toy_model import TrainingSettings, centre, encode

if TYPE_CHECKING:
    import torch

Shapes = dict[str, tuple[int, ...]]
Parameters = dict[str, np.ndarray]
"""Name → array [instance, ...]; views of `SAEState.parameters`."""
Tensors = Mapping[str, "torch.Tensor"]


@dataclass
class SAEState:
    """All that training carries from one step to the next; engines advance it in place.

    Each instance's parameters lie in one row, in the order of the architecture's `shapes`, and so do Adam's
    moments: an optimizer need not know what it optimizes.
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
    """What SAEs are trained on: hidden activations h of their own toy models, and how sparse they are to be.

    An instance is one SAE.
    """

    W: Float[np.ndarray, "instance hidden feature"]
    probability: Float[np.ndarray, "instance feature"]
    seeds: Integer[np.ndarray, " instance"]
    sparsity_coefficient: Float[np.ndarray, " instance"]
    """λ (float64)."""
    k: Integer[np.ndarray, " instance"]
    toy_settings: TrainingSettings
    """The toy models', which say how large features are and whether inputs are centred."""

    def hidden(
        self, step: int, batch_size: int, purpose: stream.Purpose
    ) -> Float[np.ndarray, "instance batch hidden"]:
        """h of one batch, float32."""
        x = sample(self.seeds, step, batch_size, self.probability, purpose, self.toy_settings.magnitudes)
        return encode(x - centre(self.probability, self.toy_settings)[:, None, :], self.W)

    def one(self, instance: int) -> "TrainingData":
        """One instance's, by itself."""
        one = slice(instance, instance + 1)
        arrays = ("W", "probability", "seeds", "sparsity_coefficient", "k")
        return replace(self, **{name: getattr(self, name)[one] for name in arrays})

    @property
    def n_hidden(self) -> int:
        """Number of hidden dimensions, m."""
        return int(self.W.shape[1])


@dataclass(frozen=True)
class Objective:
    """What a loss knows beside parameters and data."""

    settings: SAESettings
    sparsity_coefficient: "Float[torch.Tensor, ' instance']"
    """λ at this step."""
    k: "Integer[torch.Tensor, ' instance']"
    dead: "Bool[torch.Tensor, 'instance latent']"
    """Latents that fired for no sample of the `dead_window` steps before this one (of all, while there are
    fewer): in the first step every latent."""


def warmup(settings: SAESettings, step: int) -> float:
    """The share of λ that counts at a step (the first is 0), in (0, 1]."""
    return min(1.0, (step + 1) / max(settings.sparsity_warmup_steps, 1))


FusedAdvance = Callable[[SAEState, int, TrainingData, SAESettings, int], None]


@dataclass(frozen=True)
class Architecture:
    """One architecture. Adding one is adding its name to `ArchitectureName` and a module of that name with an
    `ARCHITECTURE`.
    """

    shapes: Callable[[int, int], Shapes]
    """(n_hidden, n_latents) → name and shape of each parameter of one instance, in the order of the rows.
    W_enc [hidden, latent], W_dec [latent, hidden], b_enc [latent] and b_dec [hidden] come first."""
    initial: Callable[[TrainingData, SAESettings], Parameters]
    """Parameters before the first step, each instance's by itself."""
    trained: frozenset[str]
    """Names of the parameters that training changes; with none there is no training."""
    loss: Callable[[Tensors, "torch.Tensor", Objective], tuple["torch.Tensor", "torch.Tensor"]]
    """(parameters, h [instance, batch, hidden], objective) → loss [instance], activations [instance, batch,
    latent], differentiable: the reference that autograd trains and that a fused engine is tested against."""
    settle: Callable[[Tensors, "torch.Tensor", SAESettings], None]
    """(parameters, activations of the step, settings): what is done to the parameters after the optimizer's
    step, in place and without a gradient."""
    encode: Callable[[Mapping[str, np.ndarray], np.ndarray, np.ndarray], np.ndarray]
    """(parameters, h [instance, batch, hidden], k [instance]) → activations [instance, batch, latent] of a
    trained SAE."""
    advance: FusedAdvance | None = None
    """(state, n_steps, data, settings, threads): the same steps, fused and compiled, for toy models whose
    inputs are U[0, 1] and not centred; None where there is no such engine."""


def find(name: str) -> Architecture:
    """The named architecture. Its module is imported here, so that torch and numba are loaded by use only.

    Raises:
        TrainingError: if there is none of that name.
    """
    if name not in ARCHITECTURES:
        raise TrainingError(f"architecture is {name!r}: must be {', '.join(ARCHITECTURES)}")
    architecture: Architecture = import_module(f"superposition_atlas.sae.architectures.{name}").ARCHITECTURE
    return architecture


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
