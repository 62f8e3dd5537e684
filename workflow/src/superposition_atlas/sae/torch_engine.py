"""The reference engine: autograd on the architecture's own loss, and Adam as PyTorch has it."""

import torch

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
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON


def advance(
    architecture: Architecture, state: SAEState, n_steps: int, data: TrainingData, settings: SAESettings
) -> None:
    """n_steps steps in place."""
    shapes = architecture.shapes(data.n_hidden, settings.n_latents)
    # These share memory with the state: steps happen in place.
    parameters = {
        name: torch.from_numpy(array).requires_grad_(name in architecture.trained)
        for name, array in split(state.parameters, shapes).items()
    }
    trained = {name: tensor for name, tensor in parameters.items() if tensor.requires_grad}
    coefficient = torch.tensor(data.sparsity_coefficient, dtype=torch.float32)
    k = torch.from_numpy(data.k)
    first = {n: torch.from_numpy(a) for n, a in split(state.first_moment, shapes).items()}
    second = {n: torch.from_numpy(a) for n, a in split(state.second_moment, shapes).items()}

    for step in range(state.step, state.step + n_steps):
        h = torch.from_numpy(data.hidden(step, settings.batch_size, stream.Purpose.SAE_INPUTS))
        dead = torch.from_numpy(dead_latents(state, settings.dead_window))
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
        state.last_fired[(activations > 0).any(dim=1).numpy()] = step
        state.step = step + 1
