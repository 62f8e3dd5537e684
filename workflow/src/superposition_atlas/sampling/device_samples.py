"""The stream's samples on a device: what kernels know of each instance's features and seed."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Integer, UInt32

from superposition_atlas.sampling import stream
from superposition_atlas.sampling.magnitudes import MagnitudesName
from superposition_atlas.sampling.structure import Intervals, independent, scales
from superposition_atlas.sampling.triton_stream import draw

_LOW_WORD = np.uint64(0xFFFFFFFF)
_QUADS, _FEATURES = 16, 32
"""Groups of four samples, and features, that one program draws."""


@dataclass(frozen=True)
class Samples:
    """Each [instance, …], in the order in which kernels take them."""

    threshold: UInt32[torch.Tensor, "instance feature"]
    scale: Float32[torch.Tensor, "instance feature"]
    offset: Float32[torch.Tensor, "instance feature"]
    centre: Float32[torch.Tensor, "instance feature"]
    """Mean subtracted from x if inputs are centred."""
    keys: UInt32[torch.Tensor, "instance 2"]
    """Low and high word of the seed."""
    structure: UInt32[torch.Tensor, "instance feature 2"]
    """See `structure`; independent features have one too, which kernels do not read."""
    is_structured: bool = False

    @classmethod
    def of(
        cls,
        seeds: Integer[np.ndarray, " instance"],
        probability: Float[np.ndarray, "instance feature"],
        centre: Float[np.ndarray, "instance feature"],
        magnitudes: MagnitudesName,
        structure: Intervals | None,
        device: torch.device,
    ) -> "Samples":
        """The samples of some instances."""
        threshold = stream.thresholds(probability)
        scale = scales(threshold, structure)
        seed = np.asarray(seeds, dtype=np.uint64)
        keys = np.stack([seed & _LOW_WORD, seed >> np.uint64(32)], axis=-1).astype(np.uint32)
        shared = independent(threshold.shape) if structure is None else structure
        return cls(
            on_device(threshold, device),
            on_device(scale, device),
            on_device(stream.offsets(scale, magnitudes), device),
            on_device(centre, device),
            on_device(keys, device),
            on_device(shared, device),
            is_structured=structure is not None,
        )

    @classmethod
    def zeros(cls, n_instances: int, n_features: int, is_structured: bool, device: torch.device) -> "Samples":
        """Room for so many instances."""

        def room(length: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(n_instances, length, dtype=kind, device=device)

        n = n_features
        structure = torch.zeros(n_instances, n, 2, dtype=torch.uint32, device=device)
        keys = room(2, torch.uint32)
        return cls(room(n, torch.uint32), room(n), room(n), room(n), keys, structure, is_structured)

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All of them."""
        return (self.threshold, self.scale, self.offset, self.centre, self.keys, self.structure)

    def load(self, other: "Samples") -> None:
        """Take over those of as many instances or fewer; the rest stay as they are."""
        for own, new in zip(self.tensors(), other.tensors(), strict=True):
            own[: len(new)].copy_(new)

    def draw(
        self,
        x: Float32[torch.Tensor, "instance batch feature"],
        clock: Int64[torch.Tensor, " counter"],
        purpose: stream.Purpose,
        magnitudes: MagnitudesName,
        centred: bool,
    ) -> None:
        """Write the batch of the step that the clock shows, less the centre where inputs are centred."""
        n_instances, n_features = self.threshold.shape
        batch_size = x.shape[1]
        n_quads = -(-batch_size // 4)
        draw[(n_instances, -(-n_quads // _QUADS), -(-n_features // _FEATURES))](
            x, *self.tensors(), clock, batch_size, n_features, PURPOSE=int(purpose), CENTRED=centred,
            MAGNITUDES=magnitudes, STRUCTURED=self.is_structured, QUADS=_QUADS, FEATURES=_FEATURES,
        )  # fmt: skip


def on_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """A copy in one piece, never a view of the caller's memory."""
    return torch.from_numpy(np.array(array, order="C")).to(device)
