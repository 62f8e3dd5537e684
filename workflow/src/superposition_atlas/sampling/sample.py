"""Batches of samples, compiled to the same bits as the definitions in `stream`."""

import operator
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer

from superposition_atlas import arguments
from superposition_atlas.backends.memory import check_memory
from superposition_atlas.errors import ArgumentError
from superposition_atlas.sampling.magnitudes import MAGNITUDES, NAMES, MagnitudesName
from superposition_atlas.sampling.stream import Purpose, offsets, thresholds
from superposition_atlas.sampling.structure import Group, Intervals, intervals_of, scales


def sample(
    seeds: int | Sequence[int] | Integer[np.ndarray, " instance"],
    step: int,
    batch_size: int,
    probability: Float[np.ndarray, "#instance feature"],
    purpose: Purpose = Purpose.INPUTS,
    magnitudes: MagnitudesName = "uniform",
    structure: Sequence[Group] | Intervals | None = None,
) -> Float[np.ndarray, "instance batch feature"]:
    """The batch of one step, float32: x_i = 0 with probability 1 - p_i, else a magnitude, U[0, 1].

    One uniform word decides both: x = word · scale if word ≤ threshold else 0, of `words`, `thresholds` and
    `scales`. Compiled, to the same bits as these. Other magnitudes are quantiles at word · scale + offset.

    Args:
        seeds: one an instance, 0 ≤ seed < 2^64; a single number is the seed of one instance.
        step: 0 ≤ step < 2^32.
        batch_size: number of samples, 0 ≤ batch_size ≤ 2^24.
        probability: p_i in (0, 1], [feature] or [instance, feature], or one number.
        purpose: what the samples are for; training draws INPUTS.
        magnitudes: a name in `magnitudes.MAGNITUDES`.
        structure: groups of features that depend on one another (`structure.intervals_of`); None means that
            all are independent.

    Raises:
        ArgumentError: if an argument is not as above, or if there is no memory for so many samples.
    """
    from superposition_atlas.sampling.compiled_sample import (
        fill_sample,  # here: only those who sample wait for numba
        fill_structured,
    )

    allowed = "a number in (0, 1], [feature] or [instance, feature]"
    p = arguments.numbers("probability", probability, allowed, ndim=(0, 1, 2), above=0, most=1)
    p = p if p.ndim == 2 else np.atleast_1d(p)[None]
    seed = _seeds(seeds)
    if len(p) not in (1, len(seed)):
        raise ArgumentError(f"probability has {len(p)} rows for {len(seed)} seeds: must have one row a seed")
    step = arguments.integer("step", step, least=0, most=2**32 - 1)
    batch_size = arguments.size("batch_size", batch_size, least=0)
    arguments.choice("magnitudes", magnitudes, NAMES)
    if not isinstance(purpose, Purpose):
        raise arguments.not_allowed_type("purpose", purpose, "a Purpose, of sampling.stream")
    check_memory(4.0 * len(seed) * batch_size * p.shape[1], batch_size=batch_size, n_features=p.shape[1])
    shape = (len(seed), p.shape[1])
    # Arrays that can't be written would be another type, for which kernels would be compiled again.
    threshold = np.array(np.broadcast_to(thresholds(p), shape), order="C")
    shared = intervals_of(structure, p)
    x = np.empty((len(seed), batch_size, p.shape[1]), dtype=np.float32)
    if shared is None:
        scale = scales(threshold, None)
        fill_sample(x, seed, step, int(purpose), threshold, scale, offsets(scale, magnitudes))
    else:
        shared = np.array(np.broadcast_to(shared, (*shape, 2)), order="C")
        scale = scales(threshold, shared)
        fill_structured(x, seed, step, int(purpose), threshold, scale, offsets(scale, magnitudes), shared)
    if magnitudes != "uniform":
        active = x > 0.0
        x[active] = MAGNITUDES[magnitudes].quantile(x[active], np)
    return x


def _seeds(seeds: object) -> Integer[np.ndarray, " instance"]:
    """Seeds as uint64; a number is one seed."""
    try:
        if not isinstance(seeds, bool):
            seeds = [operator.index(seeds)]  # type: ignore[arg-type]
    except TypeError:
        pass
    return arguments.seeds("seeds", seeds)
