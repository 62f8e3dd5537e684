"""BFGS on the exact loss, compiled: of the many short descents of a search, scipy would take half for itself.

The method is that of Nocedal and Wright 2006, *Numerical Optimization*: algorithm 6.1, with the line search
of algorithms 3.5 and 3.6 for the strong Wolfe conditions.
"""

import numpy as np
from jaxtyping import Float

from superposition_atlas.backends.numba_cache import compile_function, compile_kernel
from superposition_atlas.theory.exact_loss import Memory, fill_losses
from superposition_atlas.theory.moments import States

PATIENCE = 10
_DECREASE, _CURVATURE = 1e-4, 0.9
"""c₁ (sufficient decrease) and c₂ (curvature) of the strong Wolfe conditions (Nocedal and Wright 2006)."""
_BRACKETS, _SECTIONS = 30, 30
"""Steps tried while a line search looks for an interval with a minimum, and in it."""
_LONGEST = 1e3
_INSIDE = 0.1
"""A trial step stays as far inside its interval, as a part of its length."""


def minimise(
    x: Float[np.ndarray, " parameter"],
    held: Float[np.ndarray, "one_or_none feature"],
    importance: Float[np.ndarray, "1 feature"],
    probability: Float[np.ndarray, "1 feature"],
    states: States,
    memory: Memory,
    n_hidden: int,
    scale: float,
    tolerance: float,
    gain: float,
    n_iterations: int,
) -> tuple[float, float]:
    """Go downhill from x, in place, until no slope is above the tolerance.

    Arrays are float64, C-contiguous and can be written: for others the kernel would be compiled again.

    Args:
        x: W, hidden by feature, and then b where that is free.
        held: the bias that is held; [0, feature] if it is free.
        importance: I_i.
        probability: p_i.
        states: those of so many features.
        memory: `exact_loss.memory_for` these.
        n_hidden: rows of W.
        scale: losses and slopes are taken as parts of it.
        tolerance: the largest slope that counts as none.
        gain: a fall of the loss over `PATIENCE` steps, as a part of it, that is worth going on for.
        n_iterations: steps at most.

    Returns:
        The sum of the features' losses, as a part of the scale, and the largest slope.
    """
    n, n_features = len(x), importance.shape[1]
    slope, trial, trial_slope, slope_at_low, direction, change, product = np.empty((7, n))
    loss = np.empty((1, n_features))
    # W and b of a trial are parts of its parameters, and so are their slopes.
    (W, b), (dW, db) = (
        (vector[: n_hidden * n_features].reshape(1, n_hidden, n_features), vector[n - n_features :][None])
        for vector in (trial, trial_slope)
    )
    if len(held):
        b, db = held, np.empty((1, n_features))
    problem = (W, b, importance, probability, states, memory, True, loss, dW, db)
    vectors = (slope, trial, trial_slope, slope_at_low, direction, change, product)
    found: tuple[float, float] = _go_downhill(
        x, np.empty((n, n)), vectors, problem, scale, tolerance, gain, n_iterations
    )
    return found


@compile_kernel(fastmath={"contract"})
def _go_downhill(x, inverse, vectors, problem, scale, tolerance, gain, n_iterations):  # type: ignore[no-untyped-def]
    """`minimise`, with the arrays that it works in."""
    slope, trial, trial_slope, slope_at_low, direction, change, product = vectors
    n = len(x)
    for i in range(n):
        trial[i] = x[i]
    loss = _evaluate(trial_slope, problem, scale)
    for i in range(n):
        slope[i] = trial_slope[i]
    _set_identity(inverse)
    before = loss + np.sqrt(_dot(slope, slope)) / 2
    long_ago = loss
    for iteration in range(n_iterations):
        if _largest(slope) <= tolerance:
            break
        if iteration % PATIENCE == 0 and iteration > 0:
            if long_ago - loss <= gain * loss:
                break
            long_ago = loss
        for i in range(n):
            direction[i] = -_dot(inverse[i], slope)
        descent = _dot(slope, direction)
        if descent >= 0.0:  # rounding has spoilt the inverse
            _set_identity(inverse)
            for i in range(n):
                direction[i] = -slope[i]
            descent = -_dot(slope, slope)
        first = min(1.0, 2.02 * (loss - before) / descent)
        step = first if first > 0.0 else 1.0
        reached = _line_search(
            x, loss, direction, descent, step, trial, trial_slope, slope_at_low, problem, scale
        )
        if not reached < loss:
            break
        before, loss = loss, reached
        for i in range(n):
            direction[i] = trial[i] - x[i]  # the step that was taken
            change[i] = trial_slope[i] - slope[i]
            x[i] = trial[i]
            slope[i] = trial_slope[i]
        _update(inverse, product, direction, change, iteration == 0)
    return loss, _largest(slope)


@compile_function(inline="always")
def _evaluate(slope, problem, scale):  # type: ignore[no-untyped-def]
    """The loss of the trial, and its slope, as parts of the scale."""
    W, b, importance, probability, states, memory, gradient, loss, dW, db = problem
    fill_losses(W, b, importance, probability, states, memory, gradient, loss, dW, db)
    total = 0.0
    for i in range(loss.shape[1]):
        total += loss[0, i]
    for i in range(len(slope)):
        slope[i] /= scale
    return total / scale


@compile_function(inline="always")
def _line_search(  # type: ignore[no-untyped-def]
    x, loss, direction, descent, step, trial, trial_slope, slope_at_low, problem, scale
):
    """The loss at `trial`, which meets the strong Wolfe conditions where it returns less than `loss`.

    Where none is found it is the lowest seen, and `loss` itself if that is the start. The slope at `trial` is
    left in `trial_slope`, unless that is the start.
    """
    low, low_loss, low_slope = 0.0, loss, descent
    high, high_loss, high_slope = 0.0, loss, descent
    bracketed = False
    for attempt in range(_BRACKETS + _SECTIONS):
        for i in range(len(x)):
            trial[i] = x[i] + step * direction[i]
        at = _evaluate(trial_slope, problem, scale)
        along = _dot(trial_slope, direction)
        if at > loss + _DECREASE * step * descent or (at >= low_loss and (attempt > 0 or bracketed)):
            high, high_loss, high_slope = step, at, along
            bracketed = True
        else:
            is_found = abs(along) <= -_CURVATURE * descent
            if not is_found and along * (high - low if bracketed else 1.0) >= 0.0:
                high, high_loss, high_slope = low, low_loss, low_slope
                bracketed = True
            low, low_loss, low_slope = step, at, along
            for i in range(len(x)):
                slope_at_low[i] = trial_slope[i]
            if is_found:
                break
        if not bracketed:
            if attempt >= _BRACKETS or step >= _LONGEST:
                break
            step = min(4.0 * step, _LONGEST)
        else:
            if abs(high - low) <= 1e-12 * max(abs(high), abs(low)):
                break
            step = _between(low, low_loss, low_slope, high, high_loss, high_slope)
    for i in range(len(x)):
        trial[i] = x[i] + low * direction[i]
        trial_slope[i] = slope_at_low[i]
    return low_loss


@compile_function(fastmath={"contract"})
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


@compile_function(fastmath={"contract"})
def _update(inverse, product, step, change, is_first):  # type: ignore[no-untyped-def]
    """BFGS's update of the inverse Hessian; none where the curvature along the step is not positive."""
    n = len(step)
    curvature = _dot(step, change)
    if curvature <= 0.0:
        return
    if is_first:
        for i in range(n):
            inverse[i, i] = curvature / _dot(change, change)
    for i in range(n):
        product[i] = _dot(inverse[i], change)
    factor = (1.0 + _dot(change, product) / curvature) / curvature
    for i in range(n):
        for j in range(n):
            inverse[i, j] += (
                factor * step[i] * step[j] - (product[i] * step[j] + step[i] * product[j]) / curvature
            )


@compile_function(fastmath={"contract"})
def _set_identity(matrix):  # type: ignore[no-untyped-def]
    for i in range(len(matrix)):
        for j in range(len(matrix)):
            matrix[i, j] = 0.0
        matrix[i, i] = 1.0


@compile_function(fastmath={"contract"})
def _dot(first, second):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(len(first)):
        total += first[i] * second[i]
    return total


@compile_function(fastmath={"contract"})
def _largest(vector):  # type: ignore[no-untyped-def]
    """The largest of the absolute values; NaN if one is NaN."""
    largest = 0.0
    for i in range(len(vector)):
        size = abs(vector[i])
        if size > largest or np.isnan(size):
            largest = size
    return largest
