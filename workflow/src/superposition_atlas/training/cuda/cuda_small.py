"""Small toy models on a GPU: a few warps train one instance for many steps in a single launch.

Weights, running means and gradient stay in registers: n features and m hidden dimensions are constants of the
kernel, each weight a scalar of its own that all lanes hold. Samples lie across the lanes, four to a lane and
turn, since four positions share a Philox call; the gradient is kept as one part-sum a lane and merged once a
step. The number of warps depends on the batch alone, never on the number of instances: so the order of every
sum is fixed, and with it the bits. Four warps are three times as soon done with an instance as one is; more
would only repeat the optimizer's work, which each does for itself.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from superposition_atlas.sampling.device_samples import on_device
from superposition_atlas.training.cuda.cuda_inputs import DeviceInputs, from_rows, to_rows
from superposition_atlas.training.cuda.small_kernels import sum_losses, take_steps
from superposition_atlas.training.optimizer import StepCoefficients
from superposition_atlas.training.problem import HELD_OUT_SAMPLES, Problem, TrainingState, Weights

_LANES_A_WARP = 32
_MOST_WARPS = 4

_MOST_FEATURES, _MOST_WEIGHTS = 8, 28
"""Weights are those of W and b together. With more of either, registers run out."""
_MOST_SAMPLES = 2**16
"""Largest batch: with more samples, float32 partial sums over the samples of a lane get coarse."""


def fits(problem: Problem) -> bool:
    """Whether these toy models can be trained so."""
    n = problem.n_features
    is_small = n <= _MOST_FEATURES and n * (problem.n_hidden + 1) <= _MOST_WEIGHTS
    return is_small and problem.settings.batch_size <= _MOST_SAMPLES


def bytes_an_instance(problem: Problem) -> int:
    """Bytes of device memory for one instance: weights, running means, inputs, loss."""
    return 4 * (3 * problem.n_features * (problem.n_hidden + 1) + 5 * problem.n_features + 4)


def advance(state: TrainingState, n_steps: int, problem: Problem, inputs: DeviceInputs) -> None:
    """See `state.Engine`."""
    settings = problem.settings
    device = inputs.device
    steps = StepCoefficients.of(settings, state.step, n_steps)
    coefficients = [on_device(values, device) for values in (steps.rate, steps.root_correction, steps.decay)]
    parts = (state.weights, state.mean, state.square)
    rows = [on_device(to_rows(part), device) for part in parts]
    loss_sum = on_device(state.loss_sum, device)
    n_outputs, warps = settings.batch_size * problem.n_features, n_warps(problem)
    take_steps[(problem.n_instances,)](
        *rows,
        loss_sum,
        inputs.importance,
        *inputs.samples.tensors(),
        *coefficients,
        state.step,
        n_steps,
        settings.batch_size,
        2.0 / n_outputs,
        float(n_outputs),
        float(settings.weight_decay),
        settings.momentum,
        **variant(problem),
        OPTIMIZER=settings.optimizer,
        TRAINS_BIAS=settings.trains_bias,
        WHOLE=settings.batch_size % (4 * _LANES_A_WARP * warps) == 0,
        LANES=_LANES_A_WARP * warps,
        num_warps=warps,
    )
    for row, part in zip(rows, parts, strict=True):
        from_rows(row, part)
    state.loss_sum[...] = loss_sum.cpu().numpy()
    state.step += n_steps


def feature_loss(
    weights: Weights, problem: Problem, inputs: DeviceInputs
) -> Float[np.ndarray, "instance feature"]:
    """See `state.Engine`."""
    device = inputs.device
    losses = torch.empty_like(inputs.importance, dtype=torch.float64)
    sum_losses[(problem.n_instances,)](
        on_device(to_rows(weights), device),
        losses,
        inputs.importance,
        *inputs.samples.tensors(),
        HELD_OUT_SAMPLES,
        **variant(problem),
        LANES=_LANES_A_WARP,
        num_warps=1,
    )
    return np.asarray(losses.cpu().numpy() / HELD_OUT_SAMPLES)


def n_warps(problem: Problem) -> int:
    """Warps of one instance: with a larger batch more, but each has two turns to make at least."""
    turns = problem.settings.batch_size // (4 * _LANES_A_WARP)
    return 1 if turns < 4 else 2 if turns < 8 else _MOST_WARPS


def variant(problem: Problem) -> dict[str, Any]:
    """Constants that the kernels are compiled for."""
    settings = problem.settings
    return {
        "N": problem.n_features,
        "M": problem.n_hidden,
        "RELU": settings.output == "relu",
        "CENTRED": settings.centred_inputs,
        "MAGNITUDES": settings.magnitudes,
        "STRUCTURED": problem.structure is not None,
    }
