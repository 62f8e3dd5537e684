"""One step of an instance, traced: the gradient of one batch, as five matrix products over chunks of it.

With x the inputs as W sees them (centred or not), h = W x, z = Wᵀ h + b, e = x' - target, and g_i = I_i e_i
where x'_i follows z_i (with a ReLU where z_i > 0; else 0), the sums over the batch are

    loss: Σ_i I_i e_i²        b: g        W: h gᵀ + (W g) xᵀ

With untied output weights, z = W_outᵀ h + b, W's is (W_out g) xᵀ and W_out's is h gᵀ. With h = ReLU(W x), W g
(or W_out g) counts where h > 0 only.

A chunk of samples is drawn (`traced_batch`), then worked through. A matrix lies as [row, sample], so that
samples fill the lanes of every product, and no small number of features or hidden dimensions leaves lanes
empty. In h = W x, z and back = W g, which go block by block, a lane is an output, and a tile of outputs stays
in registers while the sum runs. In h gᵀ + back xᵀ the sum runs over the samples: a tile of sixteen sums keeps
sixteen part-sums each, and they are merged once a chunk. Where features are rare, products go over the values
that are not 0.

Samples that were left out, because no feature is active, have h = 0 and z = b: they are only counted.
"""

from collections.abc import Callable, Sequence

from superposition_atlas.training.fused.lanes import (
    LANES,
    Traced,
    if_holds,
    lane_sums,
    long,
    loop,
    loop_over_tiles,
    multiply_add,
)
from superposition_atlas.training.fused.rare_features import RareFeatures
from superposition_atlas.training.fused.traced_batch import (
    HALVES,
    ROW,
    TracedBatch,
    Variant,
    blocks,
    columns,
    over_chunks,
)
from superposition_atlas.training.fused.traced_memory import Counter, Memory, Total, Variable

AtPlace = Callable[[Traced, Traced], Traced]
"""What becomes of a vector, whose place in a matrix is given."""

_HIDDEN_TILE = 8  # times two vectors: sixteen sums, and as many registers for the rest (of AVX-512)
_FEATURE_TILE = 6
_FEATURES_OF_A_CHUNK = 64  # with more, a chunk's losses are too many for one float32 sum a lane
_GRADIENT_TILE = 4  # times 4, or more features where there are fewer hidden dimensions: at most 16 sums


def scratch_size(variant: Variant) -> int:
    """float32 elements of scratch memory that a step needs."""
    n, m = variant.n_features, variant.n_hidden
    work = LANES + 2 * ROW * (n + m) + LANES * n + RareFeatures.scratch_size(variant)
    return variant.groups_room + work


def trace_gradient(batch: TracedBatch) -> Traced:
    """Write the sums over the batch: W's and b's to the (cleared) gradient, the loss as what is returned.

    The gradient of the mean loss is theirs times 2 / (batch_size · n_features), which is left to the caller.
    """
    n, m, builder = batch.n_features, batch.n_hidden, batch.builder
    x = batch.scratch.aligned()
    g = x.from_index(ROW * n)
    h = g.from_index(ROW * n)
    back = h.from_index(ROW * m)
    sum_b = back.from_index(ROW * m)  # sixteen part-sums for each feature
    total_loss, n_drawn = Total(builder), Counter(builder)
    sum_loss, zeros = Variable(builder), Variable(builder).get()
    with loop(long(builder, n)) as i:
        sum_b.store_lanes(zeros, i * LANES)

    rare = RareFeatures(batch, sum_b.from_index(LANES * n))
    with if_holds(rare.are_rare):
        rare.begin()

    def project_forward(n_samples: Traced) -> None:
        with blocks(n_samples) as first:
            _project(batch, batch.weights, x.from_index(first), h.from_index(first), _activation(batch))

    def project_back(n_samples: Traced) -> None:
        W_out = batch.output_part(batch.weights)
        with blocks(n_samples) as first:
            of_block = [row.from_index(first) for row in (g, back, h)]
            _project(batch, W_out, of_block[0], of_block[1], _slope(batch, of_block[2]))

    def work_through(n_samples: Traced) -> None:
        with if_holds(rare.are_rare):
            rare.project(x, h, n_samples)
        with if_holds(rare.are_rare ^ 1):
            project_forward(n_samples)
        with blocks(n_samples) as first:
            x_block, h_block, g_block = (row.from_index(first) for row in (x, h, g))
            is_sample = [batch.is_before(n_samples, first + half * LANES) for half in HALVES]
            _reconstruct(batch, is_sample, x_block, h_block, g_block, sum_b, sum_loss)
            if n > _FEATURES_OF_A_CHUNK:
                total_loss.take(sum_loss)
        total_loss.take(sum_loss)
        n_drawn.set(n_drawn.get() + n_samples)
        is_done = rare.add_gradient(x, g, n_samples)
        with if_holds(is_done ^ 1):
            project_back(n_samples)
            _add_gradient(batch, columns(n_samples), x, g, h, back)

    over_chunks(batch, x, work_through)
    with if_holds(rare.are_rare):
        rare.finish()
    with loop(long(builder, n)) as i:
        batch.bias_gradient.store(sum_b.load_lanes(i * LANES).sum(), i)
    _add_empty(batch, (batch.batch_size - n_drawn.get()).to_float(), total_loss)
    return total_loss.get()


def trace_feature_loss(batch: TracedBatch) -> None:
    """Write Σ I_i e_i² of each feature over the batch to the gradient's first elements; they are cleared."""
    n, m, builder = batch.n_features, batch.n_hidden, batch.builder
    x = batch.scratch.aligned()
    h = x.from_index(ROW * n)
    W_out = batch.output_part(batch.weights)

    def work_through(n_samples: Traced) -> None:
        with blocks(n_samples) as first:
            add_block(first, n_samples)

    def add_block(first: Traced, n_samples: Traced) -> None:
        _project(batch, batch.weights, x.from_index(first), h.from_index(first), _activation(batch))
        with loop(long(builder, n)) as i:
            for half in HALVES:
                column = first + half * LANES
                z = Variable(builder)
                z.set(batch.bias.load(i))
                with loop(long(builder, m)) as k:
                    weight = W_out.load(k * n + i)
                    z.set(multiply_add(h.load_lanes(k * ROW + column), weight, z.get()))
                weighted, error, _ = _error(batch, i, z.get(), x.load_lanes(i * ROW + column))
                squares = (weighted * error).where(batch.is_before(n_samples, column))
                batch.gradient.store(batch.gradient.load(i) + squares.sum(), i)

    over_chunks(batch, x, work_through)


def _error(batch: TracedBatch, feature: Traced | int, z: Traced, x: Traced) -> tuple[Traced, Traced, Traced]:
    """I e, e and g of one feature, of vectors of z and x or of numbers."""
    target = x + batch.centre.load(feature) if batch.variant.centred else x
    if batch.variant.target == "absolute":
        target = target.where(target > 0.0, target * -1.0)
    importance = batch.importance.load(feature)
    if batch.variant.output == "linear":
        error = z - target
        weighted = error * importance
        return weighted, error, weighted
    active = (z <= 0.0) ^ 1  # what is no number must not pass for a dead unit
    error = z.where(active) - target
    weighted = error * importance
    return weighted, error, weighted.where(active)


def _add_empty(batch: TracedBatch, count: Traced, total_loss: Total) -> None:
    """Add so many samples of x = 0 to the gradient of b (W's is 0) and to the loss."""
    nothing = Variable(batch.builder).get().lane(0)
    with if_holds(count > 0.0), loop(long(batch.builder, batch.n_features)) as i:
        weighted, error, gradient = _error(batch, i, batch.bias.load(i), nothing)
        batch.bias_gradient.store(batch.bias_gradient.load(i) + gradient * count, i)
        total_loss.add(weighted * error * count)


def _activation(batch: TracedBatch) -> AtPlace:
    """What is done to W x: nothing, or the ReLU."""
    if batch.variant.hidden == "linear":
        return lambda value, place: value
    return lambda value, place: value.where((value <= 0.0) ^ 1)  # what is no number passes


def _slope(batch: TracedBatch, h: Memory) -> AtPlace:
    """What is done to W_out g: nothing, or what the ReLU lets through, where h > 0."""
    if batch.variant.hidden == "linear":
        return lambda value, place: value
    return lambda value, place: value.where((h.load_lanes(place) <= 0.0) ^ 1)


def _project(batch: TracedBatch, W: Memory, values: Memory, projected: Memory, finish: AtPlace) -> None:
    """projected = W values, for one block; `finish` is applied to each vector before it is stored."""

    def tile(start: Traced, size: int) -> None:
        sums = [[Variable(batch.builder) for _ in HALVES] for _ in range(size)]
        with loop(long(batch.builder, batch.n_features)) as i:
            column = [values.load_lanes(i * ROW + half * LANES) for half in HALVES]
            for k in range(size):
                weight = W.load((start + k) * batch.n_features + i)
                for half in HALVES:
                    sums[k][half].set(multiply_add(column[half], weight, sums[k][half].get()))
        for k in range(size):
            for half in HALVES:
                place = (start + k) * ROW + half * LANES
                projected.store_lanes(finish(sums[k][half].get(), place), place)

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
    """z = W_outᵀ h + b of one block, and what follows sample by sample: loss, g, the gradient of b."""
    W_out = batch.output_part(batch.weights)

    def tile(start: Traced, size: int) -> None:
        z = [[Variable(batch.builder) for _ in HALVES] for _ in range(size)]
        for i in range(size):
            for half in HALVES:
                z[i][half].set(batch.bias.load(start + i))
        with loop(long(batch.builder, batch.n_hidden)) as k:
            hidden = [h.load_lanes(k * ROW + half * LANES) for half in HALVES]
            for i in range(size):
                weight = W_out.load(k * batch.n_features + start + i)
                for half in HALVES:
                    z[i][half].set(multiply_add(hidden[half], weight, z[i][half].get()))
        for i in range(size):
            total = sum_b.load_lanes((start + i) * LANES)
            for half in HALVES:
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
    """Add h gᵀ and back xᵀ of one chunk to the gradients of W_out and W; a column is sixteen samples."""
    if batch.variant.output_weights == "tied":
        _add_products(batch, n_columns, [(h, g), (back, x)], batch.gradient)
        return
    _add_products(batch, n_columns, [(back, x)], batch.gradient)
    _add_products(batch, n_columns, [(h, g)], batch.output_part(batch.gradient))


def _add_products(
    batch: TracedBatch, n_columns: Traced, pairs: Sequence[tuple[Memory, Memory]], gradient: Memory
) -> None:
    """Add Σ left rightᵀ over pairs of [hidden, sample] and [feature, sample]."""
    hidden_tile = min(_GRADIENT_TILE, batch.n_hidden)
    feature_tile = LANES // hidden_tile

    def tile_of_features(first_feature: Traced, n_features: int) -> None:
        def tile(first_hidden: Traced, n_hidden: int) -> None:
            # Sixteen sums whatever the tile's size, since they are merged sixteen at a time.
            sums = [Variable(batch.builder) for _ in range(LANES)]
            with loop(n_columns) as column:
                lane = column * LANES
                rights = [
                    [right.load_lanes((first_feature + i) * ROW + lane) for i in range(n_features)]
                    for _, right in pairs
                ]
                for k in range(n_hidden):
                    lefts = [left.load_lanes((first_hidden + k) * ROW + lane) for left, _ in pairs]
                    for i in range(n_features):
                        cell = sums[k * n_features + i]
                        for left, right in zip(lefts, rights, strict=True):
                            cell.set(multiply_add(left, right[i], cell.get()))
            merged = lane_sums([cell.get() for cell in sums])
            for k in range(n_hidden):
                place = (first_hidden + k) * batch.n_features + first_feature
                gradient.add_lanes(merged, range(k * n_features, (k + 1) * n_features), place)

        loop_over_tiles(batch.builder, batch.n_hidden, hidden_tile, tile)

    loop_over_tiles(batch.builder, batch.n_features, feature_tile, tile_of_features)
