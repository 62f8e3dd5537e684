"""An SAE architecture and the data of its training; each architecture describes itself in one file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas.sampling import stream
from superposition_atlas.sampling.sample import sample
from superposition_atlas.sampling.structure import Intervals
from superposition_atlas.toy_model import TrainingSettings, centre, encode

if TYPE_CHECKING:
    import torch

    from superposition_atlas.sae.ensemble import SAESettings

Shapes = dict[str, tuple[int, ...]]
Parameters = dict[str, np.ndarray]
"""Name → array [instance, ...]; views of `SAEState.parameters`."""
Tensors = Mapping[str, "torch.Tensor"]

NORM_EPSILON = 1e-8
"""Added to norms before dividing by them."""


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

    def copy(self, instances: slice = slice(None)) -> "SAEState":
        """A copy of all instances or of some."""
        arrays = (self.parameters, self.first_moment, self.second_moment, self.last_fired)
        return SAEState(self.step, *(array[instances].copy() for array in arrays))

    def is_finite(self) -> Bool[np.ndarray, " instance"]:
        """Whether all of an instance's numbers are finite."""
        return np.asarray(np.isfinite(self.parameters).all(axis=1))


@dataclass(frozen=True)
class TrainingData:
    """Input of training: hidden activations h of toy models, and the sparsity of the SAEs.

    An instance is one SAE on one toy model.
    """

    W: Float[np.ndarray, "instance hidden feature"]
    probability: Float[np.ndarray, "instance feature"]
    seeds: Integer[np.ndarray, " instance"]
    sparsity_coefficient: Float[np.ndarray, " instance"]
    """λ (float64)."""
    k: Integer[np.ndarray, " instance"]
    toy_settings: TrainingSettings
    """The toy models', which say how large features are and whether inputs are centred."""
    structure: Intervals | None = None
    """[instance, feature, 2]; None where features are independent."""

    def sample(
        self, step: int, batch_size: int, purpose: stream.Purpose
    ) -> Float[np.ndarray, "instance batch feature"]:
        """x of one batch, float32."""
        magnitudes = self.toy_settings.magnitudes
        return sample(self.seeds, step, batch_size, self.probability, purpose, magnitudes, self.structure)

    def hidden(
        self, step: int, batch_size: int, purpose: stream.Purpose
    ) -> Float[np.ndarray, "instance batch hidden"]:
        """h of one batch, float32."""
        x = self.sample(step, batch_size, purpose)
        return encode(x - centre(self.probability, self.toy_settings)[:, None, :], self.W)

    def one(self, instance: int) -> "TrainingData":
        """One instance's, by itself."""
        one = slice(instance, instance + 1)
        arrays = ("W", "probability", "seeds", "sparsity_coefficient", "k")
        structure = None if self.structure is None else self.structure[one]
        return replace(self, structure=structure, **{name: getattr(self, name)[one] for name in arrays})

    @property
    def n_hidden(self) -> int:
        """Number of hidden dimensions, m."""
        return int(self.W.shape[1])


@dataclass(frozen=True)
class Objective:
    """Input of a loss beside parameters and data."""

    settings: "SAESettings"
    sparsity_coefficient: "Float[torch.Tensor, ' instance']"
    """λ at this step."""
    k: "Integer[torch.Tensor, ' instance']"
    dead: "Bool[torch.Tensor, 'instance latent']"
    """Latents that fired for no sample of the `dead_window` steps before this one (of all, while there are
    fewer): in the first step every latent."""


def warmup(settings: "SAESettings", step: int) -> float:
    """The share of λ that counts at a step (the first is 0), in (0, 1]."""
    return min(1.0, (step + 1) / max(settings.sparsity_warmup_steps, 1))


@dataclass(frozen=True)
class Look:
    """How figures draw an architecture: the same in every figure."""

    color: str
    """Colour, in Matplotlib's notation."""
    marker: str
    """Marker, in Matplotlib's notation; distinct from the other architectures'."""
    linestyle: Any = "-"
    """Line style, in Matplotlib's notation; "" draws no line."""
    is_hollow: bool = False
    """Whether markers are white inside, as the baselines' are."""


def _same_weights(parameters: Parameters, n_latents: int) -> Parameters:
    return {name: parameters[name] for name in ("W_enc", "W_dec", "b_enc", "b_dec")}


def _no_settings(k: int) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class SAELens:
    """How an SAE is exported for SAELens."""

    name: str
    """SAELens's name for an SAE that computes the same, for instance "standard"."""
    weights: Callable[[Parameters, int], Parameters] = _same_weights
    """(parameters of one SAE, n_latents) → the tensors that SAELens reads."""
    settings: Callable[[int], dict[str, Any]] = _no_settings
    """(k) → keys of cfg.json beside those that all architectures have."""


Level = Literal["sparsity_coefficient", "k"]


@dataclass(frozen=True)
class Architecture:
    """One architecture: what it is called, what it computes, how it is drawn and exported.

    To add one, write a file with an `ARCHITECTURE` and name it in `architectures.registry`; for a file
    outside this package see `registry.register`.
    """

    name: str
    """Name in configurations, tables and files."""
    label: str
    """Label in the report."""
    summary: str
    """A description in a few words that continue a sentence."""
    look: Look
    saelens: SAELens
    level: Level | None
    """The setting that says how sparse an SAE is: λ, k, or None where neither has a meaning."""
    shapes: Callable[[int, int], Shapes]
    """(n_hidden, n_latents) → name and shape of each parameter of one instance, in the order of the rows.
    W_enc [hidden, latent], W_dec [latent, hidden], b_enc [latent] and b_dec [hidden] come first."""
    initial: Callable[[TrainingData, "SAESettings"], Parameters]
    """Parameters before the first step; those of an instance depend on that instance alone."""
    trained: frozenset[str]
    """Names of the parameters that training changes; if empty, nothing is trained."""
    loss: Callable[[Tensors, "torch.Tensor", Objective], tuple["torch.Tensor", "torch.Tensor"]]
    """(parameters, h [instance, batch, hidden], objective) → loss [instance], activations [instance, batch,
    latent], differentiable: the reference that autograd trains and that a fused engine is tested against."""
    after_step: Callable[[Tensors, "torch.Tensor", "SAESettings"], None]
    """(parameters, activations of the step, settings): changes parameters in place after the optimizer's
    step, without a gradient."""
    encode: Callable[[Mapping[str, np.ndarray], np.ndarray, np.ndarray], np.ndarray]
    """(parameters, h [instance, batch, hidden], k [instance]) → activations [instance, batch, latent] of a
    trained SAE."""
    settings: frozenset[str] = frozenset()
    """Settings of `ensemble.OPTIONAL_SETTINGS` that it uses; a value for another one is refused."""
    is_baseline: bool = False
    """Whether it is what a claim must beat."""
    fused: Callable[[], ModuleType] | None = None
    """Imports the module with its compiled gradient, see `fused.fused_saes`; None if it has none."""


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
