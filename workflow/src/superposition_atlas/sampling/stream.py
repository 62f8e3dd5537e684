"""One stream of samples for every engine: a sample is a pure function of where it stands.

The generator is Philox4x32 (Salmon et al. 2011, *Parallel random numbers: as easy as 1, 2, 3*), a keyed
bijection of a 128-bit counter. No state exists, so nothing depends on how instances are batched, sharded or
threaded, a run resumes from (weights, optimiser state, step) alone, and every engine sees the same numbers.

    key      = (seed mod 2^32, seed div 2^32)
    counter  = (position div 4, feature, step, purpose)
    word     = output[position mod 4]

Four neighbouring positions of one feature share a call, so none of the four words is wasted whatever the
number of features, and a feature's samples do not change when features are added behind it.

Seven rounds, not ten: seven is the smallest number that passes all of BigCrush (table 2 of the paper, where
ten is the default as a margin), and the generator takes a large share of the time of a small model.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from jaxtyping import Float, Integer, UInt32

from superposition_atlas.sampling.magnitudes import MagnitudesName

ROUNDS = 7
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL_INCREMENTS = (0x9E3779B9, 0xBB67AE85)
_LOW_WORD = np.uint64(0xFFFFFFFF)
_WORD_BITS = np.uint64(32)


class Purpose(IntEnum):
    """The use of a word: the last word of the counter, so that no two uses share numbers."""

    INPUTS = 0
    INITIAL_WEIGHTS = 1
    SAE_INPUTS = 2
    SAE_INITIAL_WEIGHTS = 3
    SAE_RESAMPLING = 4
    EVALUATION = 5
    SCHEDULE = 6
    PLAYGROUND_POINTS = 20
    PLAYGROUND_WEIGHTS = 21
    ATTENTION_TOKENS = 30
    ATTENTION_WEIGHTS = 31
    ATTENTION_RULE = 32


def philox4x32(
    counter: UInt32[np.ndarray, "*shape 4"], key: UInt32[np.ndarray, "*shape 2"], rounds: int = ROUNDS
) -> UInt32[np.ndarray, "*shape 4"]:
    """Philox4x32 of each counter under its key; leading axes broadcast."""
    c0, c1, c2, c3 = (counter[..., word].astype(np.uint64) for word in range(4))
    k0, k1 = (key[..., word].astype(np.uint64) for word in range(2))
    m0, m1 = (np.uint64(multiplier) for multiplier in MULTIPLIERS)
    w0, w1 = (np.uint64(increment) for increment in WEYL_INCREMENTS)
    for _ in range(rounds):
        product0, product1 = m0 * c0, m1 * c2
        c0, c1, c2, c3 = (
            (product1 >> _WORD_BITS) ^ c1 ^ k0,
            product1 & _LOW_WORD,
            (product0 >> _WORD_BITS) ^ c3 ^ k1,
            product0 & _LOW_WORD,
        )
        k0, k1 = (k0 + w0) & _LOW_WORD, (k1 + w1) & _LOW_WORD
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3), axis=-1).astype(np.uint32)


def words(
    seeds: Sequence[int] | Integer[np.ndarray, " instance"],
    step: int,
    n_positions: int,
    n_features: int,
    purpose: Purpose,
) -> UInt32[np.ndarray, "instance position feature"]:
    """The uniform 32-bit words of one step, for each seed (0 ≤ seed < 2^64) by itself."""
    seed = np.asarray(seeds, dtype=np.uint64)
    n_quads = -(-n_positions // 4)
    counter = np.zeros((1, n_quads, n_features, 4), dtype=np.uint32)
    counter[..., 0] = np.arange(n_quads, dtype=np.uint32)[:, None]
    counter[..., 1] = np.arange(n_features, dtype=np.uint32)
    counter[..., 2] = step
    counter[..., 3] = purpose
    key = np.stack([seed & _LOW_WORD, seed >> _WORD_BITS], axis=-1).astype(np.uint32)[:, None, None, :]
    quads = philox4x32(counter, key)  # instance quad feature word
    return quads.swapaxes(2, 3).reshape(len(seed), 4 * n_quads, n_features)[:, :n_positions]


def thresholds(probability: Float[np.ndarray, "*shape"]) -> UInt32[np.ndarray, "*shape"]:
    """The largest word that still means "active": a feature is active iff word ≤ threshold.

    Exactly (threshold + 1) / 2^32 of all words are active, so p = 1 leaves none out.

    Raises:
        ValueError: if a probability is not in (0, 1].
    """
    p = np.asarray(probability, dtype=np.float64)
    if not np.all((p > 0) & (p <= 1)):
        raise ValueError("a feature probability must be in (0, 1]")
    return (np.maximum(np.rint(p * 2.0**32), 1.0) - 1.0).astype(np.uint32)


def scales(threshold: UInt32[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """float32 factor that maps an active word to its magnitude in [0, 1]."""
    return (1.0 / (threshold.astype(np.float64) + 1.0)).astype(np.float32)


def offsets(scale: Float[np.ndarray, "*shape"], magnitudes: MagnitudesName) -> Float[np.ndarray, "*shape"]:
    """float32 summand that keeps u = word · scale + offset above 0, where a quantile at 0 is no magnitude."""
    return np.zeros_like(scale) if magnitudes == "uniform" else scale * np.float32(0.5)


def uniform(
    seeds: Sequence[int] | Integer[np.ndarray, " instance"],
    step: int,
    n_positions: int,
    n_features: int,
    purpose: Purpose,
) -> Float[np.ndarray, "instance position feature"]:
    """U(0, 1) as float64, never 0 and never 1."""
    return (words(seeds, step, n_positions, n_features, purpose).astype(np.float64) + 0.5) * 2.0**-32


def standard_normal(
    seeds: Sequence[int] | Integer[np.ndarray, " instance"],
    step: int,
    n_positions: int,
    n_features: int,
    purpose: Purpose,
) -> Float[np.ndarray, "instance position feature"]:
    """Standard normals as float64, by Box and Muller's transform of neighbouring positions."""
    u = uniform(seeds, step, 2 * n_positions, n_features, purpose)
    return np.sqrt(-2.0 * np.log(u[:, 0::2])) * np.cos(2.0 * np.pi * u[:, 1::2])
