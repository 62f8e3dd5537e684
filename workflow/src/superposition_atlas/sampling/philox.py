"""Philox4x32 for compiled kernels: the words of `stream.words`, four at a time."""

import numpy as np
from numba import uint32, uint64

from superposition_atlas.backends.numba_cache import compile_function
from superposition_atlas.sampling.stream import MULTIPLIERS, ROUNDS, WEYL_INCREMENTS

_MULTIPLIER_0, _MULTIPLIER_1 = (np.uint64(multiplier) for multiplier in MULTIPLIERS)


_WEYL_0, _WEYL_1 = (np.uint32(increment) for increment in WEYL_INCREMENTS)


_HIGH = np.uint64(32)


@compile_function(inline="always")
def philox_quad(quad, feature, step, purpose, key0, key1):  # type: ignore[no-untyped-def]
    """The four words of `stream.words` at positions 4·quad … 4·quad + 3. All arguments are uint32."""
    c0, c1, c2, c3 = uint32(quad), uint32(feature), uint32(step), uint32(purpose)
    k0, k1 = uint32(key0), uint32(key1)
    for _ in range(ROUNDS):
        product0 = uint64(c0) * _MULTIPLIER_0
        product1 = uint64(c2) * _MULTIPLIER_1
        c0 = uint32(product1 >> _HIGH) ^ c1 ^ k0
        c1 = uint32(product1)
        c2 = uint32(product0 >> _HIGH) ^ c3 ^ k1
        c3 = uint32(product0)
        k0 = uint32(k0 + _WEYL_0)
        k1 = uint32(k1 + _WEYL_1)
    return c0, c1, c2, c3
