"""Selection of the largest latents and AuxK, on rows of samples in compiled code.

Among equal values the first in order of sample and latent wins, as in the reference (`selection`).
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
def bound_of_largest(bits, wanted, guess):  # type: ignore[no-untyped-def]
    """The largest bound that at least `wanted` positive values are not below, and how many more than that.

    The surplus are values that equal the bound. With fewer positive values than wanted it is 1 and 0. Values
    are the bits of floats as integers, which have the order of the floats where these are positive, and are
    negative where these are. The guess only saves time.
    """
    low, high = 1, LARGEST_BITS  # at least `wanted` values are not below low, fewer are not below high
    at_low = _number_of(bits, low)
    if at_low <= wanted:
        return low, 0
    bound, stride = guess, 1 << 17
    while low < bound < high:  # outwards from the guess, until the bound lies between low and high
        count = _number_of(bits, bound)
        if count >= wanted:
            low, at_low = bound, count
            bound += stride
        else:
            high = bound
            bound -= stride
        stride *= 4
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
    """Lowers the last `surplus` values that equal the bound, in order of sample and latent, below it."""
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
def reconstruct_by_dead(rows, p_at, r_at, model, n_dead, n_hidden, n_latents):  # type: ignore[no-untyped-def]
    """AuxK's activations of the dead latents, and its residual ê - e; the error -e stands at `r_at`."""
    zero = np.float32(0.0)
    pre, rank = rows.pre_activations, rows.slope
    k_aux = max(1, n_hidden // 2)
    for s in range(n_hidden * BLOCK):
        rows.other_residual[s] = rows.residual[r_at + s]
    for j in range(n_latents):
        if not model.is_dead[j]:
            continue
        own = p_at + j * BLOCK
        for s in range(BLOCK):
            rank[s] = zero
        if n_dead > k_aux:
            for i in range(n_latents):
                if model.is_dead[i]:
                    _count_before(rank, pre, p_at + i * BLOCK, own, i < j)
        for s in range(BLOCK):
            is_in = rank[s] < np.float32(k_aux) and pre[own + s] > zero
            rows.other_activations[j * BLOCK + s] = pre[own + s] if is_in else zero
        for d in range(n_hidden):
            weight = model.unit[j * n_hidden + d]
            add_scaled(rows.other_residual, d * BLOCK, weight, rows.other_activations, j * BLOCK)


@inlined
def add_slopes_of_dead(sums, sizes, model, alpha, rows, c_at):  # type: ignore[no-untyped-def]
    """AuxK's gradient, α times that of ‖ê - e‖² / 2.

    With f the dead latents' activations and q = α (f Ŵ_dec + r) it adds 1[f_j > 0] Σ_d q_d Ŵ_dec[j, d] to
    δ_j, and Σ f_j q_d to the gradient of Ŵ_dec[j, d].
    """
    zero = np.float32(0.0)
    n_hidden, n_latents = sizes.n_hidden, sizes.n_latents
    slope, activations, error = rows.slope, rows.other_activations, rows.other_residual
    for j in range(n_latents):
        if not model.is_dead[j]:
            continue
        own = j * BLOCK
        for s in range(BLOCK):
            slope[s] = zero
        for d in range(n_hidden):
            add_scaled(slope, 0, alpha * model.unit[j * n_hidden + d], error, d * BLOCK)
        slopes = zero
        for s in range(BLOCK):
            slope[s] = slope[s] if activations[own + s] > zero else zero
            slopes += slope[s]
            activations[own + s] *= alpha
        sums.slopes[j] += slopes
        correlate(sums.gradient, j, n_latents, slope, 0, rows.centred, c_at, n_hidden)
        correlate(sums.gradient, sizes.W_dec + j * n_hidden, 1, activations, own, error, 0, n_hidden)
