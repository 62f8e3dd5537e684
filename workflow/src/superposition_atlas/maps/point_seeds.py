"""Seeds of a map's toy models: a block for each point, so that schedules are independent."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt64


def training_seeds(keys: Sequence[str], seeds: Sequence[int]) -> UInt64[np.ndarray, " instance"]:
    """Seeds of the streams of a map's toy models: the point's key, as a number, plus the seed, mod 2^64.

    Each point has a block of seeds of its own, so toy models of different schedules are independent. At one
    point all variants, and all maps, share the block. Adding points or seeds never changes another's.

    Args:
        keys: of each toy model's point.
        seeds: of each, as the configuration has them, at least 0.
    """
    pairs = zip(keys, seeds, strict=True)
    return np.array([(int(key, 16) + int(seed)) % 2**64 for key, seed in pairs], dtype=np.uint64)
