"""Operations of the fused engine's kernels on rows of samples.

A row holds BLOCK samples of one quantity: one feature, dimension or latent. Rows lie one behind the other in
flat arrays, and an argument such as `start` is the index at which a row begins.
"""

from typing import Any

import numpy as np
from numba import uint64

from superposition_atlas.backends.numba_cache import compile_function
from superposition_atlas.sampling.philox import philox_quad

BLOCK = 256
QUADS = BLOCK // 4
TILE = 8
"""Rows that a weighted sum takes in at a time, at most."""

inlined = compile_function(inline="always")
"""For small functions: a part (`fused_parts`) holds a copy for each call, with its constants."""
# For integers only. A process that compiles a kernel holds two machine codes of a function that it calls, one
# of them inside the kernel, and either may run; a process that loads the kernel holds one. The two may round
# sums differently, so whatever sums floats is inlined.
called = compile_function(error_model="numpy")


@inlined
def draw(x, n_features, first_quad, step, purpose, threshold, scale, key0, key1):  # type: ignore[no-untyped-def]
    """Draws a block of x from the stream; word w of quad q stands at place w · QUADS + q of a row."""
    zero = np.float32(0.0)
    for i in range(n_features):
        largest, factor = threshold[i], scale[i]
        for q in range(QUADS):
            w0, w1, w2, w3 = philox_quad(first_quad + q, i, step, purpose, key0, key1)
            at = i * BLOCK + q
            x[at] = np.float32(w0) * factor if w0 <= largest else zero
            x[at + QUADS] = np.float32(w1) * factor if w1 <= largest else zero
            x[at + 2 * QUADS] = np.float32(w2) * factor if w2 <= largest else zero
            x[at + 3 * QUADS] = np.float32(w3) * factor if w3 <= largest else zero


@inlined
def draw_groups(x, shared, n_features, first_quad, step, purpose, threshold, groups, key0, key1):  # type: ignore[no-untyped-def]
    """Sets features to 0 where the word that they share says so; groups is a row of `structure.shared_words`.

    Before, `draw` has drawn them as if they were always active. shared: (n_features // 2) · BLOCK words.
    """
    most = n_features // 2
    for g in range(groups[0]):
        for q in range(QUADS):
            w0, w1, w2, w3 = philox_quad(first_quad + q, groups[1 + g], step, purpose, key0, key1)
            at = g * BLOCK + q
            shared[at] = w0
            shared[at + QUADS] = w1
            shared[at + 2 * QUADS] = w2
            shared[at + 3 * QUADS] = w3
    for i in range(n_features):
        slot, start, largest = groups[2 + most + i], groups[2 + most + n_features + i], threshold[i]
        if slot < most:
            for s in range(BLOCK):
                is_active = np.uint32(shared[slot * BLOCK + s] - start) <= largest
                x[i * BLOCK + s] = x[i * BLOCK + s] if is_active else np.float32(0.0)


@inlined
def short_sum(out, at, bias, minus, minus_at, weights, first, stride, rows, count, rectifies):  # type: ignore[no-untyped-def]
    """What `long_sum` does, for at most TILE rows: quicker to compile."""
    zero = np.float32(0.0)
    for s in range(BLOCK):
        total = bias - minus[minus_at + s] if minus_at >= 0 else bias
        for k in range(count):
            total += weights[first + k * stride] * rows[k * BLOCK + s]
        out[at + s] = zero if rectifies and total < zero else total


@inlined
def long_sum(out, at, bias, minus, minus_at, weights, first, stride, rows, count, rectifies):  # type: ignore[no-untyped-def]
    """One row: out[at] = bias + Σ_k weights[first + k stride] · rows[k], summed over `count` rows.

    With `minus_at` ≥ 0, that row of `minus` is subtracted. With `rectifies`, ReLU is applied last.
    """
    zero = np.float32(0.0)
    size = -(-count // (-(-count // TILE)))
    whole = (count - 1) // size * size
    for done in range(0, whole, size):
        for s in range(BLOCK):
            if done > 0:
                total = out[at + s]
            elif minus_at >= 0:
                total = bias - minus[minus_at + s]
            else:
                total = bias
            for k in range(size):
                total += weights[first + (done + k) * stride] * rows[(done + k) * BLOCK + s]
            out[at + s] = total
    for s in range(BLOCK):
        if whole > 0:
            total = out[at + s]
        elif minus_at >= 0:
            total = bias - minus[minus_at + s]
        else:
            total = bias
        for k in range(count - whole):
            total += weights[first + (whole + k) * stride] * rows[(whole + k) * BLOCK + s]
        out[at + s] = zero if rectifies and total < zero else total


def weighted_sum(count: int) -> Any:
    """The function that sums `count` rows."""
    return short_sum if count <= TILE else long_sum


@inlined
def correlate(sums, first, stride, row, at, rows, count):  # type: ignore[no-untyped-def]
    """sums[first + k stride] += Σ_s row[at + s] · rows[k][s] for k < count, two at a time."""
    for k in range(0, count - 1, 2):
        one, two = np.float32(0.0), np.float32(0.0)
        for s in range(BLOCK):
            value = row[uint64(at + s)]
            one += value * rows[uint64(k * BLOCK + s)]
            two += value * rows[uint64((k + 1) * BLOCK + s)]
        sums[first + k * stride] += one
        sums[first + (k + 1) * stride] += two
    if count % 2 == 1:
        last = np.float32(0.0)
        for s in range(BLOCK):
            last += row[uint64(at + s)] * rows[uint64((count - 1) * BLOCK + s)]
        sums[first + (count - 1) * stride] += last


@inlined
def add_scaled(out, at, factor, rows, start):  # type: ignore[no-untyped-def]
    """out[at] += factor · rows[start]."""
    for s in range(BLOCK):
        out[uint64(at + s)] += factor * rows[uint64(start + s)]


@inlined
def clear_behind_batch(rows, count, n_samples, value):  # type: ignore[no-untyped-def]
    """Overwrites the places of a block beyond its first n_samples samples."""
    for w in range(4):
        for q in range(QUADS):
            if 4 * q + w >= n_samples:
                for k in range(count):
                    rows[k * BLOCK + w * QUADS + q] = value
