"""The fused CPU engine: one compiled loop over steps does stream, forward, backward and Adam for an instance.

An instance is trained by one thread from the first step to the last and shares nothing with the others, so
its bits depend neither on the batching of instances nor on the number of threads. Kernels are compiled for
each (n_features, n_hidden), once per machine.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from numba import types
from numba.extending import intrinsic

from superposition_atlas import stream
from superposition_atlas.compiled import compile_kernel
from superposition_atlas.training import fused_step
from superposition_atlas.training.lanes import LANES, Memory, Traced
from superposition_atlas.training.state import (
    ADAM_BETA_1,
    ADAM_BETA_2,
    ADAM_EPSILON,
    Problem,
    TrainingState,
    Weights,
)
from superposition_atlas.training.traced_batch import TracedBatch

_GROUPS_A_THREAD = 4  # groups of instances, so that a thread that is held up does not hold up the others


class FusedEngine:
    """Compiled training on all cores."""

    name = "fused"

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def advance(self, state: TrainingState, n_steps: int, problem: Problem) -> Float[np.ndarray, " instance"]:
        """See `state.Engine`."""
        settings, n_instances = problem.settings, problem.n_instances
        threshold = stream.thresholds(problem.probability)
        taken = np.arange(state.step + 1, state.step + n_steps + 1, dtype=np.float64)
        # Adam's corrections for moments that start at zero, in the order of operations of torch.optim.Adam.
        step_size = settings.learning_rate / (1.0 - ADAM_BETA_1**taken)
        root_correction = 1.0 / np.sqrt(1.0 - ADAM_BETA_2**taken)
        weights = _to_rows(state.weights)
        mean = _to_rows(state.mean)
        square = _to_rows(state.square)
        loss = np.empty(n_instances)
        arguments = (
            weights,
            mean,
            square,
            loss,
            np.ascontiguousarray(problem.importance, dtype=np.float32),
            np.ascontiguousarray(threshold),
            np.ascontiguousarray(stream.scales(threshold)),
            np.ascontiguousarray(problem.seeds, dtype=np.uint64),
            state.step,
            settings.batch_size,
            step_size.astype(np.float32),
            root_correction.astype(np.float32),
        )
        take_steps = _kernel(problem.n_features, problem.n_hidden)
        n_groups = min(n_instances, _GROUPS_A_THREAD * self.threads)
        edges = [group * n_instances // n_groups for group in range(n_groups + 1)]
        with ThreadPoolExecutor(self.threads) as pool:
            groups = [pool.submit(take_steps, first, end, *arguments) for first, end in pairwise(edges)]
            for group in groups:
                group.result()
        _from_rows(weights, state.weights)
        _from_rows(mean, state.mean)
        _from_rows(square, state.square)
        state.step += n_steps
        return loss


def _row_length(n_features: int, n_hidden: int) -> int:
    """Weights of an instance, W and b, filled up to a whole number of vectors."""
    return -(-(n_hidden + 1) * n_features // LANES) * LANES


def _to_rows(values: Weights) -> Float32[np.ndarray, "instance weight"]:
    """W[k, i] at k·n_features + i, then b, then zeros."""
    n_instances, n_hidden, n_features = values.W.shape
    n_W = n_hidden * n_features
    rows = np.zeros((n_instances, _row_length(n_features, n_hidden)), dtype=np.float32)
    rows[:, :n_W] = values.W.reshape(n_instances, n_W)
    rows[:, n_W : n_W + n_features] = values.b
    return rows


def _from_rows(rows: Float32[np.ndarray, "instance weight"], values: Weights) -> None:
    """The inverse of `_to_rows`, in place."""
    n_W = values.W[0].size
    values.W[...] = rows[:, :n_W].reshape(values.W.shape)
    values.b[...] = rows[:, n_W : n_W + values.b.shape[1]]


@cache
def _kernel(n_features: int, n_hidden: int) -> Callable[..., None]:
    """The compiled steps of the instances from `first` to before `end`."""
    n_weights = _row_length(n_features, n_hidden)
    scratch_size = fused_step.scratch_size(n_features, n_hidden)
    beta_1, beta_2, epsilon = np.float32(ADAM_BETA_1), np.float32(ADAM_BETA_2), np.float32(ADAM_EPSILON)
    new_1, new_2 = np.float32(1.0 - ADAM_BETA_1), np.float32(1.0 - ADAM_BETA_2)

    @compile_kernel()
    def take_steps(  # type: ignore[no-untyped-def]
        first,
        end,
        weights,
        mean,
        square,
        loss,
        importance,
        threshold,
        scale,
        seeds,
        first_step,
        batch_size,
        step_size,
        root_correction,
    ):
        scratch = np.empty(scratch_size, np.float32)
        gradient = np.zeros(n_weights, np.float32)
        # Copies: neighbours' rows may share a cache line, over which two threads would fight at every step.
        w, m, v = np.empty_like(gradient), np.empty_like(gradient), np.empty_like(gradient)
        n_outputs = batch_size * n_features
        to_mean = np.float32(2.0 / n_outputs)
        for instance in range(first, end):
            w[:], m[:], v[:] = weights[instance], mean[instance], square[instance]
            total = 0.0
            for turn in range(len(step_size)):
                gradient[:] = np.float32(0.0)
                total += _batch_gradient(  # type: ignore[call-arg]  # numba itself gives the first argument
                    n_features,
                    n_hidden,
                    batch_size,
                    first_step + turn,
                    seeds[instance],
                    w,
                    importance[instance],
                    threshold[instance],
                    scale[instance],
                    gradient,
                    scratch,
                )
                rate, correction = step_size[turn], root_correction[turn]
                for i in range(n_weights):
                    slope = gradient[i] * to_mean
                    m[i] = beta_1 * m[i] + new_1 * slope
                    v[i] = beta_2 * v[i] + new_2 * slope * slope
                    w[i] -= rate * m[i] / (np.sqrt(v[i]) * correction + epsilon)
            weights[instance], mean[instance], square[instance] = w, m, v
            loss[instance] = total / n_outputs / len(step_size)

    compiled: Callable[..., None] = take_steps
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
    """`fused_step.trace_gradient` as a function that kernels call."""
    rows = (weights, importance, threshold, scale, gradient, scratch)
    signature = types.float32(n_features, n_hidden, types.uint64, types.uint64, types.uint64, *rows)

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        batch_size, step, seed = (Traced(builder, argument) for argument in arguments[2:5])
        memory = [
            Memory(builder, context.make_array(row_type)(context, builder, row).data)
            for row_type, row in zip(signature.args[5:], arguments[5:], strict=True)
        ]
        batch = TracedBatch(
            builder,
            n_features.literal_value,
            n_hidden.literal_value,
            batch_size,
            step,
            (seed & 0xFFFFFFFF, seed >> 32),
            *memory,
        )
        return fused_step.trace_gradient(batch).value

    return signature, write
