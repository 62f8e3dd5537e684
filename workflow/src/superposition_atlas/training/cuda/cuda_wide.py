"""Wide toy models on a GPU: batched matrix products, with kernels for what lies between them.

A step of all instances is a series of launches that never changes: on a GPU it is recorded once and replayed
(`cuda_graph`). Where a step stands is itself on the device, in `clock`. The library that multiplies may
choose its method by the number of matrices: so they go to it in groups of one fixed number, filled up with
zeros, and an instance's bits do not depend on how many are trained.
"""

from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float

from superposition_atlas.backends.cuda_graph import Repeated, full_precision
from superposition_atlas.sampling.stream import Purpose
from superposition_atlas.training.cuda.cuda_inputs import DeviceInputs, from_rows, to_rows
from superposition_atlas.training.cuda.wide_kernels import respond, update_biases, update_weights
from superposition_atlas.training.optimizer import StepCoefficients
from superposition_atlas.training.problem import HELD_OUT_SAMPLES, Problem, TrainingState, Weights

_GROUP_PRODUCTS = 5e7
"""Multiply-adds of one batched product, about: enough to fill a GPU."""
_LARGEST_GROUP = 256
_STEPS_AHEAD = 4096
"""Steps whose coefficients lie on the device at a time."""

_ROWS, _FEATURES = 64, 32
"""Samples, summed into one partial sum, and features of one program that computes errors."""
_WEIGHTS = 256
"""Weights that one program of the optimizer updates."""


def group_size(problem: Problem) -> int:
    """Instances of one batched product: a power of 2 that depends on sizes alone."""
    products = problem.settings.batch_size * problem.n_features * problem.n_hidden
    wanted = max(1.0, min(_GROUP_PRODUCTS / products, _LARGEST_GROUP))
    return int(2 ** int(np.log2(wanted)))


def bytes_an_instance(problem: Problem) -> int:
    """Bytes of device memory for one instance, for the larger of a training and a held-out batch."""
    batch = max(problem.settings.batch_size, HELD_OUT_SAMPLES if problem.settings.record_steps else 0)
    n, m = problem.n_features, problem.n_hidden
    partial = 2 * -(-batch // _ROWS) * n
    return 4 * (batch * (2 * n + 2 * m) + partial + 4 * n * (m + 1) + 5 * n + 4)


class _Batches:
    """Memory for a batch of each instance, and the way from words to errors."""

    def __init__(
        self, problem: Problem, n_instances: int, batch_size: int, purpose: Purpose, device: torch.device
    ) -> None:
        self.settings = problem.settings
        self.n_instances, self.batch_size, self.purpose = n_instances, batch_size, purpose
        self.n_features, self.n_hidden = problem.n_features, problem.n_hidden
        size = group_size(problem)
        padded = -(-n_instances // size) * size
        self.groups = [slice(*edges) for edges in pairwise(range(0, padded + 1, size))]

        def zeros(*shape: int) -> torch.Tensor:
            return torch.zeros(padded, *shape, device=device)

        self.n_blocks = -(-batch_size // _ROWS)
        is_structured = problem.structure is not None
        self.inputs = DeviceInputs.zeros(n_instances, self.n_features, is_structured, device)
        self.rows = zeros((self.n_hidden + 1) * self.n_features)
        self.W = zeros(self.n_hidden, self.n_features)
        """Weights of the rows, contiguous as products need them."""
        self.x = zeros(batch_size, self.n_features)
        """The input of W, centred or not."""
        self.h = zeros(batch_size, self.n_hidden)
        self.g = zeros(batch_size, self.n_features)
        """z at first."""
        self.part_b = zeros(self.n_blocks, self.n_features)
        self.part_loss = zeros(self.n_blocks, self.n_features)
        self.clock = torch.zeros(2, dtype=torch.int64, device=device)
        """Steps taken so far, and how many of them since the coefficients were written."""

    def forward(self) -> None:
        """Draw x, and leave g in the place of z, with its sums over blocks of samples, and the losses'."""
        settings, inputs, n = self.settings, self.inputs, self.n_features
        inputs.samples.draw(self.x, self.clock, self.purpose, settings.magnitudes, settings.centred_inputs)
        for group in self.groups:
            torch.bmm(self.x[group], self.W[group].mT, out=self.h[group])
            torch.bmm(self.h[group], self.W[group], out=self.g[group])
        respond[(self.n_instances, self.n_blocks, -(-n // _FEATURES))](
            self.g, self.x, self.rows, inputs.importance, inputs.samples.centre, self.part_b, self.part_loss,
            self.batch_size, n, self.n_hidden, self.n_blocks, RELU=settings.output == "relu",
            CENTRED=settings.centred_inputs, ROWS=_ROWS, FEATURES=_FEATURES,
        )  # fmt: skip

    def load(self, weights: Weights, inputs: DeviceInputs) -> None:
        """Copy them here; where there are fewer instances than room, the last places keep what they had."""
        n = len(weights.b)
        self.rows[:n].copy_(torch.from_numpy(to_rows(weights)))
        self.W[:n].copy_(torch.from_numpy(np.ascontiguousarray(weights.W)))
        self.inputs.load(inputs)


class WideModels:
    """Memory on the device for so many instances at a time, and their recorded step."""

    def __init__(self, problem: Problem, n_instances: int, device: torch.device) -> None:
        self._settings = problem.settings
        batch_size = problem.settings.batch_size
        self._batches = _Batches(problem, n_instances, batch_size, Purpose.INPUTS, device)
        self._mean, self._square = (torch.zeros_like(self._batches.rows) for _ in range(2))
        self._gradient, self._back = torch.zeros_like(self._batches.W), torch.zeros_like(self._batches.h)
        self._loss_sum = torch.zeros(n_instances, dtype=torch.float64, device=device)
        self._coefficients = torch.zeros(3, _STEPS_AHEAD, device=device)
        self._step = Repeated(self._launch, device)

    def advance(self, state: TrainingState, n_steps: int, inputs: DeviceInputs) -> None:
        """See `state.Engine`; of all the instances that there is room for, or of fewer."""
        batches = self._batches
        n = len(state.loss_sum)
        parts = (state.weights, state.mean, state.square)
        rows = (batches.rows, self._mean, self._square)
        with full_precision():
            self._step.prepare()
            batches.load(state.weights, inputs)
            for row, part in zip(rows[1:], parts[1:], strict=True):
                row[:n].copy_(torch.from_numpy(to_rows(part)))
            self._loss_sum[:n].copy_(torch.from_numpy(state.loss_sum))
            for first in range(0, n_steps, _STEPS_AHEAD):
                some = min(_STEPS_AHEAD, n_steps - first)
                steps = StepCoefficients.of(self._settings, state.step + first, some)
                values = np.stack([steps.rate, steps.root_correction, steps.decay])
                self._coefficients[:, :some].copy_(torch.from_numpy(values))
                batches.clock.copy_(torch.tensor([state.step + first, 0]))
                self._step(some)
        for row, part in zip(rows, parts, strict=True):
            from_rows(row[:n], part)
        state.loss_sum[...] = self._loss_sum[:n].cpu().numpy()
        state.step += n_steps

    def _launch(self) -> None:
        """One step of all instances."""
        batches, settings = self._batches, self._settings
        n, m = batches.n_features, batches.n_hidden
        batches.forward()
        for group in batches.groups:
            x, h, g, W = (tensor[group] for tensor in (batches.x, batches.h, batches.g, batches.W))
            torch.bmm(g, W.mT, out=self._back[group])
            torch.bmm(h.mT, g, out=self._gradient[group])
            self._gradient[group].baddbmm_(self._back[group].mT, x)
        n_outputs = batches.batch_size * n
        trains_bias, decay = settings.trains_bias, float(settings.weight_decay)
        update_weights[(batches.n_instances, -(-n * m // _WEIGHTS))](
            batches.rows, self._mean, self._square, self._gradient, batches.W,
            self._coefficients, batches.clock, 2.0 / n_outputs, decay, settings.momentum,
            n * m, n * (m + 1), OPTIMIZER=settings.optimizer, STEPS=_STEPS_AHEAD, BLOCK=_WEIGHTS,
        )  # fmt: skip
        update_biases[(batches.n_instances,)](
            batches.rows, self._mean, self._square, self._loss_sum, batches.part_b, batches.part_loss,
            self._coefficients, batches.clock, 2.0 / n_outputs, float(n_outputs),
            decay, settings.momentum, n, n * m, batches.n_blocks,
            OPTIMIZER=settings.optimizer, TRAINS_BIAS=trains_bias, STEPS=_STEPS_AHEAD, BLOCK=_WEIGHTS,
        )  # fmt: skip
        batches.clock.add_(1)


def feature_loss(
    weights: Weights, problem: Problem, inputs: DeviceInputs
) -> Float[np.ndarray, "instance feature"]:
    """See `state.Engine`."""
    n_instances = problem.n_instances
    batches = _Batches(problem, n_instances, HELD_OUT_SAMPLES, Purpose.EVALUATION, inputs.device)
    batches.load(weights, inputs)
    with full_precision():
        batches.forward()
    sums = batches.part_loss[:n_instances].sum(dim=1, dtype=torch.float64)
    return np.asarray(sums.cpu().numpy() / HELD_OUT_SAMPLES)
