"""The stream in Triton's language: the words of `stream.words`, what a word means, and whole batches.

The quantiles are those of `magnitudes.py` once more, since Triton compiles the text of a function; a test
holds them together.
"""

import triton
import triton.language as tl

from superposition_atlas.sampling import magnitudes, stream

_ROUNDS = tl.constexpr(stream.ROUNDS)
_MULTIPLIER_0, _MULTIPLIER_1 = (tl.constexpr(value) for value in stream.MULTIPLIERS)
_WEYL_0, _WEYL_1 = (tl.constexpr(value) for value in stream.WEYL_INCREMENTS)
_LOG_SCALE = tl.constexpr(magnitudes._LOG_SCALE)
_LOG_MEAN = tl.constexpr(magnitudes._LOG_MEAN)

INPUTS = tl.constexpr(int(stream.Purpose.INPUTS))
EVALUATION = tl.constexpr(int(stream.Purpose.EVALUATION))


@triton.jit
def philox_quad(quad, feature, step, purpose, key0, key1):
    """The four words at positions 4·quad … 4·quad + 3. All arguments are uint32, scalars or blocks."""
    c0, c1, c2, c3 = quad, feature, step, purpose
    k0, k1 = key0, key1
    for _ in tl.static_range(_ROUNDS):
        product0 = c0.to(tl.uint64) * tl.full((), _MULTIPLIER_0, tl.uint64)
        product1 = c2.to(tl.uint64) * tl.full((), _MULTIPLIER_1, tl.uint64)
        c0 = (product1 >> 32).to(tl.uint32) ^ c1 ^ k0
        c1 = product1.to(tl.uint32)
        c2 = (product0 >> 32).to(tl.uint32) ^ c3 ^ k1
        c3 = product0.to(tl.uint32)
        k0 = k0 + tl.full((), _WEYL_0, tl.uint32)
        k1 = k1 + tl.full((), _WEYL_1, tl.uint32)
    return c0, c1, c2, c3


@triton.jit
def magnitude(word, deciding, start, threshold, scale, offset, MAGNITUDES: tl.constexpr):
    """x of a feature's word and of the word that decides about it: 0, or the magnitude if it is active."""
    u = word.to(tl.float32) * scale
    if MAGNITUDES == "uniform":
        x = u
    elif MAGNITUDES == "binary":
        x = u * 0.0 + 1.0
    elif MAGNITUDES == "signed_uniform":
        x = (u + offset) * 2.0 - 1.0
    elif MAGNITUDES == "exponential":
        x = tl.log(u + offset) * -0.5
    else:
        x = tl.exp(_standard_normal_quantile(u + offset) * _LOG_SCALE + _LOG_MEAN)
    return tl.where(deciding - start <= threshold, x, 0.0)


@triton.jit
def _standard_normal_quantile(u):
    """`magnitudes.standard_normal_quantile`, line by line."""
    central = u - 0.5
    r = 0.180625 - central * central
    middle = (
        central
        * (((r * 59.109374720 + 159.29113202) * r + 50.434271938) * r + 3.3871327179)
        / (((r * 67.187563600 + 78.757757664) * r + 17.895169469) * r + 1.0)
    )
    tail = tl.where(central > 0.0, 1.0 - u, u)
    tail = tl.where(tail > 2.0**-40, tail, 2.0**-25)
    depth = tl.sqrt(-tl.log(tail))
    r = depth - 1.6
    near = (((r * 0.17023821103 + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777) / (
        (r * 0.12021132975 + 0.73700164250) * r + 1.0
    )
    r = depth - 5.0
    far = (((r * 0.017337203997 + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150) / (
        (r * 0.012258202635 + 0.24197894225) * r + 1.0
    )
    outside = tl.where(depth > 5.0, far, near)
    signed = tl.where(central > 0.0, outside, -outside)
    return tl.where(central * central > 0.180625, signed, middle)


@triton.jit
def draw(
    x, threshold, scale, offset, centre, keys, structure, clock, batch_size, n,
    PURPOSE: tl.constexpr, CENTRED: tl.constexpr, MAGNITUDES: tl.constexpr, STRUCTURED: tl.constexpr,
    QUADS: tl.constexpr, FEATURES: tl.constexpr,
):  # fmt: skip
    """x[instance, sample, feature] of the step that the clock shows, less the centre where W wants it so."""
    instance = tl.program_id(0).to(tl.int64)
    quad = tl.program_id(1) * QUADS + tl.arange(0, QUADS)[:, None]
    feature = tl.program_id(2) * FEATURES + tl.arange(0, FEATURES)[None, :]
    is_feature = feature < n
    own = instance * n + feature
    step = tl.load(clock).to(tl.uint32)
    key0, key1 = tl.load(keys + 2 * instance), tl.load(keys + 2 * instance + 1)
    words = philox_quad(
        quad.to(tl.uint32), feature.to(tl.uint32), step, tl.full((), PURPOSE, tl.uint32), key0, key1
    )
    deciding, start = words, tl.zeros([1, FEATURES], tl.uint32)
    if STRUCTURED:
        number = tl.load(structure + 2 * own, mask=is_feature, other=0)
        start = tl.load(structure + 2 * own + 1, mask=is_feature, other=0)
        deciding = philox_quad(quad.to(tl.uint32), number, step, tl.full((), PURPOSE, tl.uint32), key0, key1)
    limit = tl.load(threshold + own, mask=is_feature, other=0)
    factor = tl.load(scale + own, mask=is_feature, other=0.0)
    summand = tl.load(offset + own, mask=is_feature, other=1.0)
    for j in tl.static_range(4):
        sample = 4 * quad + j
        value = magnitude(words[j], deciding[j], start, limit, factor, summand, MAGNITUDES)
        if CENTRED:
            value = value - tl.load(centre + own, mask=is_feature, other=0.0)
        place = x + (instance * batch_size + sample) * n + feature
        tl.store(place, value, mask=is_feature & (sample < batch_size))
