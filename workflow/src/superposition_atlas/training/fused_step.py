"""One step of an instance, traced: the gradient of one batch, as five matrix products over chunks of it.

With x the inputs as W sees them (centred or not), z = Wᵀ h + b, e = x' - target, and g_i = I_i e_i where x'_i
follows z_i (with a ReLU where z_i > 0; else 0), the sums over the batch are

    loss: Σ_i I_i e_i²        b: g        W: h gᵀ + (W g) xᵀ

A chunk of samples is drawn (`traced_batch`), then worked through. A matrix lies as [row, sample], so that
samples fill the lanes of every product, and no small number of features or hidden dimensions leaves lanes
empty. Small models keep all their sums in registers from the first sample to the last. Others go block by
block: in h = W x, z and back = W g a lane is an output, and a tile of outputs stays in registers while the
sum runs; in h gᵀ + back xᵀ the sum runs over the samples: a tile of sixteen sums keeps sixteen part-sums
each, and they are merged once a chunk.

Samples that were left out, because no feature is active, have h = 0 and z = b: they are only counted.
"""

from superposition_atlas.training.lanes import (
    LANES,
    Memory,
    Traced,
    Variable,
    if_holds,
    lane_sums,
    long,
    loop,
    loop_over_tiles,
    multiply_add,
)
from superposition_atlas.training.traced_batch import BLOCK, ROW, TracedBatch, Variant, over_chunks

_SMALL = 16  # weights, W and b, whose sums fit in registers beside everything else
_HIDDEN_TILE = 12  # times two vectors: the sums of a tile fit in 32 registers
_FEATURE_TILE = 8
_GRADIENT_TILE = 4  # times 4, or more features where there are fewer hidden dimensions: at most 16 sums
_HALVES = range(BLOCK // LANES)


def scratch_size(variant: Variant) -> int:
    """float32 elements of scratch memory that a step needs."""
    return 2 * ROW * (variant.n_features + variant.n_hidden) + LANES * variant.n_features


def trace_gradient(batch: TracedBatch) -> Traced:
    """Write the sums over the batch: W's and b's to the (cleared) gradient, the loss as what is returned.

    The gradient of the mean loss is theirs times 2 / (batch_size · n_features), which is left to the caller.
    """
    is_small = batch.n_features * (batch.n_hidden + 1) <= _SMALL
    loss, n_drawn = (_trace_small if is_small else _trace_large)(batch)
    return loss + _add_empty(batch, (batch.batch_size - n_drawn).to_float())


def trace_feature_loss(batch: TracedBatch) -> None:
    """Write Σ I_i e_i² of each feature over the batch to the gradient's first elements; they are cleared."""
    n, m, builder = batch.n_features, batch.n_hidden, batch.builder
    x = batch.scratch
    h = x.from_index(ROW * n)

    def work_through(first: Traced, n_samples: Traced) -> None:
        _project(batch, x.from_index(first), h.from_index(first))
        with loop(long(builder, n)) as i:
            for half in _HALVES:
                column = first + half * LANES
                z = Variable(builder)
                z.set(batch.bias.load(i))
                with loop(long(builder, m)) as k:
                    weight = batch.weights.load(k * n + i)
                    z.set(multiply_add(h.load_lanes(k * ROW + column), weight, z.get()))
                weighted, error, _ = _error(batch, i, z.get(), x.load_lanes(i * ROW + column))
                squares = (weighted * error).where(batch.is_before(n_samples, column))
                batch.gradient.store(batch.gradient.load(i) + squares.sum(), i)

    over_chunks(batch, x, work_through, finish=lambda n_samples: None)


def _error(batch: TracedBatch, feature: Traced | int, z: Traced, x: Traced) -> tuple[Traced, Traced, Traced]:
    """I e, e and g of one feature, of vectors of z and x or of numbers."""
    target = x + batch.centre.load(feature) if batch.variant.centred else x
    importance = batch.importance.load(feature)
    if batch.variant.output == "linear":
        error = z - target
        weighted = error * importance
        return weighted, error, weighted
    active = z > 0.0
    error = z.where(active) - target
    weighted = error * importance
    return weighted, error, weighted.where(active)


def _add_empty(batch: TracedBatch, count: Traced) -> Traced:
    """Add so many samples of x = 0 to the gradient of b (W's is 0); returns what they add to the loss."""
    loss = Variable(batch.builder)
    nothing = loss.get().lane(0)
    with if_holds(count > 0.0), loop(long(batch.builder, batch.n_features)) as i:
        weighted, error, gradient = _error(batch, i, batch.bias.load(i), nothing)
        batch.bias_gradient.store(batch.bias_gradient.load(i) + gradient * count, i)
        loss.set(loss.get() + weighted * error * count)
    return loss.get().lane(0)


# --- small models ------------------------------------------------------------------------------------------


def _trace_small(batch: TracedBatch) -> tuple[Traced, Traced]:
    """The sums over drawn samples, unrolled over features and dimensions; gives loss and their number."""
    n, m, builder = batch.n_features, batch.n_hidden, batch.builder
    x = batch.scratch
    sum_loss = Variable(builder)
    # As the weights lie: W[k, i] at k·n + i, then b[i].
    sums = [Variable(builder) for _ in range(-(-n * (m + 1) // LANES) * LANES)]

    def add_column(sample: Traced, n_samples: Traced) -> None:
        is_sample = batch.is_before(n_samples, sample)
        inputs = [x.load_lanes(sample + i * ROW) for i in range(n)]
        hidden = [_dot(inputs, [batch.weights.load(k * n + i) for i in range(n)]) for k in range(m)]
        back = [Variable(builder).get() for _ in range(m)]
        for i in range(n):
            z = Variable(builder)
            z.set(batch.bias.load(i))
            for k in range(m):
                z.set(multiply_add(hidden[k], batch.weights.load(k * n + i), z.get()))
            weighted, error, gradient = _error(batch, i, z.get(), inputs[i])
            sum_loss.set(multiply_add(weighted.where(is_sample), error, sum_loss.get()))
            gradient = gradient.where(is_sample)
            for k in range(m):
                cell = sums[k * n + i]
                cell.set(multiply_add(hidden[k], gradient, cell.get()))
                back[k] = multiply_add(gradient, batch.weights.load(k * n + i), back[k])
            sums[m * n + i].set(sums[m * n + i].get() + gradient)
        for k in range(m):
            for i in range(n):
                cell = sums[k * n + i]
                cell.set(multiply_add(back[k], inputs[i], cell.get()))

    def work_through(first: Traced, n_samples: Traced) -> None:
        with loop(long(builder, BLOCK // LANES)) as column:
            add_column(first + column * LANES, n_samples)

    n_drawn = over_chunks(batch, x, work_through, finish=lambda n_samples: None)
    for first in range(0, len(sums), LANES):
        merged = lane_sums([cell.get() for cell in sums[first : first + LANES]])
        batch.gradient.store_lanes(merged, first)
    return sum_loss.get().sum(), n_drawn


def _dot(vectors: list[Traced], weights: list[Traced]) -> Traced:
    total = vectors[0] * weights[0]
    for vector, weight in zip(vectors[1:], weights[1:], strict=True):
        total = multiply_add(vector, weight, total)
    return total


# --- all others --------------------------------------------------------------------------------------------


def _trace_large(batch: TracedBatch) -> tuple[Traced, Traced]:
    """The sums over drawn samples; gives loss and their number."""
    n, m, builder = batch.n_features, batch.n_hidden, batch.builder
    x = batch.scratch
    g = x.from_index(ROW * n)
    h = g.from_index(ROW * n)
    back = h.from_index(ROW * m)
    sum_b = back.from_index(ROW * m)  # sixteen part-sums for each feature
    sum_loss, zeros = Variable(builder), Variable(builder).get()
    with loop(long(builder, n)) as i:
        sum_b.store_lanes(zeros, i * LANES)

    def work_through(first: Traced, n_samples: Traced) -> None:
        x_block, h_block, g_block = (row.from_index(first) for row in (x, h, g))
        is_sample = [batch.is_before(n_samples, first + half * LANES) for half in _HALVES]
        _project(batch, x_block, h_block)
        _reconstruct(batch, is_sample, x_block, h_block, g_block, sum_b, sum_loss)
        _project(batch, g_block, back.from_index(first))

    def finish(n_samples: Traced) -> None:
        _add_gradient(batch, (n_samples + (LANES - 1)) // LANES, x, g, h, back)

    n_drawn = over_chunks(batch, x, work_through, finish)
    with loop(long(builder, n)) as i:
        batch.bias_gradient.store(sum_b.load_lanes(i * LANES).sum(), i)
    return sum_loss.get().sum(), n_drawn


def _project(batch: TracedBatch, values: Memory, projected: Memory) -> None:
    """projected = W values, for one block."""

    def tile(start: Traced, size: int) -> None:
        sums = [[Variable(batch.builder) for _ in _HALVES] for _ in range(size)]
        with loop(long(batch.builder, batch.n_features)) as i:
            column = [values.load_lanes(i * ROW + half * LANES) for half in _HALVES]
            for k in range(size):
                weight = batch.weights.load((start + k) * batch.n_features + i)
                for half in _HALVES:
                    sums[k][half].set(multiply_add(column[half], weight, sums[k][half].get()))
        for k in range(size):
            for half in _HALVES:
                projected.store_lanes(sums[k][half].get(), (start + k) * ROW + half * LANES)

    loop_over_tiles(batch.builder, batch.n_hidden, _HIDDEN_TILE, tile)


def _reconstruct(
    batch: TracedBatch,
    is_sample: list[Traced],
    x: Memory,
    h: Memory,
    g: Memory,
    sum_b: Memory,
    sum_loss: Variable,
) -> None:
    """z = Wᵀ h + b of one block, and what follows from it sample by sample: loss, g, the gradient of b."""

    def tile(start: Traced, size: int) -> None:
        z = [[Variable(batch.builder) for _ in _HALVES] for _ in range(size)]
        for i in range(size):
            for half in _HALVES:
                z[i][half].set(batch.bias.load(start + i))
        with loop(long(batch.builder, batch.n_hidden)) as k:
            hidden = [h.load_lanes(k * ROW + half * LANES) for half in _HALVES]
            for i in range(size):
                weight = batch.weights.load(k * batch.n_features + start + i)
                for half in _HALVES:
                    z[i][half].set(multiply_add(hidden[half], weight, z[i][half].get()))
        for i in range(size):
            total = sum_b.load_lanes((start + i) * LANES)
            for half in _HALVES:
                place = (start + i) * ROW + half * LANES
                weighted, error, gradient = _error(batch, start + i, z[i][half].get(), x.load_lanes(place))
                sum_loss.set(multiply_add(weighted.where(is_sample[half]), error, sum_loss.get()))
                gradient = gradient.where(is_sample[half])
                g.store_lanes(gradient, place)
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
                x_tile = [x.load_lanes((first_feature + i) * ROW + lane) for i in range(n_features)]
                g_tile = [g.load_lanes((first_feature + i) * ROW + lane) for i in range(n_features)]
                for k in range(n_hidden):
                    hidden = h.load_lanes((first_hidden + k) * ROW + lane)
                    backward = back.load_lanes((first_hidden + k) * ROW + lane)
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
