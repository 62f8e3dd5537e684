"""The toy model of superposition: h = W x, x' = ReLU(Wᵀ h + b), and an ensemble of trained ones.

Elhage et al. 2022, *Toy Models of Superposition*; shapes and settings as in ARENA 3.0, chapter 1.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import Literal

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas import stream

InitScale = float | Literal["xavier"]


@dataclass(frozen=True)
class TrainingSettings:
    """How toy models are trained. Adam (β₁ = 0.9, β₂ = 0.999, ε = 1e-8) at a constant learning rate."""

    steps: int = 10_000
    batch_size: int = 1024
    """Fresh samples a step, for each instance by itself."""
    learning_rate: float = 1e-3
    init_scale: InitScale = "xavier"
    """Standard deviation of the initial W, or "xavier": sqrt(2 / (n_features + n_hidden)). It belongs to one
    instance and never depends on how many are trained together."""

    def as_dict(self) -> dict[str, int | float | str]:
        """Plain values, for provenance."""
        return asdict(self)


@dataclass(frozen=True)
class ToyModels:
    """An ensemble of toy models. Arrays share their first axis, the instance; float32 unless said."""

    W: Float[np.ndarray, "instance hidden feature"]
    b: Float[np.ndarray, "instance feature"]
    loss: Float[np.ndarray, " instance"]
    """Mean training loss of the last 100 steps (float64): I_i (x_i - x'_i)², mean over batch and features."""
    seeds: Integer[np.ndarray, " instance"]
    importance: Float[np.ndarray, "instance feature"]
    probability: Float[np.ndarray, "instance feature"]
    settings: TrainingSettings
    engine: str

    def __len__(self) -> int:
        return len(self.W)

    def select(self, instances: Integer[np.ndarray, " chosen"] | slice) -> "ToyModels":
        """Some of the toy models, by index."""
        arrays = {name: getattr(self, name)[instances] for name in TENSORS}
        return replace(self, **arrays)

    @property
    def n_hidden(self) -> int:
        """Number of hidden dimensions, m."""
        return self.W.shape[1]

    @property
    def n_features(self) -> int:
        """Number of features, n."""
        return self.W.shape[2]


TENSORS = ("W", "b", "loss", "seeds", "importance", "probability")
"""The arrays of `ToyModels`, all with the instance as first axis."""


def xavier_scale(n_features: int, n_hidden: int) -> float:
    """Xavier's normal scale of one instance's W, sqrt(2 / (n + m)) (Glorot and Bengio 2010)."""
    return sqrt(2.0 / (n_features + n_hidden))


def initial_weights(
    seeds: Sequence[int] | Integer[np.ndarray, " instance"],
    n_features: int,
    n_hidden: int,
    init_scale: InitScale,
) -> Float[np.ndarray, "instance hidden feature"]:
    """Normal W of each seed by itself; biases start at 0."""
    scale = xavier_scale(n_features, n_hidden) if init_scale == "xavier" else float(init_scale)
    normal = stream.standard_normal(seeds, 0, n_hidden, n_features, stream.Purpose.INITIAL_WEIGHTS)
    return (scale * normal).astype(np.float32)


def encode(
    x: Float[np.ndarray, "instance batch feature"], W: Float[np.ndarray, "instance hidden feature"]
) -> Float[np.ndarray, "instance batch hidden"]:
    """h = W x."""
    return x @ W.swapaxes(-1, -2)


def reconstruct(
    x: Float[np.ndarray, "instance batch feature"],
    W: Float[np.ndarray, "instance hidden feature"],
    b: Float[np.ndarray, "instance feature"],
) -> Float[np.ndarray, "instance batch feature"]:
    """x' = ReLU(Wᵀ W x + b)."""
    return np.maximum(encode(x, W) @ W + b[:, None, :], 0.0)
