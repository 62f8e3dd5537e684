"""The reference engine: autograd and `torch.optim`, on the CPU or a CUDA device, as written by hand.

On the CPU each instance is trained by itself, and its bits depend on nothing but its problem. The rounding of
a product of MKL depends on the place of the left operand in memory (modulo 64 bytes), on the number of
threads and, in a batch, on the number of instances; that of torch's sums on shape and threads; and a fused
multiply-add may differ between the body and the end of an array. None of them can vary here: whatever else is
trained, an instance goes through the same operations on tensors of the same shapes and strides, each in
memory of its own that torch has allocated (aligned to 64 bytes), on one thread.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64

from superposition_atlas.backends.threads import one_torch_thread, run_in_groups
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.magnitudes import MAGNITUDES
from superposition_atlas.sampling.sample import sample
from superposition_atlas.sampling.structure import scales
from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON
from superposition_atlas.training.optimizer import learning_rates
from superposition_atlas.training.problem import HELD_OUT_SAMPLES, Problem, TrainingState, Weights

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
    numbers: Int64[torch.Tensor, "#instance feature"],
    purpose: stream.Purpose,
) -> Int64[torch.Tensor, "instance position feature"]:
    """`stream.words` of these numbers on the device of `seeds`: each seed's low and high 32-bit word."""
    n_quads = -(-n_positions // 4)
    shape = (len(seeds), n_quads, numbers.shape[1])
    c0 = torch.arange(n_quads, device=seeds.device)[None, :, None].expand(shape)
    c1 = numbers[:, None, :].expand(shape)
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
        threshold = stream.thresholds(problem.probability)
        scale = scales(threshold, problem.structure)[:, None, :]
        self._magnitudes = problem.settings.magnitudes
        self._seeds = torch.tensor(seeds.astype(np.int64), device=device)
        self._threshold = torch.tensor(threshold.astype(np.int64), device=device)[:, None, :]
        self._numbers = torch.arange(problem.n_features, device=device)[None]
        self._structure = None
        if problem.structure is not None:
            self._structure = torch.tensor(problem.structure.astype(np.int64), device=device)
        self._scale = torch.tensor(scale, device=device)
        self._offset = torch.tensor(stream.offsets(scale, self._magnitudes), device=device)

    def sample(
        self, step: int, batch_size: int, purpose: stream.Purpose
    ) -> Float32[torch.Tensor, "instance batch feature"]:
        """The batch of one step."""
        word = words(self._seeds, step, batch_size, self._numbers, purpose)
        u = word.to(torch.float32) * self._scale + self._offset
        if self._structure is not None:
            numbers, starts = self._structure.unbind(dim=-1)
            word = (words(self._seeds, step, batch_size, numbers, purpose) - starts[:, None, :]) & _LOW_32
        return torch.where(word <= self._threshold, MAGNITUDES[self._magnitudes].quantile(u, torch), 0.0)


class HostStream:
    """`stream.sample` as torch tensors on the CPU."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem

    def sample(
        self, step: int, batch_size: int, purpose: stream.Purpose
    ) -> Float32[torch.Tensor, "instance batch feature"]:
        """The batch of one step."""
        of = self._problem
        # A copy: numpy's memory is aligned to 16 bytes.
        return torch.tensor(
            sample(of.seeds, step, batch_size, of.probability, purpose, of.settings.magnitudes, of.structure)
        )


class TorchEngine:
    """Autograd and `torch.optim`."""

    def __init__(self, device: str, threads: int) -> None:
        self.device = torch.device(device)
        self.threads = threads
        self.name = f"torch-{self.device.type}"

    def advance(self, state: TrainingState, n_steps: int, problem: Problem) -> None:
        """See `problem.Engine`."""
        if self.device.type != "cpu":
            self._advance(state, n_steps, problem)
            return
        ones = [slice(instance, instance + 1) for instance in range(problem.n_instances)]
        parts = [state.copy(one) for one in ones]

        def advance_group(first: int, end: int) -> None:
            for instance in range(first, end):
                self._advance(parts[instance], n_steps, problem.select(ones[instance]))

        with one_torch_thread():
            run_in_groups(advance_group, problem.n_instances, self.threads)
        for one, part in zip(ones, parts, strict=True):
            state.put(part, one)
        state.step += n_steps

    def _advance(self, state: TrainingState, n_steps: int, problem: Problem) -> None:
        """Steps of all instances at once."""
        settings = problem.settings
        inputs = self._stream(problem)
        W = self._tensor(state.weights.W).requires_grad_()
        b = self._tensor(state.weights.b).requires_grad_(settings.trains_bias)
        trained = [(W, state.mean.W, state.square.W)]
        if b.requires_grad:
            trained.append((b, state.mean.b, state.square.b))
        optimizer = self._optimizer(problem, [parameter for parameter, _, _ in trained])
        for parameter, mean, square in trained:
            optimizer.state[parameter] = self._buffers(settings.optimizer, state.step, mean, square)
        loss_sum = torch.tensor(state.loss_sum, device=self.device)
        rates = learning_rates(settings, state.step, n_steps)
        constants = self._constants(problem)
        threshold = stream.thresholds(problem.probability)
        densest = torch.tensor(threshold == threshold.max(axis=1, keepdims=True), device=self.device)

        for turn, rate in enumerate(rates):
            x = inputs.sample(state.step + turn, settings.batch_size, stream.Purpose.INPUTS)
            # Instances share no weight, so each gets its own gradient.
            loss = _feature_loss(x, W, b, *constants, settings).mean(dim=(1, 2))
            optimizer.param_groups[0]["lr"] = float(rate)
            optimizer.zero_grad()
            loss.sum().backward()  # type: ignore[no-untyped-call]  # torch's own
            if settings.bias == "densest_zero" and b.grad is not None:
                b.grad[densest] = 0.0
            optimizer.step()
            loss_sum += loss.detach()

        if n_steps:
            mean_name, square_name = _BUFFERS[settings.optimizer]
            for parameter, mean, square in trained:
                mean[...] = optimizer.state[parameter][mean_name].cpu().numpy()
                if square_name is not None:
                    square[...] = optimizer.state[parameter][square_name].cpu().numpy()
        state.weights.W[...] = W.detach().cpu().numpy()
        state.weights.b[...] = b.detach().cpu().numpy()
        state.loss_sum[...] = loss_sum.cpu().numpy()
        state.step += n_steps

    @torch.no_grad()
    def feature_loss(self, weights: Weights, problem: Problem) -> Float[np.ndarray, "instance feature"]:
        """See `problem.Engine`."""
        losses = []
        with one_torch_thread():
            for instance in range(problem.n_instances):  # one by one: the held-out batch is a large one
                one = slice(instance, instance + 1)
                own = problem.select(one)
                x = self._stream(own).sample(0, HELD_OUT_SAMPLES, stream.Purpose.EVALUATION)
                W, b = self._tensor(weights.W[one]), self._tensor(weights.b[one])
                loss = _feature_loss(x, W, b, *self._constants(own), own.settings)
                losses.append(loss.mean(dim=1, dtype=torch.float64))
        return np.asarray(torch.cat(losses).cpu().numpy())

    def _constants(self, problem: Problem) -> tuple[torch.Tensor, torch.Tensor]:
        return self._tensor(problem.importance)[:, None, :], self._tensor(problem.centre)[:, None, :]

    def _stream(self, problem: Problem) -> HostStream | DeviceStream:
        return HostStream(problem) if self.device.type == "cpu" else DeviceStream(problem, self.device)

    def _optimizer(self, problem: Problem, parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        settings = problem.settings
        adam: dict[str, Any] = {"betas": (ADAM_BETA_1, ADAM_BETA_2), "eps": ADAM_EPSILON}
        if settings.optimizer == "adam":
            return torch.optim.Adam(parameters, **adam)
        if settings.optimizer == "adamw":
            return torch.optim.AdamW(parameters, weight_decay=float(settings.weight_decay), **adam)
        decay = float(settings.weight_decay)
        return torch.optim.SGD(parameters, momentum=settings.momentum, weight_decay=decay)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self.device)  # a copy, never a view

    def _buffers(self, optimizer: str, step: int, mean: np.ndarray, square: np.ndarray) -> dict[str, Any]:
        """One parameter's entry in the optimizer, in the names of torch."""
        mean_name, square_name = _BUFFERS[optimizer]
        buffers: dict[str, Any] = {mean_name: self._tensor(mean)}
        if square_name is not None:
            buffers |= {square_name: self._tensor(square), "step": torch.tensor(float(step))}
        return buffers


def _feature_loss(
    x: Float32[torch.Tensor, "instance batch feature"],
    W: Float32[torch.Tensor, "instance row feature"],
    b: Float32[torch.Tensor, "instance feature"],
    importance: Float32[torch.Tensor, "instance 1 feature"],
    centre: Float32[torch.Tensor, "instance 1 feature"],
    settings: TrainingSettings,
) -> Float32[torch.Tensor, "instance batch feature"]:
    """I_i (y_i - x'_i)², y_i being x_i or |x_i|."""
    W_out = W
    if settings.output_weights == "untied":
        W, W_out = W.chunk(2, dim=1)
    hidden = (x - centre) @ W.mT
    if settings.hidden == "relu":
        hidden = torch.relu(hidden)
    reconstruction = hidden @ W_out + b[:, None, :]
    if settings.output == "relu":
        reconstruction = torch.relu(reconstruction)
    target = x.abs() if settings.target == "absolute" else x
    return importance * (target - reconstruction) ** 2


_BUFFERS: dict[str, tuple[str, str | None]] = {
    "adam": ("exp_avg", "exp_avg_sq"),
    "adamw": ("exp_avg", "exp_avg_sq"),
    "sgd": ("momentum_buffer", None),
}
