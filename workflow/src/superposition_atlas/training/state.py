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
class TrainingState:
    """Everything that training carries from one step to the next; an engine advances it in place.

    Arrays are float32. The moments are Adam's running means of the gradient and of its square, without the
    correction for their start at zero, as `torch.optim.Adam` keeps them.
    """

    step: int
    """Steps taken so far: the next batch is the stream's batch of this step."""
    W: Float[np.ndarray, "instance hidden feature"]
    b: Float[np.ndarray, "instance feature"]
    first_moment_W: Float[np.ndarray, "instance hidden feature"]
    second_moment_W: Float[np.ndarray, "instance hidden feature"]
    first_moment_b: Float[np.ndarray, "instance feature"]
    second_moment_b: Float[np.ndarray, "instance feature"]

    @classmethod
    def initial(cls, problem: Problem) -> "TrainingState":
        """The state before the first step: normal W, biases and moments 0."""
        W = toy_model.initial_weights(
            problem.seeds, problem.n_features, problem.n_hidden, problem.settings.init_scale
        )
        b = np.zeros((problem.n_instances, problem.n_features), dtype=np.float32)
        return cls(0, W, b, *(np.zeros_like(array) for array in (W, W, b, b)))


class Engine(Protocol):
    """One way of taking training steps. Engines differ in speed, never in what a step is.

    A step draws the batch of (seed, step) from the stream, takes the loss
    Σ_i I_i (x_i - x'_i)², mean over batch and features, and follows its gradient with Adam.
    """

    name: str

    def advance(
        self, state: TrainingState, n_steps: int, problem: Problem
    ) -> Float[np.ndarray, " instance"]:
        """Take n_steps (at least 1) steps in place; returns each instance's mean loss over them (float64)."""
        ...
