"""Kernels between the matrix products of a step of wide toy models; see `cuda_wide`."""

import triton
import triton.language as tl

from superposition_atlas.training.cuda.step_kernel import error, updated


@triton.jit
def respond(
    z, x, rows, importance, centre, part_b, part_loss,
    batch_size, n, m, n_blocks,
    RELU: tl.constexpr, CENTRED: tl.constexpr, ROWS: tl.constexpr, FEATURES: tl.constexpr,
):  # fmt: skip
    """Replaces z (without b) by g, and sums g and I e² over the samples of a block."""
    instance, block = tl.program_id(0).to(tl.int64), tl.program_id(1)
    sample = block * ROWS + tl.arange(0, ROWS)[:, None]
    feature = tl.program_id(2) * FEATURES + tl.arange(0, FEATURES)[None, :]
    is_feature = feature < n
    is_there = is_feature & (sample < batch_size)
    place = (instance * batch_size + sample) * n + feature
    own_importance = tl.load(importance + instance * n + feature, mask=is_feature, other=0.0)
    bias = tl.load(rows + instance * n * (m + 1) + n * m + feature, mask=is_feature, other=0.0)
    target = tl.load(x + place, mask=is_there, other=0.0)
    if CENTRED:
        target = target + tl.load(centre + instance * n + feature, mask=is_feature, other=0.0)
    z_there = tl.load(z + place, mask=is_there, other=0.0) + bias
    e, weighted, g = error(z_there, target, own_importance, RELU)
    g = tl.where(is_there, g, 0.0)
    tl.store(z + place, g, mask=is_there)
    part = (instance * n_blocks + block) * n + feature
    of_block = tl.where(is_there, weighted * e, 0.0)
    tl.store(part_b + part, tl.sum(g, axis=0)[None, :], mask=is_feature)
    tl.store(part_loss + part, tl.sum(of_block, axis=0)[None, :], mask=is_feature)


@triton.jit
def update_weights(
    rows, mean, square, gradient, W, coefficients, clock,
    to_mean, weight_decay, momentum, n_W, length,
    OPTIMIZER: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The optimizer's step of W, in its rows and in its own place."""
    instance = tl.program_id(0).to(tl.int64)
    i = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    is_weight = i < n_W
    place = instance * length + i
    turn = tl.load(clock + 1)
    rate = tl.load(coefficients + turn)
    correction = tl.load(coefficients + STEPS + turn)
    decay = tl.load(coefficients + 2 * STEPS + turn)
    w, m, v = updated(
        tl.load(rows + place, mask=is_weight, other=0.0),
        tl.load(mean + place, mask=is_weight, other=0.0),
        tl.load(square + place, mask=is_weight, other=0.0),
        tl.load(gradient + instance * n_W + i, mask=is_weight, other=0.0) * to_mean,
        rate, correction, decay, weight_decay, momentum, OPTIMIZER,
    )  # fmt: skip
    tl.store(rows + place, w, mask=is_weight)
    tl.store(W + instance * n_W + i, w, mask=is_weight)
    tl.store(mean + place, m, mask=is_weight)
    tl.store(square + place, v, mask=is_weight)


@triton.jit
def update_biases(
    rows, mean, square, loss_sum, part_b, part_loss,
    coefficients, clock, to_mean, n_outputs, weight_decay, momentum,
    n, n_W, n_blocks,
    OPTIMIZER: tl.constexpr, TRAINS_BIAS: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The optimizer's step of one instance's b, and its loss."""
    instance = tl.program_id(0).to(tl.int64)
    turn = tl.load(clock + 1)
    rate = tl.load(coefficients + turn)
    correction = tl.load(coefficients + STEPS + turn)
    decay = tl.load(coefficients + 2 * STEPS + turn)
    losses = tl.zeros([BLOCK], tl.float64)
    for first in range(0, n, BLOCK):
        feature = first + tl.arange(0, BLOCK)
        is_feature = feature < n
        slope = tl.zeros([BLOCK], tl.float32)
        for block in range(n_blocks):
            part = (instance * n_blocks + block) * n + feature
            slope += tl.load(part_b + part, mask=is_feature, other=0.0)
            losses += tl.load(part_loss + part, mask=is_feature, other=0.0).to(tl.float64)
        if TRAINS_BIAS:
            place = instance * (n_W + n) + n_W + feature
            w, m, v = updated(
                tl.load(rows + place, mask=is_feature, other=0.0),
                tl.load(mean + place, mask=is_feature, other=0.0),
                tl.load(square + place, mask=is_feature, other=0.0),
                slope * to_mean,
                rate, correction, decay, weight_decay, momentum, OPTIMIZER,
            )  # fmt: skip
            tl.store(rows + place, w, mask=is_feature)
            tl.store(mean + place, m, mask=is_feature)
            tl.store(square + place, v, mask=is_feature)
    tl.store(loss_sum + instance, tl.load(loss_sum + instance) + tl.sum(losses, axis=0) / n_outputs)
