"""How large an active feature is: one definition of each distribution, for every engine.

A magnitude is the quantile of the same uniform word that decides whether the feature is active, so that the
stream has one word a feature whatever the distribution. Quantiles are written once, in operations that numpy
arrays, torch tensors and the traced vectors of the fused engine share. Only Triton, which compiles the text
of a function, has them a second time (`gpu/kernels.py`); a test holds the two together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import e, exp, log
from typing import Any, Literal, get_args

MagnitudesName = Literal["uniform", "binary", "exponential", "lognormal", "signed_uniform"]


@dataclass(frozen=True)
class Magnitudes:
    """A distribution of the values a of an active feature: a > 0, but for `signed_uniform`."""

    mean: float
    """E a."""
    mean_square: float
    """E a²."""
    quantile: Callable[[Any, Any], Any]
    """Magnitudes of float32 u in (0, 1], with the functions `exp`, `log`, `sqrt`, `where` and `full_like` of
    whatever u is. It may fall with u: only the distribution counts."""


def _uniform(u: Any, functions: Any) -> Any:
    return u


def _binary(u: Any, functions: Any) -> Any:
    return functions.full_like(u, 1.0)


def _exponential(u: Any, functions: Any) -> Any:
    return functions.log(u) * -0.5


_LOG_SCALE = 1.0
_LOG_MEAN = log(0.5) - _LOG_SCALE**2 / 2.0


def _lognormal(u: Any, functions: Any) -> Any:
    return functions.exp(standard_normal_quantile(u, functions) * _LOG_SCALE + _LOG_MEAN)


def standard_normal_quantile(u: Any, functions: Any) -> Any:
    """Φ⁻¹(u) to seven digits, for float32 u in (0, 1); 1 counts as the next smaller float32.

    Algorithm AS 241, PPND7 (Wichura 1988, Applied Statistics 37).
    """
    central = u - 0.5
    r = central * central * -1.0 + 0.180625
    middle = (
        central
        * (((r * 59.109374720 + 159.29113202) * r + 50.434271938) * r + 3.3871327179)
        / (((r * 67.187563600 + 78.757757664) * r + 17.895169469) * r + 1.0)
    )
    # The smaller of both tails; 1 - u is exact for u ≥ 1/2.
    upper = u * -1.0 + 1.0
    tail = functions.where(central > 0.0, upper, u)
    tail = functions.where(tail > 2.0**-40, tail, functions.full_like(u, 2.0**-25))
    depth = functions.sqrt(functions.log(tail) * -1.0)
    r = depth - 1.6
    near = (((r * 0.17023821103 + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) / (
        (r * 0.12021132975 + 0.73700164250) * r + 1.0
    )
    r = depth - 5.0
    far = (((r * 0.017337203997 + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150) / (
        (r * 0.012258202635 + 0.24197894225) * r + 1.0
    )
    outside = functions.where(depth > 5.0, far, near)
    signed = functions.where(central > 0.0, outside, outside * -1.0)
    return functions.where(central * central > 0.180625, signed, middle)


def _signed_uniform(u: Any, functions: Any) -> Any:
    return u * 2.0 - 1.0


MAGNITUDES: dict[MagnitudesName, Magnitudes] = {
    "uniform": Magnitudes(1 / 2, 1 / 3, _uniform),
    "binary": Magnitudes(1.0, 1.0, _binary),
    "exponential": Magnitudes(1 / 2, 1 / 2, _exponential),
    "lognormal": Magnitudes(exp(_LOG_MEAN + 0.5), e / 4, _lognormal),
    "signed_uniform": Magnitudes(0.0, 1 / 3, _signed_uniform),
}
"""U[0, 1]; always 1; exponential, mean 1/2; log-normal, mean 1/2 and standard deviation of log a 1; and
U[-1, 1]."""

NAMES: tuple[MagnitudesName, ...] = get_args(MagnitudesName)
