"""One instance's batch, as the traced steps see it: where its numbers lie, and its inputs from the stream.

Samples are drawn in chunks, which gather those that count: positions behind the batch's end are left out, and
so are, where features are rare, the samples in which no feature is active. A sum over the batch may be taken
in any order.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from superposition_atlas.sampling.magnitudes import MAGNITUDES, MagnitudesName
from superposition_atlas.sampling.stream import MULTIPLIERS, ROUNDS, WEYL_INCREMENTS
from superposition_atlas.toy_model import Hidden, Output, OutputWeights, Target
from superposition_atlas.training.fused.lanes import (
    LANES,
    Traced,
    if_holds,
    long,
    longs,
    loop,
    loop_over_tiles,
    loop_while,
    words,
)
from superposition_atlas.training.fused.traced_memory import Counter, Memory, Variable
from superposition_atlas.training.fused.vector_functions import LaneFunctions

BLOCK = 2 * LANES
"""Positions of a block: eight quads of the stream in two vectors."""
HALVES = range(BLOCK // LANES)
"""The vectors of a block."""
CHUNK = 256
"""Samples of a chunk at most: a multiple of BLOCK. A chunk's matrices stay in the first-level cache."""
ROW = CHUNK + BLOCK
"""Elements of a row of a chunk's matrices: whole blocks may be written behind its last sample."""

_TOGETHER = 5  # features that are drawn together: one waits long for each of its many short instructions
_LOW_WORD = 0xFFFFFFFF


@dataclass(frozen=True)
class Variant:
    """Settings that programs are compiled for, one program each."""

    n_features: int
    n_hidden: int
    output: Output = "relu"
    centred: bool = False
    magnitudes: MagnitudesName = "uniform"
    structured: bool = False
    """Whether features share words."""
    hidden: Hidden = "linear"
    output_weights: OutputWeights = "tied"
    target: Target = "inputs"

    @property
    def n_rows(self) -> int:
        """Rows of the weights: W's, and W_out's behind them."""
        return self.n_hidden * (2 if self.output_weights == "untied" else 1)

    @property
    def groups_room(self) -> int:
        """Elements for the words that groups share, of one block: a group has two features at least.

        One place more is read, and not used, for features in no group.
        """
        return BLOCK * (self.n_features // 2 + 1) if self.structured else 0


@dataclass(frozen=True)
class TracedBatch:
    """The batch of one instance and one step. Rows hold float32 unless said; W and b lie as one row."""

    builder: Any
    variant: Variant
    batch_size: Traced
    step: Traced
    purpose: Traced
    """See `stream.Purpose`."""
    key: tuple[Traced, Traced]
    skips_empty: Traced
    """1 where samples without an active feature are left out, else 0; they may only be if they have x = 0."""
    weights: Memory
    """W[k, i] at k·n_features + i, then W_out likewise where it is not W, then b[i]."""
    importance: Memory
    threshold: Memory
    """uint32, see `stream.thresholds`."""
    scale: Memory
    offset: Memory
    centre: Memory
    groups: Memory
    """uint32, see `structure.shared_words`; read with `structured` only."""
    gradient: Memory
    """Where the sums over the batch go, laid out as the weights; all but b's part is zero before the step."""
    group_words: Memory
    """`Variant.groups_room` elements, of any content."""
    scratch: Memory
    """The rest of `fused_step.scratch_size` elements, of any content."""

    @property
    def n_features(self) -> int:
        """n."""
        return self.variant.n_features

    @property
    def n_hidden(self) -> int:
        """m."""
        return self.variant.n_hidden

    @property
    def bias(self) -> Memory:
        """b[i] at i."""
        return self.weights.from_index(self.variant.n_rows * self.n_features)

    @property
    def bias_gradient(self) -> Memory:
        """The gradient of b[i] at i."""
        return self.gradient.from_index(self.variant.n_rows * self.n_features)

    def output_part(self, row: Memory) -> Memory:
        """W_out's part of a row that is laid out as the weights; all of it where W_out is W."""
        rows_before = self.variant.n_rows - self.n_hidden
        return row.from_index(rows_before * self.n_features) if rows_before else row

    def is_before(self, end: Traced, first: Traced) -> Traced:
        """Which of the sixteen samples from `first` on stand before `end`."""
        return words(self.builder, range(LANES)) + first.low_word() < end.low_word()

    def _draw(self, block: Traced, features: Sequence[Traced]) -> list[list[Traced]]:
        """Some features (`stream.sample`) at the positions of a block, in the lanes of `_in_batch`."""
        drawn = []
        for feature, words_ in zip(features, self._words(block * (BLOCK // 4), features), strict=True):
            threshold, scale = self.threshold.load(feature), self.scale.load(feature)
            deciding = self._deciding(feature, words_) if self.variant.structured else words_
            drawn.append(
                [
                    self._magnitude(word.to_floats() * scale, feature).where(decides <= threshold)
                    for word, decides in zip(words_, deciding, strict=True)
                ]
            )
        return drawn

    def draw_group_words(self, block: Traced) -> None:
        """The words that groups share at the positions of a block."""
        n_groups = self.groups.load(0).to_long()
        n_pairs = n_groups // 2

        def draw(slots: Sequence[Traced]) -> None:
            numbers = [self.groups.load(slot + 1).to_long() for slot in slots]
            for slot, words_ in zip(slots, self._words(block * (BLOCK // 4), numbers), strict=True):
                for half in HALVES:
                    self.group_words.store_lanes(words_[half].as_floats(), slot * BLOCK + half * LANES)

        with loop(n_pairs) as pair:
            draw([pair * 2, pair * 2 + 1])
        with if_holds(n_pairs * 2 < n_groups):
            draw([n_pairs * 2])

    def _deciding(self, feature: Traced, own: Sequence[Traced]) -> list[Traced]:
        """The words that decide about a feature, less the first at which it is active."""
        n = self.n_features
        slot, start = (self.groups.load(feature + (first + 1 + n // 2 + 1)) for first in (0, n))
        is_alone = slot > n // 2 - 1
        place = slot.to_long() * BLOCK
        shared = [self.group_words.load_lanes(place + half * LANES).float_bits() for half in HALVES]
        return [word.where(is_alone, group) - start for word, group in zip(own, shared, strict=True)]

    def _magnitude(self, u: Traced, feature: Traced) -> Traced:
        name = self.variant.magnitudes
        if name == "uniform":
            return u
        magnitude: Traced = MAGNITUDES[name].quantile(u + self.offset.load(feature), LaneFunctions)
        return magnitude

    def _in_batch(self, block: Traced) -> tuple[Traced, Traced]:
        """Which lanes of one block are positions of the batch.

        Of its quad a lane of the first vector holds word 1 or 0, of the second word 3 or 2: the order in
        which the last round leaves them.
        """
        left = (self.batch_size - block * BLOCK).low_word()
        position = [4 * (lane // 2) + 1 - lane % 2 for lane in range(LANES)]
        return (
            words(self.builder, position) < left,
            words(self.builder, [p + 2 for p in position]) < left,
        )

    def _words(self, quad: Traced, features: Sequence[Traced]) -> list[tuple[Traced, Traced]]:
        """Philox4x32 of eight neighbouring quads for each feature; what is the same for all stays scalar.

        A word lives in 64 bits, since a product of two needs the room; the upper half is only noise, which
        the next product leaves out. In the last round the upper halves are put to use: a product's two words
        are both outputs, side by side.
        """
        quads = longs(self.builder, range(8)) + quad
        counters = [(quads, feature, self.step, self.purpose) for feature in features]
        k0, k1 = self.key
        for _ in range(ROUNDS - 1):
            for index, (c0, c1, c2, c3) in enumerate(counters):
                product0, product1 = _products(c0, c2)
                counters[index] = (product1 >> 32) ^ c1 ^ k0, product1, (product0 >> 32) ^ c3 ^ k1, product0
            k0, k1 = k0 + WEYL_INCREMENTS[0], k1 + WEYL_INCREMENTS[1]
        outputs = []
        for c0, c1, c2, c3 in counters:
            product0, product1 = _products(c0, c2)
            outputs.append(
                ((product1 ^ ((c1 ^ k0) << 32)).as_words(), (product0 ^ ((c3 ^ k1) << 32)).as_words())
            )
        return outputs

    def _as_seen(self, values: Traced, feature: Traced) -> Traced:
        """Inputs as W sees them."""
        return values - self.centre.load(feature) if self.variant.centred else values


def _products(c0: Traced, c2: Traced) -> tuple[Traced, Traced]:
    """Philox's, of the low words."""
    return (c0 & _LOW_WORD) * MULTIPLIERS[0], (c2 & _LOW_WORD) * MULTIPLIERS[1]


def over_chunks(batch: TracedBatch, x: Memory, work_through: Callable[[Traced], None]) -> None:
    """Draw the batch into x[i, sample] at i·ROW + sample, chunk by chunk.

    `work_through(n_samples)` is called for each chunk; behind its samples lies a block of zeros.
    """
    builder = batch.builder
    n_blocks = (batch.batch_size + (BLOCK - 1)) // BLOCK
    block, n_samples = Counter(builder), Counter(builder)
    room = long(builder, CHUNK - BLOCK + 1)

    with loop_while(builder, lambda: block.get() < n_blocks):
        n_samples.set(long(builder, 0))
        with loop_while(builder, lambda: (block.get() < n_blocks) & (n_samples.get() < room)):
            n_samples.set(n_samples.get() + _gather(batch, block.get(), x.from_index(n_samples.get())))
            block.set(block.get() + 1)
        _write_zeros(batch, x.from_index(n_samples.get()))
        work_through(n_samples.get())


def _write_zeros(batch: TracedBatch, x: Memory) -> None:
    """One block of samples of 0."""
    zeros = Variable(batch.builder).get()
    with loop(long(batch.builder, batch.n_features)) as i:
        for half in HALVES:
            x.store_lanes(zeros, i * ROW + half * LANES)


def _gather(batch: TracedBatch, block: Traced, x: Memory) -> Traced:
    """Draw one block and write those of its samples that count, one behind the other; gives their number."""
    builder = batch.builder
    if batch.variant.structured:
        batch.draw_group_words(block)
    count = Counter(builder)
    sums = [Variable(builder) for _ in HALVES]
    is_whole = (block + 1) * BLOCK <= batch.batch_size
    takes_all = is_whole & (batch.skips_empty < 1)

    def draw_all(start: Traced, size: int) -> None:
        features = [start + i for i in range(size)]
        for i, drawn in zip(features, batch._draw(block, features), strict=True):
            for half in HALVES:
                x.store_lanes(batch._as_seen(drawn[half], i), i * ROW + half * LANES)

    def draw_and_sum(start: Traced, size: int) -> None:
        features = [start + i for i in range(size)]
        for i, drawn in zip(features, batch._draw(block, features), strict=True):
            for half in HALVES:
                x.store_lanes(drawn[half], i * ROW + half * LANES)
                sums[half].set(sums[half].get() + _size(batch, drawn[half]))

    with if_holds(takes_all):
        loop_over_tiles(builder, batch.n_features, _TOGETHER, draw_all)
        count.set(long(builder, BLOCK))
    with if_holds(takes_all ^ 1):
        loop_over_tiles(builder, batch.n_features, _TOGETHER, draw_and_sum)
        # The size of an active feature is above 0; else every sum is above -1.
        least = Variable(builder).get().lane(0)
        least = least.where(long(builder, 0) < batch.skips_empty, least - 1.0)
        keep = [
            in_batch & (total.get() > least)
            for in_batch, total in zip(batch._in_batch(block), sums, strict=True)
        ]
        n_first = keep[0].count()

        def close_ranks(start: Traced, size: int) -> None:
            for i in (start + step for step in range(size)):
                first, second = (x.load_lanes(i * ROW + half * LANES) for half in HALVES)
                x.store_lanes(batch._as_seen(first.compressed(keep[0]), i), i * ROW)
                x.store_lanes(batch._as_seen(second.compressed(keep[1]), i), i * ROW + n_first)

        loop_over_tiles(builder, batch.n_features, _TOGETHER, close_ranks)
        count.set(n_first + keep[1].count())
    return count.get()


def _size(batch: TracedBatch, drawn: Traced) -> Traced:
    """A value that is 0 where x is, and above 0 elsewhere."""
    return drawn * drawn if batch.variant.magnitudes == "signed_uniform" else drawn


def columns(n_samples: Traced) -> Traced:
    """How many vectors so many samples fill."""
    return (n_samples + (LANES - 1)) // LANES


def n_blocks(n_samples: Traced) -> Traced:
    """How many blocks so many samples fill."""
    return (n_samples + (BLOCK - 1)) // BLOCK


@contextmanager
def blocks(n_samples: Traced) -> Iterator[Traced]:
    """A loop over the blocks of a chunk; gives the first sample."""
    with loop(n_blocks(n_samples)) as block:
        yield block * BLOCK
