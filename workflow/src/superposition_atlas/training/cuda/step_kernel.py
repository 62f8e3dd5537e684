"""One step in Triton: the error of a reconstruction, and the optimizer's update."""

import triton
import triton.language as tl

from superposition_atlas.training.adam import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON

_BETA_1, _BETA_2 = tl.constexpr(ADAM_BETA_1), tl.constexpr(ADAM_BETA_2)
_NEW_1, _NEW_2 = tl.constexpr(1.0 - ADAM_BETA_1), tl.constexpr(1.0 - ADAM_BETA_2)
_EPSILON = tl.constexpr(ADAM_EPSILON)


@triton.jit
def error(z, target, importance, RELU: tl.constexpr):
    """e = x' - x, I e, and g = I e where x' follows z, else 0; what is no number does not pass for dead."""
    if RELU:
        is_dead = z <= 0.0
        e = tl.where(is_dead, 0.0, z) - target
        weighted = e * importance
        g = tl.where(is_dead, 0.0, weighted)
    else:
        e = z - target
        weighted = e * importance
        g = weighted
    return e, weighted, g


@triton.jit
def updated(
    w, mean, square, slope,
    rate, correction, decay, weight_decay, momentum, OPTIMIZER: tl.constexpr,
):  # fmt: skip
    """Weight and running means after a step along the slope; see `optimizer.StepCoefficients`."""
    if OPTIMIZER == "sgd":
        mean = momentum * mean + (slope + weight_decay * w)
        w = w - rate * mean
    else:
        if OPTIMIZER == "adamw":
            w = w * decay
        mean = _BETA_1 * mean + _NEW_1 * slope
        square = _BETA_2 * square + _NEW_2 * slope * slope
        w = w - rate * mean / (tl.sqrt(square) * correction + _EPSILON)
    return w, mean, square
