"""What kernels know of the instances' features and streams, on the device."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, UInt32

from superposition_atlas import stream
from superposition_atlas.training.state import Problem, Weights

_LOW_WORD = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class DeviceInputs:
    """Each [instance, …], in the order in which kernels take them."""

    importance: Float32[torch.Tensor, "instance feature"]
    threshold: UInt32[torch.Tensor, "instance feature"]
    scale: Float32[torch.Tensor, "instance feature"]
    offset: Float32[torch.Tensor, "instance feature"]
    centre: Float32[torch.Tensor, "instance feature"]
    keys: UInt32[torch.Tensor, "instance 2"]

    @classmethod
    def of(cls, problem: Problem, device: torch.device) -> "DeviceInputs":
        """Of a problem's instances."""
        threshold = stream.thresholds(problem.probability)
        scale = stream.scales(threshold)
        keys = np.stack([problem.seeds & _LOW_WORD, problem.seeds >> np.uint64(32)], axis=-1)
        return cls(
            on_device(problem.importance.astype(np.float32), device),
            on_device(threshold, device),
            on_device(scale, device),
            on_device(stream.offsets(scale, problem.settings.magnitudes), device),
            on_device(problem.centre, device),
            on_device(keys.astype(np.uint32), device),
        )

    @classmethod
    def zeros(cls, n_instances: int, n_features: int, device: torch.device) -> "DeviceInputs":
        """Room for so many."""

        def room(length: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(n_instances, length, dtype=kind, device=device)

        return cls(
            importance=room(n_features),
            threshold=room(n_features, torch.uint32),
            scale=room(n_features),
            offset=room(n_features),
            centre=room(n_features),
            keys=room(2, torch.uint32),
        )

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All of them."""
        return (self.importance, self.threshold, self.scale, self.offset, self.centre, self.keys)


def on_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """A copy in one piece, never a view of the caller's memory."""
    return torch.from_numpy(np.array(array, order="C")).to(device)


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
