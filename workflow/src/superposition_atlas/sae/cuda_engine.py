"""SAE training on a GPU: the architecture's own loss and autograd, as `reference`, in recorded steps.

A step is many small launches that never change, so it is recorded once as a CUDA graph and replayed
(`gpu.graph`): samples come from the stream on the device, and where a step stands is on the device as well.
SAEs go in groups of one fixed number, filled up with copies of the last, since what multiplies and sums may
choose its method by their number: an SAE's bits do not depend on how many are trained.
"""

import numpy as np
import torch

from superposition_atlas.backends.cuda_graph import Repeated, full_precision
from superposition_atlas.backends.gpu_failures import failures_named
from superposition_atlas.sae.architecture import Architecture, Objective, SAEState, TrainingData, warmup
from superposition_atlas.sae.ensemble import SAESettings
from superposition_atlas.sampling.device_samples import Samples, on_device
from superposition_atlas.sampling.stream import Purpose
from superposition_atlas.toy_model import centre
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON

_GROUP_ELEMENTS = 2**22
"""Activations or inputs of a group, about: enough to fill a GPU."""
_LARGEST_GROUP = 256
_STEPS_AHEAD = 4096
"""Steps whose coefficients lie on the device at a time."""


def group_size(data: TrainingData, settings: SAESettings) -> int:
    """SAEs of a group: a power of 2 that depends on sizes alone."""
    widest = settings.batch_size * max(data.W.shape[2], data.n_hidden, settings.n_latents)
    return int(2 ** int(np.log2(max(1.0, min(_GROUP_ELEMENTS / widest, _LARGEST_GROUP)))))


class CudaSAEs:
    """Memory for a group of SAEs, and their recorded step."""

    def __init__(
        self, architecture: Architecture, data: TrainingData, settings: SAESettings, device: str = "cuda"
    ) -> None:
        self._architecture, self._data, self._settings = architecture, data, settings
        self._device = torch.device(device)
        self._size = group_size(data, settings)
        with failures_named(f"before the first step of {len(data.seeds)} SAEs"):
            self._allocate()

    def _allocate(self) -> None:
        data, settings, size, device = self._data, self._settings, self._size, self._device
        n_features, n_hidden = data.W.shape[2], data.n_hidden
        shapes = self._architecture.shapes(n_hidden, settings.n_latents)
        n_parameters = sum(int(np.prod(shape)) for shape in shapes.values())

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        self._rows = tuple(zeros(size, n_parameters) for _ in range(3))
        named: list[dict[str, torch.Tensor]] = []
        for rows in self._rows:
            sizes = [int(np.prod(shape)) for shape in shapes.values()]
            parts = torch.split(rows, sizes, dim=1)
            named.append(
                {name: part.view(size, *shapes[name]) for name, part in zip(shapes, parts, strict=True)}
            )
        self._parameters, self._first, self._second = named
        for name in self._architecture.trained:
            self._parameters[name] = self._parameters[name].detach().requires_grad_()
        self._last_fired = zeros(size, settings.n_latents, dtype=torch.int64)
        self._samples = Samples.zeros(size, n_features, data.structure is not None, device)
        self._W = zeros(size, n_hidden, n_features)
        self._sparsity_coefficient = zeros(size)
        self._k = zeros(size, dtype=torch.int64) + 1
        self._x = zeros(size, settings.batch_size, n_features)
        self._clock = zeros(2, dtype=torch.int64)
        """Steps taken, and how many of them since the coefficients were written."""
        self._coefficients = zeros(3, _STEPS_AHEAD) + 1.0
        self._step = Repeated(self._launch, device)

    def advance(self, state: SAEState, n_steps: int) -> None:
        """n_steps steps in place."""
        n = len(state.parameters)
        for start in range(0, n, self._size):
            # Copies of the last SAE fill the group up.
            chosen = np.minimum(np.arange(start, start + self._size), n - 1)
            own = slice(start, min(start + self._size, n))
            seeds = self._data.seeds[own]
            steps = f"between steps {state.step} and {state.step + n_steps}"
            which = f"with SAEs {own.start} to {own.stop - 1} (seeds {seeds[0]} to {seeds[-1]})"
            with failures_named(f"{steps}, {which}"), full_precision():
                self._step.prepare()
                self._load(state, chosen)
                self._run(state.step, n_steps)
                self._store(state, own)
        state.step += n_steps

    def _load(self, state: SAEState, chosen: np.ndarray) -> None:
        data, settings = self._data, self._data.toy_settings
        centres = centre(data.probability[chosen], settings)
        self._samples.load(
            Samples.of(
                data.seeds[chosen],
                data.probability[chosen],
                centres,
                settings.magnitudes,
                None if data.structure is None else data.structure[chosen],
                self._device,
            )
        )
        for tensor, array in (
            *zip(self._rows, (state.parameters, state.first_moment, state.second_moment), strict=True),
            (self._last_fired, state.last_fired),
            (self._W, data.W),
            (self._sparsity_coefficient, data.sparsity_coefficient.astype(np.float32)),
            (self._k, data.k),
        ):
            tensor.copy_(on_device(array[chosen], self._device))

    def _run(self, first_step: int, n_steps: int) -> None:
        for first in range(first_step, first_step + n_steps, _STEPS_AHEAD):
            some = np.arange(first, min(first + _STEPS_AHEAD, first_step + n_steps))
            rates = self._settings.learning_rate / (1.0 - ADAM_BETA_1 ** (some + 1.0))
            corrections = 1.0 - ADAM_BETA_2 ** (some + 1.0)
            shares = [warmup(self._settings, int(step)) for step in some]
            values = np.stack([rates, corrections, np.array(shares)]).astype(np.float32)
            self._coefficients[:, : len(some)].copy_(torch.from_numpy(values))
            self._clock.copy_(torch.tensor([first, 0]))
            self._step(len(some))

    def _store(self, state: SAEState, own: slice) -> None:
        n = own.stop - own.start
        arrays = (state.parameters, state.first_moment, state.second_moment, state.last_fired)
        for array, tensor in zip(arrays, (*self._rows, self._last_fired), strict=True):
            array[own] = tensor[:n].cpu().numpy()

    def _launch(self) -> None:
        """One step of the group. Nothing here may wait for a number from the device."""
        settings, toy_settings = self._settings, self._data.toy_settings
        rate, correction, share = self._coefficients.index_select(1, self._clock[1:])
        step = self._clock[:1]
        self._samples.draw(
            self._x, self._clock, Purpose.SAE_INPUTS, toy_settings.magnitudes, toy_settings.centred_inputs
        )
        h = torch.bmm(self._x, self._W.mT)
        dead = self._last_fired < (step - settings.dead_window).clamp(min=0)
        objective = Objective(settings, self._sparsity_coefficient * share, self._k, dead)
        loss, activations = self._architecture.loss(self._parameters, h, objective)
        trained = {name: self._parameters[name] for name in sorted(self._architecture.trained)}
        gradients = torch.autograd.grad(
            loss.sum(), list(trained.values()), allow_unused=True, materialize_grads=True
        )
        with torch.no_grad():
            for (name, parameter), gradient in zip(trained.items(), gradients, strict=True):
                first, second = self._first[name], self._second[name]
                first.lerp_(gradient, 1 - ADAM_BETA_1)
                second.mul_(ADAM_BETA_2).addcmul_(gradient, gradient, value=1 - ADAM_BETA_2)
                parameter.sub_(rate * first / ((second / correction).sqrt() + ADAM_EPSILON))
            self._architecture.after_step(self._parameters, activations, settings)
            fires = (activations > 0).any(dim=1)
            self._last_fired.copy_(torch.where(fires, step, self._last_fired))
            self._clock.add_(1)
