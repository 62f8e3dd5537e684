"""The stream's inputs (`stream.sample`) as traced vectors: 32 positions of one feature at a time."""

from superposition_atlas.stream import MULTIPLIERS, ROUNDS, WEYL_INCREMENTS
from superposition_atlas.training.lanes import Traced, constant_longs, constant_words

POSITIONS = 32
"""Positions of a block: eight quads, of which words 0 and 1 make one vector, words 2 and 3 the other."""

_LOW = 0xFFFFFFFF


def inputs(
    quad: Traced, feature: Traced, step: Traced, key: tuple[Traced, Traced], threshold: Traced, scale: Traced
) -> tuple[Traced, Traced]:
    """x at positions 4·quad … 4·quad + 31 of one feature, in the lanes that `positions` names."""
    return tuple(
        (word.to_float() * scale).where(word <= threshold) for word in _words(quad, feature, step, key)
    )  # type: ignore[return-value]  # two of them


def positions(quad: Traced) -> tuple[Traced, Traced]:
    """The position of each lane of `inputs`, as words."""
    first = quad * 4
    word = Traced(first.builder, first.builder.trunc(first.value, constant_words(first.builder, [0] * 16).value.type.element))
    return tuple(
        constant_words(quad.builder, [4 * (lane // 2) + pair + 1 - lane % 2 for lane in range(16)]) + word
        for pair in (0, 2)
    )  # type: ignore[return-value]


def _words(
    quad: Traced, feature: Traced, step: Traced, key: tuple[Traced, Traced]
) -> tuple[Traced, Traced]:
    """Philox4x32 of eight neighbouring quads; scalars stay scalars for as long as the rounds let them.

    A counter lives in 64 bits of which only the low 32 count: the product of two words needs the room, and
    what stands above is never read. In the last round it is used: there both words of a product are outputs.
    """
    c0: Traced = constant_longs(quad.builder, range(8)) + quad
    c1, c2 = feature, step
    c3 = step * 0  # Purpose.INPUTS
    k0, k1 = key
    for round_ in range(ROUNDS):
        product0, product1 = (c0 & _LOW) * MULTIPLIERS[0], (c2 & _LOW) * MULTIPLIERS[1]
        if round_ == ROUNDS - 1:
            return (
                (product1 ^ ((c1 ^ k0) << 32)).as_words(),
                (product0 ^ ((c3 ^ k1) << 32)).as_words(),
            )
        c0, c1, c2, c3 = (product1 >> 32) ^ c1 ^ k0, product1, (product0 >> 32) ^ c3 ^ k1, product0
        k0, k1 = k0 + WEYL_INCREMENTS[0], k1 + WEYL_INCREMENTS[1]
    raise AssertionError("there is at least one round")
