"""Selection of the largest latents and AuxK, on rows of samples in compiled code.

Among equal values the first in order of sample and latent wins, as in the reference (`selection`).
"""

import numpy as np

from superposition_atlas.backends.numba_cache import compile_part
from superposition_atlas.sae.fused.fused_form import Form, Part
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


def mark_dead(form: Form) -> Part:
    """Marks the latents that fired in none of the last steps, and counts them."""
    N_LATENTS = form.n_latents

    @compile_part
    def mark_them(is_dead, last_fired, step, dead_window):  # type: ignore[no-untyped-def]
        first = step - dead_window if step > dead_window else 0
        n_dead = 0
        for j in range(N_LATENTS):
            is_dead[j] = last_fired[j] < first
            n_dead += is_dead[j]
        return n_dead

    return mark_them


def reconstruct_by_dead(form: Form) -> Part:
    """AuxK's activations of the dead latents, and its residual ê - e; -e is the residual of all latents."""
    N_HIDDEN, N_LATENTS = form.n_hidden, form.n_latents
    K_AUX = max(1, form.n_hidden // 2)

    @compile_part
    def reconstruct_it(rows, model, n_dead, n_hidden):  # type: ignore[no-untyped-def]
        zero = np.float32(0.0)
        pre, rank, residual = rows.pre_activations, rows.slope, rows.residual[len(rows.residual) - 1]
        for s in range(N_HIDDEN * BLOCK):
            rows.other_residual[s] = residual[s]
        for j in range(N_LATENTS):
            if not model.is_dead[j]:
                continue
            own = j * BLOCK
            for s in range(BLOCK):
                rank[s] = zero
            if n_dead > K_AUX:
                for i in range(N_LATENTS):
                    if model.is_dead[i]:
                        _count_before(rank, pre, i * BLOCK, own, i < j)
            for s in range(BLOCK):
                is_in = rank[s] < np.float32(K_AUX) and pre[own + s] > zero
                rows.other_activations[own + s] = pre[own + s] if is_in else zero
            for d in range(n_hidden):
                weight = model.unit[j * N_HIDDEN + d]
                add_scaled(rows.other_residual, d * BLOCK, weight, rows.other_activations, own)

    return reconstruct_it


def add_slopes_of_dead(form: Form) -> Part:
    """AuxK's gradient, α times that of ‖ê - e‖² / 2.

    With f the dead latents' activations and q = α (f Ŵ_dec + r) it adds 1[f_j > 0] Σ_d q_d Ŵ_dec[j, d] to
    δ_j, and Σ f_j q_d to the gradient of Ŵ_dec[j, d].
    """
    N_HIDDEN, N_LATENTS, W_DEC = form.n_hidden, form.n_latents, form.sizes.W_dec

    @compile_part
    def add_them(rows, sums, model, alpha, n_hidden):  # type: ignore[no-untyped-def]
        zero = np.float32(0.0)
        slope, activations, error = rows.slope, rows.other_activations, rows.other_residual
        for j in range(N_LATENTS):
            if not model.is_dead[j]:
                continue
            own = j * BLOCK
            for s in range(BLOCK):
                slope[s] = zero
            for d in range(n_hidden):
                add_scaled(slope, 0, alpha * model.unit[j * N_HIDDEN + d], error, d * BLOCK)
            slopes = zero
            for s in range(BLOCK):
                slope[s] = slope[s] if activations[own + s] > zero else zero
                slopes += slope[s]
                activations[own + s] *= alpha
            sums.slopes[j] += slopes
            correlate(sums.gradient, j, N_LATENTS, slope, 0, rows.centred, n_hidden)
            correlate(sums.gradient, W_DEC + j * N_HIDDEN, 1, activations, own, error, n_hidden)

    return add_them
