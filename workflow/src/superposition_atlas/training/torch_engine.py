"""The reference engine: autograd and `torch.optim.Adam`, on the CPU or a CUDA device, as written by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64

from superposition_atlas import stream
from superposition_atlas.training.state import (
    ADAM_BETA_1,
    ADAM_BETA_2,
    ADAM_EPSILON,
    Problem,
    TrainingState,
)

_LOW_16 = 0xFFFF
_LOW_32 = 0xFFFFFFFF


def _multiply(a: int, b: Int64[torch.Tensor, "*shape"]) -> tuple[torch.Tensor, torch.Tensor]:
    """High and low word of a 32-bit by 32-bit product: torch has no unsigned 64-bit integers to hold it."""
    low_part = a * (b & _LOW_16)
    high_part = a * (b >> 16) + (low_part >> 16)
    return high_part >> 16, ((high_part << 16) | (low_part & _LOW_16)) & _LOW_32


def words(
    seeds: Int64[torch.Tensor, "instance 2"],
    step: int,
    n_positions: int,
    n_features: int,
    purpose: stream.Purpose,
) -> Int64[torch.Tensor, "instance position feature"]:
    """`stream.words` on the device of `seeds`, which holds each seed's low and high 32-bit word."""
    n_quads = -(-n_positions // 4)
    shape = (len(seeds), n_quads, n_features)
    c0 = torch.arange(n_quads, device=seeds.device)[None, :, None].expand(shape)
    c1 = torch.arange(n_features, device=seeds.device)[None, None, :].expand(shape)
    c2 = torch.full(shape, step, device=seeds.device)
    c3 = torch.full(shape, int(purpose), device=seeds.device)
    k0, k1 = seeds[:, 0, None, None], seeds[:, 1, None, None]
    for _ in range(stream.ROUNDS):
        high0, low0 = _multiply(stream.MULTIPLIERS[0], c0)
        high1, low1 = _multiply(stream.MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 = (k0 + stream.WEYL_INCREMENTS[0]) & _LOW_32
        k1 = (k1 + stream.WEYL_INCREMENTS[1]) & _LOW_32
    return torch.stack((c0, c1, c2, c3), dim=2).flatten(1, 2)[:, :n_positions]


class DeviceStream:
    """`stream.sample` computed on a torch device, so that no batch crosses the bus."""

    def __init__(self, problem: Problem, device: torch.device) -> None:
        seeds = np.stack([problem.seeds & np.uint64(_LOW_32), problem.seeds >> np.uint64(32)], axis=-1)
        threshold = stream.thresholds(problem.probability)[:, None, :]
        self._seeds = torch.tensor(seeds.astype(np.int64), device=device)
        self._threshold = torch.tensor(threshold.astype(np.int64), device=device)
        self._scale = torch.tensor(stream.scales(threshold), device=device)

    def sample(self, step: int, batch_size: int) -> Float32[torch.Tensor, "instance batch feature"]:
        """The batch of one step."""
        n_features = self._threshold.shape[-1]
        word = words(self._seeds, step, batch_size, n_features, stream.Purpose.INPUTS)
        return torch.where(word <= self._threshold, word.to(torch.float32) * self._scale, 0.0)


class HostStream:
    """`stream.sample` as torch tensors on the CPU."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def sample(self, step: int, batch_size: int) -> Float32[torch.Tensor, "instance batch feature"]:
        """The batch of one step."""
        return torch.from_numpy(
            stream.sample(self._problem.seeds, step, batch_size, self._problem.probability)
        )


class TorchEngine:
    """Autograd and `torch.optim.Adam`."""

    def __init__(self, device: str, threads: int) -> None:
        self.device = torch.device(device)
        self.threads = threads
        self.name = f"torch-{self.device.type}"

    def advance(self, state: TrainingState, n_steps: int, problem: Problem) -> Float[np.ndarray, " instance"]:
        """See `state.Engine`."""
        settings = problem.settings
        inputs = HostStream(problem) if self.device.type == "cpu" else DeviceStream(problem, self.device)
        importance = self._tensor(problem.importance)[:, None, :]
        W = self._tensor(state.weights.W).requires_grad_()
        b = self._tensor(state.weights.b).requires_grad_()
        optimiser = torch.optim.Adam(
            [W, b], lr=settings.learning_rate, betas=(ADAM_BETA_1, ADAM_BETA_2), eps=ADAM_EPSILON
        )
        optimiser.state[W] = self._running_means(state.step, state.mean.W, state.square.W)
        optimiser.state[b] = self._running_means(state.step, state.mean.b, state.square.b)
        total = torch.zeros(problem.n_instances, dtype=torch.float64, device=self.device)

        with _torch_threads(self.threads):
            for step in range(state.step, state.step + n_steps):
                x = inputs.sample(step, settings.batch_size)
                hidden = torch.einsum("ibf,ihf->ibh", x, W)
                reconstruction = torch.relu(torch.einsum("ibh,ihf->ibf", hidden, W) + b[:, None, :])
                loss = (importance * (x - reconstruction) ** 2).mean(dim=(1, 2))
                optimiser.zero_grad()
                # Instances share no weight, so each gets its own gradient.
                loss.sum().backward()  # type: ignore[no-untyped-call]  # torch's own
                optimiser.step()
                total += loss.detach()

        state.step += n_steps
        for array, tensor in (
            (state.weights.W, W),
            (state.weights.b, b),
            (state.mean.W, optimiser.state[W]["exp_avg"]),
            (state.mean.b, optimiser.state[b]["exp_avg"]),
            (state.square.W, optimiser.state[W]["exp_avg_sq"]),
            (state.square.b, optimiser.state[b]["exp_avg_sq"]),
        ):
            array[...] = tensor.detach().cpu().numpy()
        return (total / n_steps).cpu().numpy()

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self.device)  # a copy, never a view

    def _running_means(self, step: int, mean: np.ndarray, square: np.ndarray) -> dict[str, Any]:
        """One parameter's entry in the optimiser, in the names of `torch.optim.Adam`."""
        return {
            "step": torch.tensor(float(step)),
            "exp_avg": self._tensor(mean),
            "exp_avg_sq": self._tensor(square),
        }


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    """Torch's thread count is global: set it for the length of a call."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
