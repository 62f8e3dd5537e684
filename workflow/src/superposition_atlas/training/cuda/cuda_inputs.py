"""Toy models on a device: what kernels know of them, and their weights as rows."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from superposition_atlas.sampling.device_samples import Samples, on_device
from superposition_atlas.training.problem import Problem, Weights


@dataclass(frozen=True)
class DeviceInputs:
    """Inputs of some instances."""

    importance: Float32[torch.Tensor, "instance feature"]
    samples: Samples

    @classmethod
    def of(cls, problem: Problem, device: torch.device) -> "DeviceInputs":
        """The inputs of a problem's instances."""
        importance = on_device(problem.importance.astype(np.float32), device)
        magnitudes = problem.settings.magnitudes
        samples = Samples.of(
            problem.seeds, problem.probability, problem.centre, magnitudes, problem.structure, device
        )
        return cls(importance, samples)

    @classmethod
    def zeros(
        cls, n_instances: int, n_features: int, is_structured: bool, device: torch.device
    ) -> "DeviceInputs":
        """Room for so many instances."""
        importance = torch.zeros(n_instances, n_features, device=device)
        return cls(importance, Samples.zeros(n_instances, n_features, is_structured, device))

    def load(self, other: "DeviceInputs") -> None:
        """Take over those of as many instances or fewer; the rest stay as they are."""
        self.importance[: len(other.importance)].copy_(other.importance)
        self.samples.load(other.samples)

    @property
    def device(self) -> torch.device:
        """The device that holds them."""
        return self.importance.device


def to_rows(values: Weights) -> np.ndarray:
    """[instance, weight]: W[k, i] at k·n_features + i, then b."""
    n_instances = len(values.b)
    return np.concatenate([values.W.reshape(n_instances, -1), values.b], axis=1)


def from_rows(rows: torch.Tensor, values: Weights) -> None:
    """The inverse of `to_rows`, in place."""
    host = rows.cpu().numpy()
    n_W = values.W[0].size
    values.W[...] = host[:, :n_W].reshape(values.W.shape)
    values.b[...] = host[:, n_W:]
