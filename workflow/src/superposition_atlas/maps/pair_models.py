"""Toy models of two features in one dimension, for the phase diagram of pairs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.schedules import explicit
from superposition_atlas.theory.pair_phases import IMPORTANCE_RATIOS, phase_of
from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.train_toy_models import train

SETTINGS = TrainingSettings(init_scale=0.2)
"""The talk's initial scale, else the defaults."""


def pair_models(
    probabilities: Sequence[float] | Float[np.ndarray, " value"],
    n_seeds: int,
    importance_ratios: Sequence[float] = IMPORTANCE_RATIOS,
    settings: TrainingSettings = SETTINGS,
    threads: int = 1,
) -> pd.DataFrame:
    """The phases of trained toy models at each pair of probabilities; no two have a seed in common.

    Args:
        probabilities: p_1 and p_2 on both axes, in (0, 1].
        n_seeds: toy models at each pair, at least 1.
        importance_ratios: I_2 / I_1, with I_1 = 1.
        settings: of training.
        threads: of the fused engine.

    Returns:
        importance_ratio: I_2 / I_1. p_1, p_2: probabilities. seed: of the toy model. phase: first, second,
        shared, aligned or neither. starts_with_one_sign: whether both initial weights have the same sign; in
        one dimension a weight can't turn to the other side, it has to pass 0.

    Raises:
        TrainingError: as `train`.
    """
    names = ["importance_ratio", "p_1", "p_2"]
    grid = np.meshgrid(importance_ratios, probabilities, probabilities, indexing="ij")
    points = pd.DataFrame({name: axis.reshape(-1) for name, axis in zip(names, grid, strict=True)})
    table = points.loc[points.index.repeat(n_seeds)].reset_index(drop=True)
    ratio = table["importance_ratio"].to_numpy()
    schedule = explicit(
        importance=np.stack([np.ones_like(ratio), ratio], axis=1), probability=table[names[1:]].to_numpy()
    )
    seeds = np.arange(len(table), dtype=np.uint64)
    trained = train(schedule, n_hidden=1, seeds=seeds, threads=threads, **settings.as_dict())
    untrained = {**settings.as_dict(), "steps": 0, "warmup_steps": 0, "record_steps": ()}
    initial = train(schedule, n_hidden=1, seeds=seeds, threads=threads, **untrained).W
    return table.assign(
        seed=seeds, phase=phase_of(trained.W), starts_with_one_sign=initial[:, 0].prod(axis=1) > 0
    )
