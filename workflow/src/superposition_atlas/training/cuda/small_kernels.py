"""Many steps of one small toy model in one launch; see `cuda_small`."""

import triton
import triton.language as tl

from superposition_atlas.sampling.triton_stream import EVALUATION, INPUTS, magnitude, philox_quad
from superposition_atlas.training.cuda.step_kernel import error, updated


@triton.jit
def _load_row(start, LENGTH: tl.constexpr):
    row = ()
    for i in tl.static_range(LENGTH):
        row += (tl.load(start + i),)
    return row


@triton.jit
def _store_row(start, row, LENGTH: tl.constexpr):
    for i in tl.static_range(LENGTH):
        tl.store(start + i, row[i])


@triton.jit
def _draw(
    quad, step, purpose: tl.constexpr, key0, key1, threshold, scale, offset, structure,
    N: tl.constexpr, MAGNITUDES: tl.constexpr, STRUCTURED: tl.constexpr,
):  # fmt: skip
    """x of four samples a lane: feature i of sample j at 4·i + j."""
    x = ()
    for i in tl.static_range(N):
        words = philox_quad(
            quad, tl.full((), i, tl.uint32), step, tl.full((), purpose, tl.uint32), key0, key1
        )
        deciding = words
        start = tl.full((), 0, tl.uint32)
        if STRUCTURED:
            start = structure[2 * i + 1]
            deciding = philox_quad(quad, structure[2 * i], step, tl.full((), purpose, tl.uint32), key0, key1)
        for j in tl.static_range(4):
            x += (magnitude(words[j], deciding[j], start, threshold[i], scale[i], offset[i], MAGNITUDES),)
    return x


@triton.jit
def _sums(parts, LENGTH: tl.constexpr, LANES: tl.constexpr):
    """The sum over the lanes of each of LENGTH blocks. Sixteen go together: warps meet once for them."""
    GROUPS: tl.constexpr = (LENGTH + 15) // 16
    for _i in tl.static_range(GROUPS * 16 - LENGTH):
        parts += (tl.zeros([LANES], tl.float32),)
    sums = ()
    for group in tl.static_range(GROUPS):
        joined = ()
        for i in tl.static_range(16):
            joined += (parts[group * 16 + i],)
        for level in tl.static_range(4):
            pairs = ()
            for i in tl.static_range(8 >> level):
                pairs += (tl.join(joined[i], joined[i + (8 >> level)]),)
            joined = pairs
        found = (tl.sum(joined[0], axis=0),)
        # Apart again, in the opposite order of axes.
        for level in tl.static_range(4):
            low, high = (), ()
            for i in tl.static_range(1 << level):
                first, second = tl.split(found[i])
                low += (first,)
                high += (second,)
            found = low + high
        sums += found
    return sums


@triton.jit
def _forward(x, j: tl.constexpr, w, centre, N: tl.constexpr, M: tl.constexpr, CENTRED: tl.constexpr):
    """Inputs as W sees them, h and z of sample j."""
    seen = ()
    for i in tl.static_range(N):
        if CENTRED:
            seen += (x[4 * i + j] - centre[i],)
        else:
            seen += (x[4 * i + j],)
    h = ()
    for k in tl.static_range(M):
        value = seen[0] * w[k * N]
        for i in tl.static_range(1, N):
            value += seen[i] * w[k * N + i]
        h += (value,)
    z = ()
    for i in tl.static_range(N):
        value = w[M * N + i]
        for k in tl.static_range(M):
            value += h[k] * w[k * N + i]
        z += (value,)
    return seen, h, z


# What changes from call to call is no constant of the kernel.
@triton.jit(
    do_not_specialize=[
        "first_step",
        "n_steps",
        "batch_size",
        "to_mean",
        "n_outputs",
        "weight_decay",
        "momentum",
    ]
)
def take_steps(
    weights, mean, square, loss_sum,
    importance, threshold, scale, offset, centre, keys, structure,
    rates, corrections, decays,
    first_step, n_steps, batch_size, to_mean, n_outputs,
    weight_decay, momentum,
    N: tl.constexpr, M: tl.constexpr, RELU: tl.constexpr, CENTRED: tl.constexpr, MAGNITUDES: tl.constexpr,
    STRUCTURED: tl.constexpr, LANES: tl.constexpr, OPTIMIZER: tl.constexpr, TRAINS_BIAS: tl.constexpr,
    WHOLE: tl.constexpr,
):  # fmt: skip
    """n_steps steps of one instance. WHOLE: the batch is a multiple of the samples of a turn, 4 · LANES."""
    LENGTH: tl.constexpr = N * (M + 1)
    N_TRAINED: tl.constexpr = LENGTH if TRAINS_BIAS else N * M
    instance = tl.program_id(0).to(tl.int64)
    w = _load_row(weights + instance * LENGTH, LENGTH)
    m = _load_row(mean + instance * LENGTH, LENGTH)
    v = _load_row(square + instance * LENGTH, LENGTH)
    importances = _load_row(importance + instance * N, N)
    thresholds = _load_row(threshold + instance * N, N)
    scales = _load_row(scale + instance * N, N)
    offsets = _load_row(offset + instance * N, N)
    centres = _load_row(centre + instance * N, N)
    shared = _load_row(structure + instance * 2 * N, 2 * N)
    key0, key1 = tl.load(keys + 2 * instance), tl.load(keys + 2 * instance + 1)
    total = tl.load(loss_sum + instance)
    lane = tl.arange(0, LANES)

    for turn in range(n_steps):
        step = (first_step + turn).to(tl.uint32)
        loss = tl.zeros([LANES], tl.float64)
        gradient = ()
        for _i in tl.static_range(LENGTH):
            gradient += (tl.zeros([LANES], tl.float32),)
        for first_quad in range(0, (batch_size + 3) // 4, LANES):
            quad = first_quad + lane
            x = _draw(
                quad.to(tl.uint32), step, INPUTS, key0, key1, thresholds, scales, offsets, shared,
                N, MAGNITUDES, STRUCTURED,
            )  # fmt: skip
            chunk_loss = tl.zeros([LANES], tl.float32)
            for j in tl.static_range(4):
                seen, h, z = _forward(x, j, w, centres, N, M, CENTRED)
                g = ()
                for i in tl.static_range(N):
                    e, weighted, slope = error(z[i], x[4 * i + j], importances[i], RELU)
                    term = weighted * e
                    if not WHOLE:
                        is_sample = 4 * quad + j < batch_size
                        slope = tl.where(is_sample, slope, 0.0)
                        term = tl.where(is_sample, term, 0.0)
                    chunk_loss += term
                    g += (slope,)
                added = ()
                for k in tl.static_range(M):
                    back = g[0] * w[k * N]
                    for i in tl.static_range(1, N):
                        back += g[i] * w[k * N + i]
                    for i in tl.static_range(N):
                        added += (gradient[k * N + i] + h[k] * g[i] + back * seen[i],)
                for i in tl.static_range(N):
                    added += (gradient[M * N + i] + g[i],)
                gradient = added
            loss += chunk_loss.to(tl.float64)

        # A lane's loss is summed in float64, and the lanes' losses are few.
        parts = gradient
        parts += (loss.to(tl.float32),)
        sums = _sums(parts, LENGTH + 1, LANES)
        total += sums[LENGTH].to(tl.float64) / n_outputs
        rate, correction, decay = tl.load(rates + turn), tl.load(corrections + turn), tl.load(decays + turn)
        new_w, new_m, new_v = (), (), ()
        for i in tl.static_range(LENGTH):
            if i < N_TRAINED:
                slope = sums[i] * to_mean
                one_w, one_m, one_v = updated(
                    w[i], m[i], v[i], slope, rate, correction, decay, weight_decay, momentum, OPTIMIZER
                )
                new_w += (one_w,)
                new_m += (one_m,)
                new_v += (one_v,)
            else:
                new_w += (w[i],)
                new_m += (m[i],)
                new_v += (v[i],)
        w, m, v = new_w, new_m, new_v

    _store_row(weights + instance * LENGTH, w, LENGTH)
    _store_row(mean + instance * LENGTH, m, LENGTH)
    _store_row(square + instance * LENGTH, v, LENGTH)
    tl.store(loss_sum + instance, total)


@triton.jit
def sum_losses(
    weights, losses,
    importance, threshold, scale, offset, centre, keys, structure, n_samples,
    N: tl.constexpr, M: tl.constexpr, RELU: tl.constexpr, CENTRED: tl.constexpr, MAGNITUDES: tl.constexpr,
    STRUCTURED: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Held-out losses of one instance, feature by feature, summed over samples (a multiple of 4 · LANES)."""
    instance = tl.program_id(0).to(tl.int64)
    w = _load_row(weights + instance * N * (M + 1), N * (M + 1))
    importances = _load_row(importance + instance * N, N)
    thresholds = _load_row(threshold + instance * N, N)
    scales = _load_row(scale + instance * N, N)
    offsets = _load_row(offset + instance * N, N)
    centres = _load_row(centre + instance * N, N)
    shared = _load_row(structure + instance * 2 * N, 2 * N)
    key0, key1 = tl.load(keys + 2 * instance), tl.load(keys + 2 * instance + 1)
    lane = tl.arange(0, LANES)
    sums = ()
    for _i in tl.static_range(N):
        sums += (tl.zeros([LANES], tl.float64),)
    for first_quad in range(0, n_samples // 4, LANES):
        quad = (first_quad + lane).to(tl.uint32)
        step = tl.full((), 0, tl.uint32)
        x = _draw(
            quad, step, EVALUATION, key0, key1, thresholds, scales, offsets, shared, N, MAGNITUDES, STRUCTURED
        )
        for j in tl.static_range(4):
            z = _forward(x, j, w, centres, N, M, CENTRED)[2]
            added = ()
            for i in tl.static_range(N):
                e, weighted, _g = error(z[i], x[4 * i + j], importances[i], RELU)
                added += (sums[i] + (weighted * e).to(tl.float64),)
            sums = added
    for i in tl.static_range(N):
        tl.store(losses + instance * N + i, tl.sum(sums[i], axis=0))
