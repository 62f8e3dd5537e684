"""`stream.sample`, compiled: forty times as fast as the same in numpy."""

import numpy as np
from numba import uint32

from superposition_atlas.backends.numba_cache import compile_kernel
from superposition_atlas.sampling.philox import philox_quad

_QUADS = 64  # of one feature at a time: long enough to fill vector lanes, short enough to stay in cache
_LOW_WORD = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(32)


@compile_kernel()
def fill_sample(out, seeds, step, purpose, threshold, scale, offset):  # type: ignore[no-untyped-def]
    """Write x[instance, batch, feature]; thresholds (uint32), scales and offsets are [instance, feature]."""
    n_instances, batch_size, n_features = out.shape
    x = np.empty((4, _QUADS), np.float32)
    zero = np.float32(0.0)
    for instance in range(n_instances):
        key0, key1 = uint32(seeds[instance] & _LOW_WORD), uint32(seeds[instance] >> _HIGH)
        for feature in range(n_features):
            limit, factor = threshold[instance, feature], scale[instance, feature]
            summand = offset[instance, feature]
            for first in range(0, (batch_size + 3) // 4, _QUADS):
                for quad in range(_QUADS):
                    w0, w1, w2, w3 = philox_quad(first + quad, feature, step, purpose, key0, key1)
                    x[0, quad] = np.float32(w0) * factor + summand if w0 <= limit else zero
                    x[1, quad] = np.float32(w1) * factor + summand if w1 <= limit else zero
                    x[2, quad] = np.float32(w2) * factor + summand if w2 <= limit else zero
                    x[3, quad] = np.float32(w3) * factor + summand if w3 <= limit else zero
                for position in range(min(4 * _QUADS, batch_size - 4 * first)):
                    out[instance, 4 * first + position, feature] = x[position % 4, position // 4]


@compile_kernel()
def fill_structured(out, seeds, step, purpose, threshold, scale, offset, structure):  # type: ignore[no-untyped-def]
    """`fill_sample` where features share words: structure is uint32 [instance, feature, 2]."""
    n_instances, batch_size, n_features = out.shape
    words, deciding = np.empty(4, np.uint32), np.empty(4, np.uint32)
    for instance in range(n_instances):
        key0, key1 = uint32(seeds[instance] & _LOW_WORD), uint32(seeds[instance] >> _HIGH)
        for feature in range(n_features):
            limit, factor = threshold[instance, feature], scale[instance, feature]
            summand = offset[instance, feature]
            number, start = structure[instance, feature, 0], structure[instance, feature, 1]
            for quad in range((batch_size + 3) // 4):
                words[0], words[1], words[2], words[3] = philox_quad(quad, feature, step, purpose, key0, key1)
                if number == feature:
                    for k in range(4):
                        deciding[k] = words[k]
                else:
                    deciding[0], deciding[1], deciding[2], deciding[3] = philox_quad(
                        quad, number, step, purpose, key0, key1
                    )
                for k in range(min(4, batch_size - 4 * quad)):
                    is_active = uint32(deciding[k] - start) <= limit
                    x = np.float32(words[k]) * factor + summand
                    out[instance, 4 * quad + k, feature] = x if is_active else np.float32(0.0)
