"""The fused CPU engine: one compiled loop over steps, with stream, forward, backward and optimizer in it.

An instance is trained by one thread from the first step to the last and shares nothing with the others, so
its bits depend neither on the batching of instances nor on the number of threads. Kernels are compiled for
each variant of the model, once per machine.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32
from numba import types
from numba.extending import intrinsic

from superposition_atlas.backends.numba_cache import compile_kernel
from superposition_atlas.backends.threads import run_in_groups
from superposition_atlas.sampling import stream
from superposition_atlas.sampling.structure import none_active, scales, shared_words
from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON
from superposition_atlas.training.fused import fused_step
from superposition_atlas.training.fused.lanes import LANES, Traced
from superposition_atlas.training.fused.traced_batch import TracedBatch, Variant
from superposition_atlas.training.fused.traced_memory import Memory
from superposition_atlas.training.optimizer import StepCoefficients
from superposition_atlas.training.problem import HELD_OUT_SAMPLES, Problem, TrainingState, Weights

_MOSTLY_EMPTY = 0.3
"""Samples without an active feature are left out where at least this share of all are such: with fewer,
telling them apart takes longer than working them through."""


class FusedEngine:
    """Compiled training on all cores."""

    name = "fused"

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def advance(self, state: TrainingState, n_steps: int, problem: Problem) -> None:
        """See `state.Engine`."""
        settings = problem.settings
        steps = StepCoefficients.of(settings, state.step, n_steps)
        rows = [_to_rows(part) for part in (state.weights, state.mean, state.square)]
        loss_sum = state.loss_sum.copy()
        holds_densest = settings.bias == "densest_zero"
        take_steps = _step_kernel(
            _variant(problem), settings.optimizer, settings.trains_bias, holds_densest=holds_densest
        )
        self._run(
            take_steps,
            problem.n_instances,
            *rows,
            loss_sum,
            *_inputs(problem),
            state.step,
            settings.batch_size,
            steps.rate,
            steps.root_correction,
            steps.decay,
            np.float32(settings.weight_decay),
            np.float32(settings.momentum),
        )
        for row, part in zip(rows, (state.weights, state.mean, state.square), strict=True):
            _from_rows(row, part)
        state.loss_sum[...] = loss_sum
        state.step += n_steps

    def feature_loss(self, weights: Weights, problem: Problem) -> Float[np.ndarray, "instance feature"]:
        """See `state.Engine`."""
        losses = np.empty((problem.n_instances, problem.n_features))
        kernel = _feature_loss_kernel(_variant(problem))
        self._run(kernel, problem.n_instances, _to_rows(weights), losses, *_inputs(problem), HELD_OUT_SAMPLES)
        return losses / HELD_OUT_SAMPLES

    def _run(self, kernel: Callable[..., None], n_instances: int, *arguments: Any) -> None:
        run_in_groups(lambda first, end: kernel(first, end, *arguments), n_instances, self.threads)


def _variant(problem: Problem) -> Variant:
    settings = problem.settings
    return Variant(
        problem.n_features, problem.n_hidden, settings.output, settings.centred_inputs, settings.magnitudes,
        problem.structure is not None, settings.hidden, settings.output_weights, settings.target,
    )  # fmt: skip


def _inputs(problem: Problem) -> tuple[np.ndarray, ...]:
    """What kernels know of the instances' features and streams, each [instance, …]."""
    threshold = np.ascontiguousarray(stream.thresholds(problem.probability))
    structure = problem.structure
    scale = scales(threshold, structure)
    groups = np.zeros((problem.n_instances, 1), np.uint32) if structure is None else shared_words(structure)
    return (
        np.ascontiguousarray(problem.importance, dtype=np.float32),
        threshold,
        np.ascontiguousarray(scale),
        np.ascontiguousarray(stream.offsets(scale, problem.settings.magnitudes)),
        np.ascontiguousarray(problem.centre),
        groups,
        _skips_empty(problem).astype(np.uint64),
        np.ascontiguousarray(problem.seeds, dtype=np.uint64),
    )


def _skips_empty(problem: Problem) -> Bool[np.ndarray, " instance"]:
    """Whose empty samples are left out: by an instance's own probabilities, never by its neighbours'."""
    if problem.structure is None:
        empty = np.prod(1.0 - problem.probability, axis=1)
    else:
        empty = none_active(problem.probability, problem.structure)
    return np.asarray((empty >= _MOSTLY_EMPTY) & (not problem.settings.centred_inputs))


def _row_length(n_features: int, n_rows: int) -> int:
    """Weights of an instance, those rows and b, filled up to a whole number of vectors."""
    return -(-(n_rows + 1) * n_features // LANES) * LANES


def _to_rows(values: Weights) -> Float32[np.ndarray, "instance weight"]:
    """W[k, i] at k·n_features + i, then b, then zeros."""
    n_instances, n_rows, n_features = values.W.shape
    n_W = n_rows * n_features
    rows = np.zeros((n_instances, _row_length(n_features, n_rows)), dtype=np.float32)
    rows[:, :n_W] = values.W.reshape(n_instances, n_W)
    rows[:, n_W : n_W + n_features] = values.b
    return rows


def _from_rows(rows: Float32[np.ndarray, "instance weight"], values: Weights) -> None:
    """The inverse of `_to_rows`, in place."""
    n_W = values.W[0].size
    values.W[...] = rows[:, :n_W].reshape(values.W.shape)
    values.b[...] = rows[:, n_W : n_W + values.b.shape[1]]


@cache
def _step_kernel(
    variant: Variant, optimizer: str, trains_bias: bool, *, holds_densest: bool
) -> Callable[..., None]:
    """The compiled steps of the instances from `first` to before `end`."""
    # Closures of plain values: they are constants to the compiler, and the key of its cache.
    n_features, n_hidden, output, centred, magnitudes, structured, hidden, output_weights, target = asdict(
        variant
    ).values()
    n_matrix = n_features * variant.n_rows
    n_weights = _row_length(n_features, variant.n_rows)
    n_trained = n_weights if trains_bias else n_matrix
    scratch_size = fused_step.scratch_size(variant)
    beta_1, beta_2, epsilon = np.float32(ADAM_BETA_1), np.float32(ADAM_BETA_2), np.float32(ADAM_EPSILON)
    new_1, new_2 = np.float32(1.0 - ADAM_BETA_1), np.float32(1.0 - ADAM_BETA_2)
    is_sgd, decays = optimizer == "sgd", optimizer == "adamw"
    purpose = int(stream.Purpose.INPUTS)

    @compile_kernel()
    def take_steps(  # type: ignore[no-untyped-def]
        first, end, weights, mean, square, loss_sum,
        importance, threshold, scale, offset, centre, groups, skips_empty, seeds,
        first_step, batch_size, rates, root_corrections, decays_by, weight_decay, momentum,
    ):  # fmt: skip
        scratch = np.empty(scratch_size, np.float32)
        gradient = np.zeros(n_weights, np.float32)
        # Copies: neighbours' rows may share a cache line, over which two threads would fight at every step.
        w, m, v = np.empty_like(gradient), np.empty_like(gradient), np.empty_like(gradient)
        n_outputs = batch_size * n_features
        to_mean = np.float32(2.0 / n_outputs)
        for instance in range(first, end):
            # By element: for whole rows numba compiles the text of an error that can't come, which takes 2 s.
            for i in range(n_weights):
                w[i], m[i], v[i] = weights[instance, i], mean[instance, i], square[instance, i]
            total = loss_sum[instance]
            for turn in range(len(rates)):
                gradient[:] = np.float32(0.0)
                total += _batch_gradient(
                    n_features, n_hidden, output, centred, magnitudes, structured,
                    hidden, output_weights, target,
                    batch_size, first_step + turn, purpose, seeds[instance], skips_empty[instance],
                    w, importance[instance], threshold[instance], scale[instance], offset[instance],
                    centre[instance], groups[instance], gradient, scratch,
                ) / n_outputs  # fmt: skip
                if holds_densest:
                    highest = threshold[instance].max()
                    for i in range(n_features):
                        if threshold[instance, i] == highest:
                            gradient[n_matrix + i] = np.float32(0.0)
                rate, correction = rates[turn], root_corrections[turn]
                if is_sgd:
                    for i in range(n_trained):
                        m[i] = momentum * m[i] + (gradient[i] * to_mean + weight_decay * w[i])
                        w[i] -= rate * m[i]
                else:
                    if decays:
                        for i in range(n_trained):
                            w[i] *= decays_by[turn]
                    for i in range(n_trained):
                        slope = gradient[i] * to_mean
                        m[i] = beta_1 * m[i] + new_1 * slope
                        v[i] = beta_2 * v[i] + new_2 * slope * slope
                        w[i] -= rate * m[i] / (np.sqrt(v[i]) * correction + epsilon)
            for i in range(n_weights):
                weights[instance, i], mean[instance, i], square[instance, i] = w[i], m[i], v[i]
            loss_sum[instance] = total

    compiled: Callable[..., None] = take_steps
    return compiled


@cache
def _feature_loss_kernel(variant: Variant) -> Callable[..., None]:
    """The compiled held-out losses, summed over samples, of the instances from `first` to before `end`."""
    n_features, n_hidden, output, centred, magnitudes, structured, hidden, output_weights, target = asdict(
        variant
    ).values()
    scratch_size = fused_step.scratch_size(variant)
    purpose = int(stream.Purpose.EVALUATION)

    @compile_kernel()
    def sum_losses(  # type: ignore[no-untyped-def]
        first, end, weights, losses,
        importance, threshold, scale, offset, centre, groups, skips_empty, seeds, n_samples,
    ):  # fmt: skip
        scratch = np.empty(scratch_size, np.float32)
        sums = np.empty(n_features, np.float32)
        for instance in range(first, end):
            sums[:] = np.float32(0.0)
            _batch_feature_loss(
                n_features, n_hidden, output, centred, magnitudes, structured,
                hidden, output_weights, target,
                n_samples, 0, purpose, seeds[instance], np.uint64(0),
                weights[instance], importance[instance], threshold[instance], scale[instance],
                offset[instance], centre[instance], groups[instance], sums, scratch,
            )  # fmt: skip
            for i in range(n_features):
                losses[instance, i] = sums[i]

    compiled: Callable[..., None] = sum_losses
    return compiled


def _traced_call(trace: Callable[[TracedBatch], Traced | None], returns: Any) -> Any:
    """A function of one batch, as kernels call it: what is known when they are compiled comes first."""

    @intrinsic(prefer_literal=True)
    def call(  # type: ignore[no-untyped-def]
        typing_context, n_features, n_hidden, output, centred, magnitudes, structured,
        hidden, output_weights, target,
        batch_size, step, purpose, seed, skips_empty,
        weights, importance, threshold, scale, offset, centre, groups, gradient, scratch,
    ):  # fmt: skip
        fixed = (
            n_features, n_hidden, output, centred, magnitudes, structured, hidden, output_weights, target
        )  # fmt: skip
        rows = (weights, importance, threshold, scale, offset, centre, groups, gradient, scratch)
        signature = returns(*fixed, *[types.uint64] * 5, *rows)

        def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            batch_size, step, purpose, seed, skips_empty = (
                Traced(builder, argument) for argument in arguments[len(fixed) : len(fixed) + 5]
            )
            memory = [
                Memory(builder, context.make_array(row_type)(context, builder, row).data)
                for row_type, row in zip(signature.args[-len(rows) :], arguments[-len(rows) :], strict=True)
            ]
            variant = Variant(*(kind.literal_value for kind in fixed))
            memory.append(memory[-1].from_index(variant.groups_room))
            batch = TracedBatch(
                builder,
                variant,
                batch_size,
                step,
                purpose,
                (seed & 0xFFFFFFFF, seed >> 32),
                skips_empty,
                *memory,
            )
            result = trace(batch)
            return context.get_dummy_value() if result is None else result.value

        return signature, write

    return call


_batch_gradient = _traced_call(fused_step.trace_gradient, types.float64)
_batch_feature_loss = _traced_call(fused_step.trace_feature_loss, types.none)
