"""BFGS on the exact loss, compiled: of the many short descents of a search, scipy would take half for itself.

The method is that of Nocedal and Wright 2006, *Numerical Optimization*: algorithm 6.1, with the line search
of algorithms 3.5 and 3.6 for the strong Wolfe conditions.
"""

import numpy as np

from superposition_atlas.backends.numba_cache import compile_kernel
from superposition_atlas.theory.exact_loss import fill_losses, memory_for

PATIENCE = 10
_DECREASE, _CURVATURE = 1e-4, 0.9
"""c₁ (sufficient decrease) and c₂ (curvature) of the strong Wolfe conditions (Nocedal and Wright 2006)."""
_BRACKETS, _SECTIONS = 30, 30
"""Steps tried while a line search looks for an interval with a minimum, and in it."""
_LONGEST = 1e3
_INSIDE = 0.1
"""A trial step stays as far inside its interval, as a part of its length."""


@compile_kernel(fastmath={"contract"})
def minimise(x, held, importance, probability, states, n_hidden, scale, tolerance, gain, n_iterations):  # type: ignore[no-untyped-def]
    """Go downhill from x, in place, until no slope is above the tolerance.

    Args:
        x: float64 [parameter]: W, hidden by feature, and then b where that is free.
        held: float64 [1, feature], the bias that is held; [0, feature] if it is free.
        importance: float64 [1, feature].
        probability: float64 [1, feature].
        states: the `moments.States` of so many features.
        n_hidden: rows of W.
        scale: losses and slopes are taken as parts of it.
        tolerance: the largest slope that counts as none.
        gain: a fall of the loss over `PATIENCE` steps, as a part of it, that is worth going on for.
        n_iterations: steps at most.

    Returns:
        The sum of the features' losses, as a part of the scale, and the largest slope.
    """
    n = len(x)
    W = np.empty((1, n_hidden, importance.shape[1]))
    b = np.empty_like(importance)
    memory = memory_for(states, importance.shape[1])
    problem = (W, b, held, importance, probability, states, memory, scale)
    slope, trial, trial_slope = np.empty(n), np.empty(n), np.empty(n)
    inverse, product = np.eye(n), np.empty(n)
    loss = _evaluate(x, slope, problem)
    before = loss + np.sqrt(_dot(slope, slope)) / 2
    long_ago = loss
    for iteration in range(n_iterations):
        if np.abs(slope).max() <= tolerance:
            break
        if iteration % PATIENCE == 0 and iteration > 0:
            if long_ago - loss <= gain * loss:
                break
            long_ago = loss
        direction = -_times(inverse, slope)
        descent = _dot(slope, direction)
        if descent >= 0.0:  # rounding has spoilt the inverse
            inverse[:] = np.eye(n)
            direction = -slope
            descent = -_dot(slope, slope)
        first = min(1.0, 2.02 * (loss - before) / descent)
        reached = _line_search(
            x, loss, direction, descent, first if first > 0.0 else 1.0, trial, trial_slope, problem
        )
        if not reached < loss:
            break
        before, loss = loss, reached
        _update(inverse, product, trial - x, trial_slope - slope, iteration == 0)
        x[:] = trial
        slope[:] = trial_slope
    return loss, np.abs(slope).max()


@compile_kernel(fastmath={"contract"})
def _evaluate(x, slope, problem):  # type: ignore[no-untyped-def]
    W, b, held, importance, probability, states, memory, scale = problem
    n_hidden, n_features = W.shape[1:]
    n_weights = n_hidden * n_features
    W[0] = x[:n_weights].reshape(n_hidden, n_features)
    b[0] = held[0] if len(held) else x[n_weights:]
    loss, dW, db = np.empty_like(b), np.empty_like(W), np.empty_like(b)
    fill_losses(W, b, importance, probability, states, memory, True, loss, dW, db)
    slope[:n_weights] = dW.reshape(-1) / scale
    if not len(held):
        slope[n_weights:] = db[0] / scale
    return loss.sum() / scale


@compile_kernel(fastmath={"contract"})
def _line_search(x, loss, direction, descent, step, trial, trial_slope, problem):  # type: ignore[no-untyped-def]
    """The loss at `trial`, which meets the strong Wolfe conditions where it returns less than `loss`.

    Where none is found it is the lowest seen, and `loss` itself if that is the start.
    """
    low, low_loss, low_slope = 0.0, loss, descent
    high, high_loss, high_slope = 0.0, loss, descent
    bracketed = False
    for attempt in range(_BRACKETS + _SECTIONS):
        trial[:] = x + step * direction
        at = _evaluate(trial, trial_slope, problem)
        along = _dot(trial_slope, direction)
        if at > loss + _DECREASE * step * descent or (at >= low_loss and (attempt > 0 or bracketed)):
            high, high_loss, high_slope = step, at, along
            bracketed = True
        elif abs(along) <= -_CURVATURE * descent:
            return at
        else:
            if along * (high - low if bracketed else 1.0) >= 0.0:
                high, high_loss, high_slope = low, low_loss, low_slope
                bracketed = True
            low, low_loss, low_slope = step, at, along
        if not bracketed:
            if attempt >= _BRACKETS or step >= _LONGEST:
                break
            step = min(4.0 * step, _LONGEST)
        else:
            if abs(high - low) <= 1e-12 * max(abs(high), abs(low)):
                break
            step = _between(low, low_loss, low_slope, high, high_loss, high_slope)
    trial[:] = x + low * direction
    return _evaluate(trial, trial_slope, problem)


@compile_kernel(fastmath={"contract"})
def _between(low, low_loss, low_slope, high, high_loss, high_slope):  # type: ignore[no-untyped-def]
    """Where the cubic through both ends is lowest, kept off the ends; else the middle."""
    width = high - low
    bend = low_slope + high_slope - 3.0 * (high_loss - low_loss) / width
    square = bend * bend - low_slope * high_slope
    middle = low + width / 2
    if not square >= 0.0:
        return middle
    root = np.sqrt(square) if width > 0.0 else -np.sqrt(square)
    below = high_slope - low_slope + 2.0 * root
    if below == 0.0:
        return middle
    part = (high - width * (high_slope + root - bend) / below - low) / width
    return low + width * part if _INSIDE <= part <= 1.0 - _INSIDE else middle


@compile_kernel(fastmath={"contract"})
def _update(inverse, product, step, change, is_first):  # type: ignore[no-untyped-def]
    """BFGS's update of the inverse Hessian; none where the curvature along the step is not positive."""
    n = len(step)
    curvature = _dot(step, change)
    if curvature <= 0.0:
        return
    if is_first:
        for i in range(n):
            inverse[i, i] = curvature / _dot(change, change)
    product[:] = _times(inverse, change)
    factor = (1.0 + _dot(change, product) / curvature) / curvature
    for i in range(n):
        for j in range(n):
            inverse[i, j] += (
                factor * step[i] * step[j] - (product[i] * step[j] + step[i] * product[j]) / curvature
            )


@compile_kernel(fastmath={"contract"})
def _dot(first, second):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(len(first)):
        total += first[i] * second[i]
    return total


@compile_kernel(fastmath={"contract"})
def _times(matrix, vector):  # type: ignore[no-untyped-def]
    result = np.empty_like(vector)
    for i in range(len(vector)):
        result[i] = _dot(matrix[i], vector)
    return result
