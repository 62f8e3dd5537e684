"""One step of an instance, traced: the gradient of one batch, as five matrix products over chunks of it.

With x the inputs as W sees them (centred or not), z = Wᵀ h + b, e = x' - target, and g_i = I_i e_i where x'_i
follows z_i (with a ReLU where z_i > 0; else 0), the sums over the batch are

    loss: Σ_i I_i e_i²        b: g        W: h gᵀ + (W g) xᵀ

A chunk of samples is drawn (`traced_batch`), then worked through. A matrix lies as [row, sample], so that
samples fill the lanes of every product, and no small number of features or hidden dimensions leaves lanes
empty. In h = W x, z and back = W g, which go block by block, a lane is an output, and a tile of outputs stays
in registers while the sum runs. In h gᵀ + back xᵀ the sum runs over the samples: a tile of sixteen sums keeps
sixteen part-sums each, and they are merged once a chunk. Where features are rare, products go over the values
that are not 0.

Samples that were left out, because no feature is active, have h = 0 and z = b: they are only counted. So are
the lanes behind a chunk's last sample, which count as such samples too many.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from superposition_atlas.training.lanes import (
    LANES,
    Counter,
    Memory,
    Traced,
    Variable,
    if_holds,
    lane_sums,
    long,
    loop,
    loop_over_tiles,
    multiply_add,
    transposed,
    words,
)
from superposition_atlas.training.traced_batch import BLOCK, ROW, TracedBatch, Variant, over_chunks

_HIDDEN_TILE = 8  # times two vectors: sixteen sums, and as many registers for the rest (of AVX-512)
_FEATURE_TILE = 6
_GRADIENT_TILE = 4  # times 4, or more features where there are fewer hidden dimensions: at most 16 sums
_LEAST_HIDDEN = 8  # below it zeros are not looked for: the lanes of a column of W would be mostly empty
_RARE = 0.08  # features are rare if they have at most this mean probability,
_FEW = 1 / 4  # and what is not 0 of a chunk's g is few if it is at most this share: beyond, dense is faster
_HALVES = range(BLOCK // LANES)


def scratch_size(variant: Variant) -> int:
    """float32 elements of scratch memory that a step needs."""
    n, m = variant.n_features, variant.n_hidden
    return LANES + 2 * ROW * (n + m) + LANES * n + _RareFeatures.scratch_size(variant)


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
    sum_loss, zeros, n_worked = Variable(builder), Variable(builder).get(), Counter(builder)
    with loop(long(builder, n)) as i:
        sum_b.store_lanes(zeros, i * LANES)

    rare = _RareFeatures(batch, sum_b.from_index(LANES * n))
    with if_holds(rare.are_rare):
        rare.begin()

    def project(values: Memory, projected: Memory, n_samples: Traced) -> None:
        with _blocks(n_samples) as first:
            _project(batch, values.from_index(first), projected.from_index(first))

    def work_through(n_samples: Traced) -> None:
        with if_holds(rare.are_rare):
            rare.project(x, h, n_samples)
        with if_holds(rare.are_rare ^ 1):
            project(x, h, n_samples)
        with _blocks(n_samples) as first:
            x_block, h_block, g_block = (row.from_index(first) for row in (x, h, g))
            _reconstruct(batch, x_block, h_block, g_block, sum_b, sum_loss)
            n_worked.set(n_worked.get() + BLOCK)
        is_done = rare.add_gradient(x, g, n_samples)
        with if_holds(is_done ^ 1):
            project(g, back, n_samples)
            _add_gradient(batch, _columns(n_samples), x, g, h, back)

    over_chunks(batch, x, work_through)
    with if_holds(rare.are_rare):
        rare.finish()
    with loop(long(builder, n)) as i:
        batch.bias_gradient.store(sum_b.load_lanes(i * LANES).sum(), i)
    return sum_loss.get().sum() + _add_empty(batch, (batch.batch_size - n_worked.get()).to_float())


def trace_feature_loss(batch: TracedBatch) -> None:
    """Write Σ I_i e_i² of each feature over the batch to the gradient's first elements; they are cleared."""
    n, m, builder = batch.n_features, batch.n_hidden, batch.builder
    x = batch.scratch.aligned()
    h = x.from_index(ROW * n)

    def work_through(n_samples: Traced) -> None:
        with _blocks(n_samples) as first:
            add_block(first, n_samples)

    def add_block(first: Traced, n_samples: Traced) -> None:
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

    over_chunks(batch, x, work_through)


def _columns(n_samples: Traced) -> Traced:
    """How many vectors so many samples fill."""
    return (n_samples + (LANES - 1)) // LANES


def _n_blocks(n_samples: Traced) -> Traced:
    """How many blocks so many samples fill."""
    return (n_samples + (BLOCK - 1)) // BLOCK


@contextmanager
def _blocks(n_samples: Traced) -> Iterator[Traced]:
    """A loop over the blocks of a chunk; gives the first sample."""
    with loop(_n_blocks(n_samples)) as block:
        yield block * BLOCK


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
    """Add so many samples of x = 0, or take them off: to the gradient of b, and to the loss (returned).

    They add nothing to the gradient of W.
    """
    loss = Variable(batch.builder)
    nothing = loss.get().lane(0)
    with loop(long(batch.builder, batch.n_features)) as i:
        weighted, error, gradient = _error(batch, i, batch.bias.load(i), nothing)
        batch.bias_gradient.store(batch.bias_gradient.load(i) + gradient * count, i)
        loss.set(loss.get() + weighted * error * count)
    return loss.get().lane(0)


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
                sum_loss.set(multiply_add(weighted, error, sum_loss.get()))
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
                place = (first_hidden + k) * batch.n_features + first_feature
                batch.gradient.add_lanes(merged, range(k * n_features, (k + 1) * n_features), place)

        loop_over_tiles(batch.builder, batch.n_hidden, hidden_tile, tile)

    loop_over_tiles(batch.builder, batch.n_features, feature_tile, tile_of_features)


# --- rare features -----------------------------------------------------------------------------------------


class _RareFeatures:
    """The products of a chunk, but for z = Wᵀ h + b, over those x and g that are not 0.

    One value of x or g meets a whole column of W, so that here a lane is a hidden dimension. The decision is
    by the features' probabilities, and chunk by chunk for g, whose zeros come with training.
    """

    def __init__(self, batch: TracedBatch, scratch: Memory) -> None:
        variant, n = batch.variant, batch.n_features
        self._batch = batch
        self._features = long(batch.builder, n)
        self._x = _NonZeros(batch, scratch)
        self._g = _NonZeros(batch, scratch.from_index(_NonZeros.scratch_size(variant)))
        rows = scratch.from_index(2 * _NonZeros.scratch_size(variant))
        self._h, self._back, self._W, self._gradient = (
            _Rows(batch, rows.from_index(first * _padded(batch.n_hidden)))
            for first in (0, ROW, 2 * ROW, 2 * ROW + n)
        )
        has_zeros = variant.output == "relu" and not variant.centred
        is_worth_it = has_zeros and batch.n_hidden >= _LEAST_HIDDEN
        expected = Counter(batch.builder)
        with loop(self._features) as i:
            expected.set(expected.get() + batch.threshold.load(i).to_long())
        self.are_rare = expected.get() < (int(_RARE * n * 2**32) if is_worth_it else 0)

    @staticmethod
    def scratch_size(variant: Variant) -> int:
        rows = 2 * (ROW + variant.n_features) * _padded(variant.n_hidden)
        return 2 * _NonZeros.scratch_size(variant) + rows

    def begin(self) -> None:
        """Get ready for the batch."""
        batch = self._batch
        self._gradient.clear(self._features)
        self._W.clear(self._features)
        with loop(long(batch.builder, batch.n_hidden)) as k, loop(self._features) as i:
            self._W.memory.store(batch.weights.load(k * batch.n_features + i), self._W.place(i, k))

    def project(self, x: Memory, h: Memory, n_samples: Traced) -> None:
        """h = W x."""
        self._x.find(x, n_samples)
        self._h.clear(_n_blocks(n_samples) * BLOCK)
        with loop(self._features) as i:
            column = self._W.load(i)
            with self._x.samples(i) as sample:
                value = x.load(i * ROW + sample)
                hidden = self._h.load(sample)
                self._h.store(
                    [multiply_add(w, value, h) for w, h in zip(column, hidden, strict=True)], sample
                )
        with _blocks(n_samples) as first:
            for half in _HALVES:
                self._h.transpose(first + half * LANES, h)

    def add_gradient(self, x: Memory, g: Memory, n_samples: Traced) -> Traced:
        """Add h gᵀ + back xᵀ to the gradient of W, or give 0 where too many values are not 0."""
        n_values = n_samples * self._batch.n_features
        n_nonzero = Counter(self._batch.builder)
        n_nonzero.set(n_values)
        with if_holds(self.are_rare):
            n_nonzero.set(self._g.find(g, n_samples))
        are_few = n_nonzero.get() * int(1 / _FEW) < n_values
        with if_holds(are_few):
            self._add_from_g(g, n_samples)
            self._add_from_x(x)
        return are_few

    def _add_from_g(self, g: Memory, n_samples: Traced) -> None:
        """back = W g, and h gᵀ."""
        self._back.clear(_n_blocks(n_samples) * BLOCK)
        with loop(self._features) as i:
            column = self._W.load(i)
            with self._gradient.sums(i) as sums, self._g.samples(i) as sample:
                value = g.load(i * ROW + sample)
                for total, hidden in zip(sums, self._h.load(sample), strict=True):
                    total.set(multiply_add(hidden, value, total.get()))
                back = self._back.load(sample)
                self._back.store(
                    [multiply_add(w, value, b) for w, b in zip(column, back, strict=True)], sample
                )

    def _add_from_x(self, x: Memory) -> None:
        """back xᵀ."""
        with loop(self._features) as i, self._gradient.sums(i) as sums, self._x.samples(i) as sample:
            value = x.load(i * ROW + sample)
            for total, back in zip(sums, self._back.load(sample), strict=True):
                total.set(multiply_add(back, value, total.get()))

    def finish(self) -> None:
        """Hand over the gradient of W."""
        batch = self._batch
        with loop(long(batch.builder, batch.n_hidden)) as k, loop(self._features) as i:
            place = k * batch.n_features + i
            total = batch.gradient.load(place) + self._gradient.memory.load(self._gradient.place(i, k))
            batch.gradient.store(total, place)


class _NonZeros:
    """Where a chunk's values of x or g are not 0: each feature's samples, one list behind the other."""

    def __init__(self, batch: TracedBatch, scratch: Memory) -> None:
        self._batch = batch
        self._starts = scratch.as_words()
        self._samples = scratch.from_index(_padded(batch.n_features + 1))

    @staticmethod
    def scratch_size(variant: Variant) -> int:
        return _padded(variant.n_features + 1) + variant.n_features * ROW + LANES

    def find(self, values: Memory, n_samples: Traced) -> Traced:
        """Fill the lists; gives the number of values."""
        n, builder = self._batch.n_features, self._batch.builder
        end = Counter(builder)
        with loop(long(builder, n)) as i:
            self._starts.store(end.get().low_word(), i)
            with loop(_columns(n_samples)) as column:
                first = column * LANES
                is_listed = values.load_lanes(i * ROW + first).is_nonzero()
                samples = words(builder, range(LANES)) + first.low_word()
                self._samples.store_lanes(samples.as_floats().compressed(is_listed), end.get())
                end.set(end.get() + is_listed.count())
        self._starts.store(end.get().low_word(), n)
        return end.get()

    @contextmanager
    def samples(self, feature: Traced) -> Iterator[Traced]:
        """A loop over one feature's samples."""
        start, end = (self._starts.load(feature + step).to_long() for step in range(2))
        with loop(end - start) as index:
            yield self._samples.as_words().load(start + index).to_long()


class _Rows:
    """A matrix with hidden dimensions in the lanes: its rows are filled up to whole vectors."""

    def __init__(self, batch: TracedBatch, memory: Memory) -> None:
        self.memory = memory
        self._builder = batch.builder
        self._n_hidden = batch.n_hidden
        self._length = _padded(batch.n_hidden)
        self._starts = range(0, self._length, LANES)

    def place(self, row: Traced, k: Traced | int) -> Traced:
        """Where an element lies."""
        return row * self._length + k

    def clear(self, n_rows: Traced) -> None:
        """Set the first rows to 0."""
        zeros = Variable(self._builder).get()
        with loop(n_rows) as row:
            self.store([zeros for _ in self._starts], row)

    def load(self, row: Traced) -> list[Traced]:
        """The vectors of a row."""
        return [self.memory.load_lanes(self.place(row, start)) for start in self._starts]

    def store(self, vectors: list[Traced], row: Traced) -> None:
        """Replace a row."""
        for vector, start in zip(vectors, self._starts, strict=True):
            self.memory.store_lanes(vector, self.place(row, start))

    def add(self, vectors: list[Traced], factor: Traced, row: Traced) -> None:
        """Add vectors · factor to a row."""
        added = [multiply_add(v, factor, old) for v, old in zip(vectors, self.load(row), strict=True)]
        self.store(added, row)

    @contextmanager
    def sums(self, row: Traced) -> Iterator[list[Variable]]:
        """A row in registers, stored at the end."""
        sums = [Variable(self._builder) for _ in self._starts]
        for total, vector in zip(sums, self.load(row), strict=True):
            total.set(vector)
        yield sums
        self.store([total.get() for total in sums], row)

    def transpose(self, first: Traced, matrix: Memory) -> None:
        """Copy sixteen rows to the columns of a matrix as the other products have it."""
        for start in self._starts:
            rows = [self.memory.load_lanes(self.place(first + lane, start)) for lane in range(LANES)]
            for lane, vector in enumerate(transposed(rows)[: self._n_hidden - start]):
                matrix.store_lanes(vector, first + (start + lane) * ROW)


def _padded(length: int) -> int:
    """So many elements, filled up to a whole number of vectors."""
    return -(-length // LANES) * LANES
