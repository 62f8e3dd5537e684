"""Functions of sixteen float32 lanes, for the quantiles of `magnitudes`; exact to 2e-7 relative."""

from math import factorial, log, sqrt

from superposition_atlas.training.fused.lanes import Traced

_MANTISSA_BITS = 23
_BIAS = 127
_MANTISSA = (1 << _MANTISSA_BITS) - 1
# ln 2 in two parts, the first short enough that its multiples are exact.
_LN_2_HIGH = 355.0 / 512.0
_LN_2_LOW = log(2.0) - _LN_2_HIGH


def log_of_lanes(x: Traced) -> Traced:
    """ln x of positive normal numbers: x = 2^k f with f around 1, and ln f = 2 artanh((f - 1) / (f + 1))."""
    bits = x.float_bits()
    exponent = (bits >> _MANTISSA_BITS).to_signed_floats() - float(_BIAS)
    f = ((bits & _MANTISSA) | (_BIAS << _MANTISSA_BITS)).as_floats()
    is_large = f > sqrt(2.0)
    f = (f * 0.5).where(is_large, f)
    exponent = (exponent + 1.0).where(is_large, exponent)
    s = (f - 1.0) / (f + 1.0)
    square = s * s
    series = square * (1.0 / 9.0) + 1.0 / 7.0
    for power in (5.0, 3.0):
        series = series * square + 1.0 / power
    tail = series * square * s * 2.0
    return exponent * _LN_2_HIGH + ((exponent * _LN_2_LOW + tail) + s * 2.0)


def exp_of_lanes(x: Traced) -> Traced:
    """e^x for |x| < 87: x = k ln 2 + r with |r| ≤ ln 2 / 2, and the series of e^r."""
    k = (x * (1.0 / log(2.0))).nearest()
    r = (x - k * _LN_2_HIGH) - k * _LN_2_LOW
    series = r * (1.0 / factorial(7)) + 1.0 / factorial(6)
    for power in (5, 4, 3, 2, 1, 0):
        series = series * r + 1.0 / factorial(power)
    return series * ((k.to_words() + _BIAS) << _MANTISSA_BITS).as_floats()


class LaneFunctions:
    """The functions that quantiles are written in, as numpy and torch have them for theirs."""

    log = staticmethod(log_of_lanes)
    exp = staticmethod(exp_of_lanes)

    @staticmethod
    def sqrt(x: Traced) -> Traced:
        """√x."""
        return x.square_root()

    @staticmethod
    def where(condition: Traced, value: Traced, otherwise: Traced) -> Traced:
        """One of two values, lane by lane."""
        return value.where(condition, otherwise)

    @staticmethod
    def full_like(x: Traced, value: float) -> Traced:
        """The value in every lane."""
        return (x - x) + value
