"""Batches of samples, compiled to the same bits as the definitions in `stream`."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas.sampling.magnitudes import MAGNITUDES, MagnitudesName
from superposition_atlas.sampling.stream import Purpose, offsets, scales, thresholds


def sample(
    seeds: int | Sequence[int] | Integer[np.ndarray, " instance"],
    step: int,
    batch_size: int,
    probability: Float[np.ndarray, "#instance feature"],
    purpose: Purpose = Purpose.INPUTS,
    magnitudes: MagnitudesName = "uniform",
) -> Float[np.ndarray, "instance batch feature"]:
    """The batch of one step, float32: x_i = 0 with probability 1 - p_i, else a magnitude, U[0, 1].

    One uniform word decides both: x = word · scale if word ≤ threshold else 0, of `words`, `thresholds` and
    `scales`. Compiled, to the same bits as these. Other magnitudes are quantiles at word · scale + offset.

    Args:
        seeds: one an instance, 0 ≤ seed < 2^64; a single number is one instance.
        step: 0 ≤ step < 2^32.
        batch_size: number of samples.
        probability: p_i in (0, 1], [feature] or [instance, feature].
        purpose: what the samples are for; training draws INPUTS.
        magnitudes: a name in `magnitudes.MAGNITUDES`.

    Raises:
        ValueError: if a probability is not in (0, 1].
    """
    from superposition_atlas.sampling.compiled_sample import (
        fill_sample,  # here: only those who sample wait for numba
    )

    seed = np.atleast_1d(np.asarray(seeds, dtype=np.uint64))
    p = np.atleast_2d(np.asarray(probability, dtype=np.float64))
    threshold = np.ascontiguousarray(np.broadcast_to(thresholds(p), (len(seed), p.shape[-1])))
    scale = scales(threshold)
    x = np.empty((len(seed), batch_size, p.shape[-1]), dtype=np.float32)
    fill_sample(x, seed, step, int(purpose), threshold, scale, offsets(scale, magnitudes))
    if magnitudes != "uniform":
        active = x > 0.0
        x[active] = MAGNITUDES[magnitudes].quantile(x[active], np)
    return x
