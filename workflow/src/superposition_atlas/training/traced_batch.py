"""One instance's batch, as the traced steps see it: where its numbers lie, and its inputs from the stream."""

from dataclasses import dataclass
from typing import Any

from superposition_atlas.stream import MULTIPLIERS, ROUNDS, WEYL_INCREMENTS, Purpose
from superposition_atlas.training.lanes import LANES, Memory, Traced, long, longs, words

BLOCK = 2 * LANES
"""Positions of a block: eight quads of the stream in two vectors."""

_LOW_WORD = 0xFFFFFFFF


@dataclass(frozen=True)
class TracedBatch:
    """The batch of one instance and one step. Rows hold float32 unless said; W and b lie as one row."""

    builder: Any
    n_features: int
    n_hidden: int
    batch_size: Traced
    step: Traced
    key: tuple[Traced, Traced]
    weights: Memory
    """W[k, i] at k·n_features + i, then b[i]."""
    importance: Memory
    threshold: Memory
    """uint32, see `stream.thresholds`."""
    scale: Memory
    gradient: Memory
    """Where the sums over the batch go, laid out as the weights; W's part is zero before the step."""
    scratch: Memory
    """At least `fused_step.scratch_size` elements, of any content."""

    @property
    def bias(self) -> Memory:
        """b[i] at i."""
        return self.weights.from_index(self.n_hidden * self.n_features)

    @property
    def bias_gradient(self) -> Memory:
        """The gradient of b[i] at i."""
        return self.gradient.from_index(self.n_hidden * self.n_features)

    @property
    def n_blocks(self) -> Traced:
        """Blocks in the batch; the last may be a part of one."""
        return (self.batch_size + (BLOCK - 1)) // BLOCK

    def inputs(self, block: Traced, feature: Traced | int) -> tuple[Traced, Traced]:
        """x of one feature (`stream.sample`) at the positions of one block, in the lanes of `used`."""
        threshold, scale = self.threshold.load(feature), self.scale.load(feature)
        counter = feature if isinstance(feature, Traced) else long(self.builder, feature)
        first, second = self._words(block * (BLOCK // 4), counter)
        return (
            (first.to_floats() * scale).where(first <= threshold),
            (second.to_floats() * scale).where(second <= threshold),
        )

    def used(self, block: Traced) -> tuple[Traced, Traced]:
        """Which lanes of one block are positions of the batch.

        Of its quad a lane of the first vector holds word 1 or 0, of the second word 3 or 2: the order in
        which the last round leaves them. A sum over the batch may be taken in any order.
        """
        left = (self.batch_size - block * BLOCK).low_word()
        position = [4 * (lane // 2) + 1 - lane % 2 for lane in range(LANES)]
        return (
            words(self.builder, position) < left,
            words(self.builder, [p + 2 for p in position]) < left,
        )

    def _words(self, quad: Traced, feature: Traced) -> tuple[Traced, Traced]:
        """Philox4x32 of eight neighbouring quads; what is the same for all of them stays scalar.

        A word lives in 64 bits, since a product of two needs the room; the upper half is only noise, which
        the next product leaves out. In the last round the upper halves are put to use: a product's two words
        are both outputs, side by side.
        """
        c0, c1, c2 = longs(self.builder, range(8)) + quad, feature, self.step
        c3 = long(self.builder, Purpose.INPUTS)
        k0, k1 = self.key
        for _ in range(ROUNDS - 1):
            product0, product1 = (c0 & _LOW_WORD) * MULTIPLIERS[0], (c2 & _LOW_WORD) * MULTIPLIERS[1]
            c0, c1, c2, c3 = (product1 >> 32) ^ c1 ^ k0, product1, (product0 >> 32) ^ c3 ^ k1, product0
            k0, k1 = k0 + WEYL_INCREMENTS[0], k1 + WEYL_INCREMENTS[1]
        product0, product1 = (c0 & _LOW_WORD) * MULTIPLIERS[0], (c2 & _LOW_WORD) * MULTIPLIERS[1]
        return (product1 ^ ((c1 ^ k0) << 32)).as_words(), (product0 ^ ((c3 ^ k1) << 32)).as_words()
