"""Which latents are active, for architectures that choose the largest: in compiled code, on rows of samples.

Equals are told apart as the reference does: the first in order of sample and latent comes first.
"""

import numpy as np

from superposition_atlas.sae.fused.fused_rows import BLOCK, QUADS, add_scaled, called, correlate, inlined

LARGEST_BITS = 2**31 - 1


@inlined
def _count_before(rank, pre, other, own, is_earlier):  # type: ignore[no-untyped-def]
    """Adds 1 to the rank of `own` where the other value is larger, or as large and earlier."""
    one, zero = np.float32(1.0), np.float32(0.0)
    if is_earlier:
        for s in range(BLOCK):
            rank[s] += one if pre[other + s] >= pre[own + s] else zero
    elif other != own:
        for s in range(BLOCK):
            rank[s] += one if pre[other + s] > pre[own + s] else zero


@inlined
def choose_largest(act, rank, pre, k, n_latents):  # type: ignore[no-untyped-def]
    """act = ReLU(pre) of each sample's k largest latents. `rank` is one row for the purpose."""
    zero = np.float32(0.0)
    n_chosen = np.float32(k)
    for j in range(n_latents):
        own = j * BLOCK
        for s in range(BLOCK):
            rank[s] = zero
        for i in range(n_latents):
            _count_before(rank, pre, i * BLOCK, own, i < j)
        for s in range(BLOCK):
            value = pre[own + s]
            act[own + s] = zero if value < zero or rank[s] >= n_chosen else value


@called
def _number_of(bits, least):  # type: ignore[no-untyped-def]
    """How many values are at least `least`."""
    bound = np.int32(least)
    count = np.int32(0)
    for s in range(len(bits)):
        count = np.int32(count + np.int32(bits[s] >= bound))
    return int(count)


@called
def cut(bits, wanted, guess):  # type: ignore[no-untyped-def]
    """A bound that `wanted` positive values reach: bound, and how many too many reach it, as equals of the
    last. 1 and 0 where there are not so many positive values.

    Values are floats as integers, which keep their order, down to 0; negative ones stay below 0. The guess
    only saves time.
    """
    low, high = 1, LARGEST_BITS  # those that reach low are enough, those that reach high too few
    at_low = _number_of(bits, low)
    if at_low <= wanted:
        return low, 0
    bound, reach = guess, 1 << 17
    while low < bound < high:  # outwards from the guess, until the bound is enclosed
        count = _number_of(bits, bound)
        if count >= wanted:
            low, at_low = bound, count
            bound += reach
        else:
            high = bound
            bound -= reach
        reach *= 4
    while at_low > wanted and high - low > 1:
        bound = low + (high - low) // 2
        count = _number_of(bits, bound)
        if count >= wanted:
            low, at_low = bound, count
        else:
            high = bound
    return low, at_low - wanted


@called
def drop_last(bits, n_blocks, n_latents, bound, surplus):  # type: ignore[no-untyped-def]
    """Makes the last `surplus` of the values that equal the bound, by sample and latent, one bit less."""
    for block in range(n_blocks - 1, -1, -1):
        for sample in range(BLOCK - 1, -1, -1):
            place = block * n_latents * BLOCK + sample % 4 * QUADS + sample // 4
            for j in range(n_latents - 1, -1, -1):
                if bits[place + j * BLOCK] == bound:
                    if surplus == 0:
                        return
                    bits[place + j * BLOCK] = bound - 1
                    surplus -= 1


@called
def least_from(bits, bound):  # type: ignore[no-untyped-def]
    """The least value of at least `bound`."""
    least = np.int32(LARGEST_BITS)
    start = np.int32(bound)
    for s in range(len(bits)):
        least = min(least, bits[s] if bits[s] >= start else np.int32(LARGEST_BITS))
    return least


@inlined
def reconstruct_by_dead(  # type: ignore[no-untyped-def]
    auxiliary, out, rank, pre, p_at, residual, r_at, unit, is_dead, n_dead, k_aux, n_hidden, n_latents
):  # fmt: skip
    """AuxK's activations of the dead latents, and in `out` its residual ê - e."""
    zero = np.float32(0.0)
    for s in range(n_hidden * BLOCK):
        out[s] = residual[r_at + s]
    for j in range(n_latents):
        if not is_dead[j]:
            continue
        own = p_at + j * BLOCK
        for s in range(BLOCK):
            rank[s] = zero
        if n_dead > k_aux:
            for i in range(n_latents):
                if is_dead[i]:
                    _count_before(rank, pre, p_at + i * BLOCK, own, i < j)
        for s in range(BLOCK):
            is_in = rank[s] < np.float32(k_aux) and pre[own + s] > zero
            auxiliary[j * BLOCK + s] = pre[own + s] if is_in else zero
        for d in range(n_hidden):
            add_scaled(out, d * BLOCK, unit[j * n_hidden + d], auxiliary, j * BLOCK)


@inlined
def add_slopes_of_dead(  # type: ignore[no-untyped-def]
    gradient, W_dec, slope_sum, slope, auxiliary, error, centred, c_at, unit, is_dead, alpha, n_hidden,
    n_latents,
):  # fmt: skip
    """AuxK's gradients, α times those of ‖ê - e‖² / 2. `W_dec` is where the decoder's begin."""
    zero = np.float32(0.0)
    for j in range(n_latents):
        if not is_dead[j]:
            continue
        own = j * BLOCK
        for s in range(BLOCK):
            slope[s] = zero
        for d in range(n_hidden):
            add_scaled(slope, 0, alpha * unit[j * n_hidden + d], error, d * BLOCK)
        slopes = zero
        for s in range(BLOCK):
            slope[s] = slope[s] if auxiliary[own + s] > zero else zero
            slopes += slope[s]
            auxiliary[own + s] *= alpha
        slope_sum[j] += slopes
        correlate(gradient, j, n_latents, slope, 0, centred, c_at, n_hidden)
        correlate(gradient, W_dec + j * n_hidden, 1, auxiliary, own, error, 0, n_hidden)
