"""One step of an instance, traced: the gradient of one batch, as five matrix products over chunks of it.

With z = Wᵀ h + b, e = x' - x and g_i = I_i e_i where x'_i > 0 (else 0), the sums over the batch are

    loss: Σ_i I_i e_i²        b: g        W: h gᵀ + (W g) xᵀ

A matrix lies as [row, sample of the chunk], so that samples fill the lanes of every product, and no small
number of features or hidden dimensions leaves lanes empty. In h = W x, z and back = W g a lane is an output,
and a tile of outputs stays in registers while the sum runs. In h gᵀ + back xᵀ the sum runs over the samples:
a tile of sixteen sums keeps sixteen part-sums each, and they are merged once a chunk.

One program serves all sizes. Unrolling the whole step of a 5→2 model so that nothing leaves the registers
gains 10 %, and from 6→2 on it loses to this.
"""

from superposition_atlas.training.lanes import (
    LANES,
    Memory,
    Traced,
    Variable,
    lane_sums,
    long,
    loop,
    loop_over_tiles,
    multiply_add,
)
from superposition_atlas.training.traced_batch import BLOCK, TracedBatch

CHUNK = 256
"""Samples of a chunk: a multiple of BLOCK. Four matrices of a chunk lie in scratch memory."""

_HIDDEN_TILE = 12  # times two vectors: the sums of a tile fit in 32 registers
_FEATURE_TILE = 8
_GRADIENT_TILE = 4  # times 4, or more features where there are fewer hidden dimensions: at most 16 sums
_HALVES = range(BLOCK // LANES)


def scratch_size(n_features: int, n_hidden: int) -> int:
    """float32 elements of scratch memory that a step needs."""
    return 2 * CHUNK * (n_features + n_hidden) + LANES * n_features


def trace_gradient(batch: TracedBatch) -> Traced:
    """Write the sums over the batch: W's and b's to the (cleared) gradient, the loss as what is returned.

    The gradient of the mean loss is theirs times 2 / (batch_size · n_features), which is left to the caller.
    """
    n, m, builder = batch.n_features, batch.n_hidden, batch.builder
    x = batch.scratch
    g = x.from_index(CHUNK * n)
    h = g.from_index(CHUNK * n)
    back = h.from_index(CHUNK * m)
    sum_b = back.from_index(CHUNK * m)  # sixteen part-sums for each feature
    sum_loss, zeros = Variable(builder), Variable(builder).get()
    with loop(long(builder, n)) as i:
        sum_b.store_lanes(zeros, i * LANES)

    blocks_of_chunk = CHUNK // BLOCK
    with loop((batch.n_blocks + (blocks_of_chunk - 1)) // blocks_of_chunk) as chunk:
        first = chunk * blocks_of_chunk
        left = batch.n_blocks - first
        n_blocks = left.where(left < blocks_of_chunk, long(builder, blocks_of_chunk))
        with loop(n_blocks) as block:
            sample = block * BLOCK
            x_block, h_block, g_block = (row.from_index(sample) for row in (x, h, g))
            _draw(batch, first + block, x_block)
            _project(batch, x_block, h_block)
            _reconstruct(batch, first + block, x_block, h_block, g_block, sum_b, sum_loss)
            _project(batch, g_block, back.from_index(sample))
        _add_gradient(batch, n_blocks * len(_HALVES), x, g, h, back)

    with loop(long(builder, n)) as i:
        batch.bias_gradient.store(sum_b.load_lanes(i * LANES).sum(), i)
    return sum_loss.get().sum()


def _draw(batch: TracedBatch, block: Traced, x: Memory) -> None:
    """The inputs of one block."""
    with loop(long(batch.builder, batch.n_features)) as i:
        for half, values in enumerate(batch.inputs(block, i)):
            x.store_lanes(values, i * CHUNK + half * LANES)


def _project(batch: TracedBatch, values: Memory, projected: Memory) -> None:
    """projected = W values, for one block."""

    def tile(start: Traced, size: int) -> None:
        sums = [[Variable(batch.builder) for _ in _HALVES] for _ in range(size)]
        with loop(long(batch.builder, batch.n_features)) as i:
            column = [values.load_lanes(i * CHUNK + half * LANES) for half in _HALVES]
            for k in range(size):
                weight = batch.weights.load((start + k) * batch.n_features + i)
                for half in _HALVES:
                    sums[k][half].set(multiply_add(column[half], weight, sums[k][half].get()))
        for k in range(size):
            for half in _HALVES:
                projected.store_lanes(sums[k][half].get(), (start + k) * CHUNK + half * LANES)

    loop_over_tiles(batch.builder, batch.n_hidden, _HIDDEN_TILE, tile)


def _reconstruct(
    batch: TracedBatch, block: Traced, x: Memory, h: Memory, g: Memory, sum_b: Memory, sum_loss: Variable
) -> None:
    """z = Wᵀ h + b of one block, and what follows from it sample by sample: loss, g, the gradient of b."""
    used = batch.used(block)

    def tile(start: Traced, size: int) -> None:
        z = [[Variable(batch.builder) for _ in _HALVES] for _ in range(size)]
        for i in range(size):
            for half in _HALVES:
                z[i][half].set(batch.bias.load(start + i))
        with loop(long(batch.builder, batch.n_hidden)) as k:
            hidden = [h.load_lanes(k * CHUNK + half * LANES) for half in _HALVES]
            for i in range(size):
                weight = batch.weights.load(k * batch.n_features + start + i)
                for half in _HALVES:
                    z[i][half].set(multiply_add(hidden[half], weight, z[i][half].get()))
        for i in range(size):
            importance = batch.importance.load(start + i)
            total = sum_b.load_lanes((start + i) * LANES)
            for half in _HALVES:
                active = z[i][half].get() > 0.0
                error = z[i][half].get().where(active) - x.load_lanes((start + i) * CHUNK + half * LANES)
                weighted = (error * importance).where(used[half])
                sum_loss.set(multiply_add(weighted, error, sum_loss.get()))
                gradient = weighted.where(active)
                g.store_lanes(gradient, (start + i) * CHUNK + half * LANES)
                total = total + gradient
            sum_b.store_lanes(total, (start + i) * LANES)

    loop_over_tiles(batch.builder, batch.n_features, _FEATURE_TILE, tile)


def _add_gradient(
    batch: TracedBatch, n_columns: Traced, x: Memory, g: Memory, h: Memory, back: Memory
) -> None:
    """Add h gᵀ + back xᵀ of one chunk to the gradient of W; a column is sixteen samples."""
    hidden_tile = min(_GRADIENT_TILE, batch.n_hidden)
    feature_tile = LANES // hidden_tile

    def tile_of_features(first_feature: Traced, n_features: int) -> None:
        def tile(first_hidden: Traced, n_hidden: int) -> None:
            # Sixteen sums whatever the tile's size, since they are merged sixteen at a time.
            sums = [Variable(batch.builder) for _ in range(LANES)]
            with loop(n_columns) as column:
                lane = column * LANES
                x_tile = [x.load_lanes((first_feature + i) * CHUNK + lane) for i in range(n_features)]
                g_tile = [g.load_lanes((first_feature + i) * CHUNK + lane) for i in range(n_features)]
                for k in range(n_hidden):
                    hidden = h.load_lanes((first_hidden + k) * CHUNK + lane)
                    backward = back.load_lanes((first_hidden + k) * CHUNK + lane)
                    for i in range(n_features):
                        cell = sums[k * n_features + i]
                        cell.set(
                            multiply_add(backward, x_tile[i], multiply_add(hidden, g_tile[i], cell.get()))
                        )
            merged = lane_sums([cell.get() for cell in sums])
            for k in range(n_hidden):
                for i in range(n_features):
                    index = (first_hidden + k) * batch.n_features + first_feature + i
                    total = batch.gradient.load(index) + merged.lane(k * n_features + i)
                    batch.gradient.store(total, index)

        loop_over_tiles(batch.builder, batch.n_hidden, hidden_tile, tile)

    loop_over_tiles(batch.builder, batch.n_features, feature_tile, tile_of_features)
