"""What every training engine works on: the problem, and the state that steps carry forward."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas import toy_model
from superposition_atlas.toy_model import TrainingSettings

ADAM_BETA_1 = 0.9
ADAM_BETA_2 = 0.999
ADAM_EPSILON = 1e-8


@dataclass(frozen=True)
class Problem:
    """What is trained: one toy model for each seed, on its own schedule."""

    seeds: Integer[np.ndarray, " instance"]
    """uint64."""
    importance: Float[np.ndarray, "instance feature"]
    """float64, at least 0."""
    probability: Float[np.ndarray, "instance feature"]
    """float64, in (0, 1]."""
    n_hidden: int
    settings: TrainingSettings

    @property
    def n_instances(self) -> int:
        """Number of toy models trained together."""
        return self.importance.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features, n."""
        return self.importance.shape[1]


@dataclass
class Weights:
    """One float32 value for each weight of each instance."""

    W: Float[np.ndarray, "instance hidden feature"]
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
    """Adam's running mean of the gradient, not corrected for its start at zero (`exp_avg` in torch)."""
    square: Weights
    """Adam's running mean of the gradient's square, likewise (`exp_avg_sq` in torch)."""

    @classmethod
    def initial(cls, problem: Problem) -> "TrainingState":
        """The state before the first step: normal W, biases and running means 0."""
        W = toy_model.initial_weights(
            problem.seeds, problem.n_features, problem.n_hidden, problem.settings.init_scale
        )
        weights = Weights(W, np.zeros((problem.n_instances, problem.n_features), dtype=np.float32))
        return cls(0, weights, weights.zeros_like(), weights.zeros_like())


class Engine(Protocol):
    """One way of taking training steps. Engines differ in speed, never in what a step is.

    A step draws the batch of (seed, step) from the stream, takes the loss
    Σ_i I_i (x_i - x'_i)², mean over batch and features, and follows its gradient with Adam.
    """

    name: str

    def advance(self, state: TrainingState, n_steps: int, problem: Problem) -> Float[np.ndarray, " instance"]:
        """Take n_steps (at least 1) steps in place; returns each instance's mean loss over them (float64)."""
        ...
