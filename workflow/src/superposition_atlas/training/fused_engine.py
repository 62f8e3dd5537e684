"""The fused CPU engine: one compiled loop over steps does stream, forward, backward and Adam for an instance.

An instance is trained by one thread from the first step to the last and shares nothing with the others, so
its bits depend neither on the batching of instances nor on the number of threads. Kernels are compiled for
each (n_features, n_hidden), once per machine: in the step of a small toy model both are unrolled.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float
from numba import types
from numba.extending import intrinsic

from superposition_atlas import stream
from superposition_atlas.compiled import compile_kernel
from superposition_atlas.training import fused_small, fused_wide
from superposition_atlas.training.lanes import LANES, Memory, Traced
from superposition_atlas.training.state import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, Problem, TrainingState
from superposition_atlas.training.traced_batch import TracedBatch

SMALL = 150
"""Largest n_features · n_hidden whose step is unrolled: beyond it, compiling takes long and registers spill."""

_GROUPS_A_THREAD = 4  # groups of instances, so that a thread that is held up does not hold up the others


class FusedEngine:
    """Compiled training on all cores."""

    name = "fused"

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def advance(self, state: TrainingState, n_steps: int, problem: Problem) -> Float[np.ndarray, " instance"]:
        """See `state.Engine`."""
        settings = problem.settings
        threshold = stream.thresholds(problem.probability)
        taken = np.arange(state.step + 1, state.step + n_steps + 1, dtype=np.float64)
        # Adam's corrections for moments that start at zero, in the order of operations of torch.optim.Adam
        step_size = settings.learning_rate / (1.0 - ADAM_BETA_1**taken)
        root_correction = 1.0 / np.sqrt(1.0 - ADAM_BETA_2**taken)
        loss = np.empty(problem.n_instances)
        arguments = (
            state.W,
            state.b,
            state.first_moment_W,
            state.first_moment_b,
            state.second_moment_W,
            state.second_moment_b,
            problem.importance.astype(np.float32),
            threshold,
            stream.scales(threshold),
            problem.seeds,
            state.step,
            settings.batch_size,
            step_size.astype(np.float32),
            root_correction.astype(np.float32),
            loss,
        )
        advance_instances = _kernel(problem.n_features, problem.n_hidden)
        n_groups = min(problem.n_instances, _GROUPS_A_THREAD * self.threads)
        edges = [group * problem.n_instances // n_groups for group in range(n_groups + 1)]
        with ThreadPoolExecutor(self.threads) as pool:
            groups = [pool.submit(advance_instances, *edge, *arguments) for edge in pairwise(edges)]
            for group in groups:
                group.result()
        state.step += n_steps
        return loss


@cache
def _kernel(n_features: int, n_hidden: int) -> Callable[..., None]:
    """The compiled training of a range of instances."""
    n_W = n_features * n_hidden
    n_weights = -(-(n_W + n_features) // LANES) * LANES
    scratch_size = 0 if n_W <= SMALL else fused_wide.scratch_size(n_features, n_hidden)
    beta_1, beta_2, epsilon = np.float32(ADAM_BETA_1), np.float32(ADAM_BETA_2), np.float32(ADAM_EPSILON)
    new_1, new_2 = np.float32(1.0 - ADAM_BETA_1), np.float32(1.0 - ADAM_BETA_2)

    @compile_kernel()
    def advance_instances(  # type: ignore[no-untyped-def]
        first,
        last,
        W,
        b,
        first_moment_W,
        first_moment_b,
        second_moment_W,
        second_moment_b,
        importance,
        threshold,
        scale,
        seeds,
        first_step,
        batch_size,
        step_size,
        root_correction,
        loss,
    ):
        weights = np.zeros(n_weights, np.float32)  # W and b as one row, filled up with zeros
        mean = np.zeros(n_weights, np.float32)
        square = np.zeros(n_weights, np.float32)
        gradient = np.zeros(n_weights, np.float32)
        scratch = np.zeros(scratch_size, np.float32)
        n_outputs = batch_size * n_features
        to_mean = np.float32(2.0 / n_outputs)
        for instance in range(first, last):
            weights[:n_W] = W[instance].ravel()
            weights[n_W : n_W + n_features] = b[instance]
            mean[:n_W] = first_moment_W[instance].ravel()
            mean[n_W : n_W + n_features] = first_moment_b[instance]
            square[:n_W] = second_moment_W[instance].ravel()
            square[n_W : n_W + n_features] = second_moment_b[instance]
            total = 0.0
            for turn in range(len(step_size)):
                gradient[:] = np.float32(0.0)
                total += _batch_gradient(
                    n_features,
                    n_hidden,
                    batch_size,
                    first_step + turn,
                    seeds[instance],
                    weights,
                    importance[instance],
                    threshold[instance],
                    scale[instance],
                    gradient,
                    scratch,
                )
                rate, correction = step_size[turn], root_correction[turn]
                for i in range(n_weights):
                    slope = gradient[i] * to_mean
                    mean[i] = beta_1 * mean[i] + new_1 * slope
                    square[i] = beta_2 * square[i] + new_2 * slope * slope
                    weights[i] -= rate * mean[i] / (np.sqrt(square[i]) * correction + epsilon)
            W[instance] = weights[:n_W].reshape(n_hidden, n_features)
            b[instance] = weights[n_W : n_W + n_features]
            first_moment_W[instance] = mean[:n_W].reshape(n_hidden, n_features)
            first_moment_b[instance] = mean[n_W : n_W + n_features]
            second_moment_W[instance] = square[:n_W].reshape(n_hidden, n_features)
            second_moment_b[instance] = square[n_W : n_W + n_features]
            loss[instance] = total / n_outputs / len(step_size)

    compiled: Callable[..., None] = advance_instances
    return compiled


@intrinsic(prefer_literal=True)
def _batch_gradient(  # type: ignore[no-untyped-def]
    typing_context,
    n_features,
    n_hidden,
    batch_size,
    step,
    seed,
    weights,
    importance,
    threshold,
    scale,
    gradient,
    scratch,
):
    """Add one batch's gradient to `gradient` and return its loss, both summed over batch and features."""
    n, m = n_features.literal_value, n_hidden.literal_value
    rows = (weights, importance, threshold, scale, gradient, scratch)
    signature = types.float32(n_features, n_hidden, types.uint64, types.uint64, types.uint64, *rows)

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        batch_size, step, seed = (Traced(builder, argument) for argument in arguments[2:5])
        memory = [
            Memory(builder, context.make_array(row_type)(context, builder, row).data)
            for row_type, row in zip(signature.args[5:], arguments[5:], strict=True)
        ]
        key = seed & 0xFFFFFFFF, seed >> 32
        batch = TracedBatch(builder, n, m, batch_size, step, key, *memory)
        traced = fused_small if n * m <= SMALL else fused_wide
        return traced.trace_gradient(batch).value

    return signature, write
