"""Products of a step over what is not 0, where features are rare: h = W x, back = W g and h gᵀ + back xᵀ.

One value of x or g meets a whole column of W, so that here a lane is a hidden dimension. z = Wᵀ h + b, in
which nothing is 0, stays with `fused_step`, and so does all of it with a ReLU on h or untied output weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from superposition_atlas.training.fused.lanes import (
    LANES,
    Traced,
    if_holds,
    long,
    loop,
    multiply_add,
    transposed,
    words,
)
from superposition_atlas.training.fused.traced_batch import (
    BLOCK,
    HALVES,
    ROW,
    TracedBatch,
    Variant,
    blocks,
    columns,
    n_blocks,
)
from superposition_atlas.training.fused.traced_memory import Counter, Memory, Variable

_LEAST_HIDDEN = 8  # below it zeros are not looked for: the lanes of a column of W would be mostly empty
_RARE = 0.08  # features are rare if they have at most this mean probability,
_FEW = 1 / 4  # and what is not 0 of a chunk's g is few if it is at most this share: beyond, dense is faster


class RareFeatures:
    """The products of one batch, chunk by chunk.

    Whether features are rare is decided by their probabilities, whether g is sparse by its own zeros, which
    come with training: chunk by chunk.
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
        is_one_matrix = variant.hidden == "linear" and variant.output_weights == "tied"
        is_worth_it = has_zeros and is_one_matrix and batch.n_hidden >= _LEAST_HIDDEN
        expected = Counter(batch.builder)
        with loop(self._features) as i:
            expected.set(expected.get() + batch.threshold.load(i).to_long())
        self.are_rare = expected.get() < (int(_RARE * n * 2**32) if is_worth_it else 0)

    @staticmethod
    def scratch_size(variant: Variant) -> int:
        """float32 elements of scratch memory that a step needs."""
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
        self._h.clear(n_blocks(n_samples) * BLOCK)
        with loop(self._features) as i:
            column = self._W.load(i)
            with self._x.samples(i) as sample:
                value = x.load(i * ROW + sample)
                hidden = self._h.load(sample)
                self._h.store(
                    [multiply_add(w, value, h) for w, h in zip(column, hidden, strict=True)], sample
                )
        with blocks(n_samples) as first:
            for half in HALVES:
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
        self._back.clear(n_blocks(n_samples) * BLOCK)
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
    """Nonzero values of x or g in a chunk: the samples of each feature, one list after the other."""

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
            with loop(columns(n_samples)) as column:
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
        """Address of an element."""
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
    """Number of elements, rounded up to a whole number of vectors."""
    return -(-length // LANES) * LANES
