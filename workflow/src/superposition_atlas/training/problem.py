"""Input of every training engine: the problem, and the state that steps carry forward."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Integer

from superposition_atlas import toy_model
from superposition_atlas.sampling.structure import Intervals
from superposition_atlas.toy_model import TrainingSettings

HELD_OUT_SAMPLES = 8192
"""Samples of an instance's held-out batch, the same at every step."""


@dataclass(frozen=True)
class Problem:
    """The toy models to train: one for each seed, on its own schedule."""

    seeds: Integer[np.ndarray, " instance"]
    """uint64."""
    importance: Float[np.ndarray, "instance feature"]
    """float64, at least 0."""
    probability: Float[np.ndarray, "instance feature"]
    """float64, in (0, 1]."""
    n_hidden: int
    settings: TrainingSettings
    structure: Intervals | None = None
    """[instance, feature, 2]; None where all features are independent."""

    def select(self, instances: slice) -> "Problem":
        """Some of the instances: their results are the same by themselves."""
        return replace(
            self,
            seeds=self.seeds[instances],
            importance=self.importance[instances],
            probability=self.probability[instances],
            structure=None if self.structure is None else self.structure[instances],
        )

    @property
    def centre(self) -> Float[np.ndarray, "instance feature"]:
        """Mean subtracted from the inputs before W sees them (float32)."""
        return toy_model.centre(self.probability, self.settings)

    @property
    def n_instances(self) -> int:
        """Number of toy models trained together."""
        return self.importance.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features, n."""
        return self.importance.shape[1]

    @property
    def n_rows(self) -> int:
        """Rows of `Weights.W`: m, or 2m with output weights of their own."""
        return self.settings.n_matrices * self.n_hidden


@dataclass
class Weights:
    """One float32 value for each weight of each instance."""

    W: Float[np.ndarray, "instance row feature"]
    """The m rows of W, and behind them those of W_out where it is not W."""
    b: Float[np.ndarray, "instance feature"]

    def zeros_like(self) -> "Weights":
        """Zeros in the same shapes."""
        return Weights(np.zeros_like(self.W), np.zeros_like(self.b))


@dataclass
class TrainingState:
    """Everything that training carries from one step to the next; an engine advances it in place."""

    step: int
    """Steps taken so far: the next batch is the stream's batch of this step."""
    weights: Weights
    mean: Weights
    """Adam's running mean of the gradient, not corrected for its start at zero (`exp_avg` in torch); SGD's
    momentum buffer, of no meaning without momentum."""
    square: Weights
    """Adam's running mean of the gradient's square, likewise (`exp_avg_sq` in torch); 0 with SGD."""
    loss_sum: Float[np.ndarray, " instance"]
    """float64 sum of the losses of the steps since it was last set to 0."""

    @classmethod
    def initial(cls, problem: Problem) -> "TrainingState":
        """The state before the first step: normal weights, b as the settings have it, all else 0.

        Raises:
            TrainingError: if the settings' bias does not fit the number of features.
        """
        settings = problem.settings
        W = toy_model.initial_weights(
            problem.seeds, problem.n_features, problem.n_hidden, settings.init_scale, settings.n_matrices
        )
        weights = Weights(W, toy_model.initial_bias(problem.probability, settings))
        return cls(0, weights, weights.zeros_like(), weights.zeros_like(), np.zeros(problem.n_instances))

    def copy(self, instances: slice = slice(None)) -> "TrainingState":
        """A state of its own, of all instances or of some."""
        weights, mean, square = (
            Weights(part.W[instances].copy(), part.b[instances].copy())
            for part in (self.weights, self.mean, self.square)
        )
        return TrainingState(self.step, weights, mean, square, self.loss_sum[instances].copy())

    def put(self, part: "TrainingState", instances: slice) -> None:
        """Take over weights, running means and loss of some instances, not the step."""
        for own, new in (
            (self.weights, part.weights),
            (self.mean, part.mean),
            (self.square, part.square),
        ):
            own.W[instances], own.b[instances] = new.W, new.b
        self.loss_sum[instances] = part.loss_sum

    def is_finite(self) -> Bool[np.ndarray, " instance"]:
        """Whether all of an instance's numbers are finite.

        A square that overflows stops its weight for good while weight and loss stay finite: it counts too.
        """
        finite = np.isfinite(self.loss_sum)
        for part in (self.weights, self.mean, self.square):
            finite &= np.isfinite(part.W).all((1, 2)) & np.isfinite(part.b).all(1)
        return finite


class Engine(Protocol):
    """One way of taking training steps. Engines differ in speed, never in what a step is.

    A step draws the batch of (seed, step) from the stream, takes the loss Σ_i I_i (y_i - x'_i)², mean over
    batch and features, y_i being x_i or |x_i|, and follows its gradient with the optimizer that the settings
    name.
    """

    name: str

    def advance(self, state: TrainingState, n_steps: int, problem: Problem) -> None:
        """Take n_steps (0 does nothing but get ready) in place, and add up their losses in `loss_sum`."""
        ...

    def feature_loss(self, weights: Weights, problem: Problem) -> Float[np.ndarray, "instance feature"]:
        """I_i E(y_i - x'_i)² (float64) over the held-out batch: `HELD_OUT_SAMPLES` of purpose EVALUATION."""
        ...
