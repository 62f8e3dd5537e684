"""The reference engine: autograd on the architecture's own loss, and Adam as PyTorch has it.

Each SAE is trained by itself, in memory of its own, on one thread: its bits depend on nothing but its toy
model, its seed and the settings. `training.torch_engine` says what they would depend on otherwise.
"""

import numpy as np
import torch

from superposition_atlas.backends.threads import one_torch_thread, run_in_groups
from superposition_atlas.sae.architecture import (
    Architecture,
    Objective,
    SAEState,
    TrainingData,
    split,
    warmup,
)
from superposition_atlas.sae.ensemble import SAESettings
from superposition_atlas.sae.resampling import dead_latents
from superposition_atlas.sampling import stream
from superposition_atlas.toy_model import centre
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON


def advance(
    architecture: Architecture,
    state: SAEState,
    n_steps: int,
    data: TrainingData,
    settings: SAESettings,
    threads: int = 1,
) -> None:
    """n_steps steps in place, of the instances one by one, on so many threads."""
    first_step = state.step

    def advance_group(first: int, end: int) -> None:
        for instance in range(first, end):
            _advance_one(architecture, state, instance, n_steps, data.one(instance), settings)

    with one_torch_thread():
        run_in_groups(advance_group, len(state.parameters), threads)
    state.step = first_step + n_steps


def _advance_one(
    architecture: Architecture,
    state: SAEState,
    instance: int,
    n_steps: int,
    data: TrainingData,
    settings: SAESettings,
) -> None:
    """n_steps steps of one instance, whose rows of the state are replaced."""
    shapes = architecture.shapes(data.n_hidden, settings.n_latents)
    one = slice(instance, instance + 1)

    def tensors(rows: np.ndarray) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(array) for name, array in split(rows[one], shapes).items()}

    parameters = tensors(state.parameters)
    first, second = tensors(state.first_moment), tensors(state.second_moment)
    trained = {name: parameters[name].requires_grad_() for name in parameters if name in architecture.trained}
    coefficient = torch.tensor(data.sparsity_coefficient, dtype=torch.float32)
    k = torch.tensor(data.k)
    mine = SAEState(
        state.step, state.parameters[one], state.first_moment[one], state.second_moment[one],
        state.last_fired[one].copy(),
    )  # fmt: skip
    hidden = _Hidden(data)

    for step in range(state.step, state.step + n_steps):
        h = hidden.batch(step, settings.batch_size)
        mine.step = step
        dead = torch.tensor(dead_latents(mine, settings.dead_window))
        objective = Objective(settings, coefficient * warmup(settings, step), k, dead)
        loss, activations = architecture.loss(parameters, h, objective)
        gradients = torch.autograd.grad(
            loss.sum(), list(trained.values()), allow_unused=True, materialize_grads=True
        )
        with torch.no_grad():
            for name, gradient in zip(trained, gradients, strict=True):
                first[name].lerp_(gradient, 1 - ADAM_BETA_1)
                second[name].mul_(ADAM_BETA_2).addcmul_(gradient, gradient, value=1 - ADAM_BETA_2)
                denominator = (second[name] / (1 - ADAM_BETA_2 ** (step + 1))).sqrt_().add_(ADAM_EPSILON)
                rate = settings.learning_rate / (1 - ADAM_BETA_1 ** (step + 1))
                parameters[name].addcdiv_(first[name], denominator, value=-rate)
            architecture.after_step(parameters, activations, settings)
        mine.last_fired[(activations > 0).any(dim=1).numpy()] = step

    state.last_fired[one] = mine.last_fired
    for rows, named in (
        (state.parameters, parameters),
        (state.first_moment, first),
        (state.second_moment, second),
    ):
        for name, target in split(rows[one], shapes).items():
            target[...] = named[name].detach().numpy()


class _Hidden:
    """The hidden activations of an instance's own samples, as `TrainingData.hidden`, in torch."""

    def __init__(self, data: TrainingData) -> None:
        self._data = data
        self._W = torch.tensor(data.W, dtype=torch.float32)
        self._centre = torch.tensor(centre(data.probability, data.toy_settings))[:, None, :]

    def batch(self, step: int, batch_size: int) -> torch.Tensor:
        """h [instance, batch, hidden] of one step."""
        x = self._data.sample(step, batch_size, stream.Purpose.SAE_INPUTS)
        return (torch.tensor(x) - self._centre) @ self._W.mT
