"""Sets of features that are active together: whether each is an orthogonal basis, and how it becomes one."""

import numpy as np
import pandas as pd
from jaxtyping import Float, Integer

from superposition_atlas.metrics.dependence import ALIGNED_COSINE, ORTHOGONAL_COSINE, groups_of
from superposition_atlas.metrics.features import REPRESENTED_NORM, norms, represented
from superposition_atlas.toy_model import ToyModels

ARRANGEMENTS = ("incomplete", "directions", "bases", "antipodal bases", "between")
"""Names that `set_table` gives, in the order in which learning may pass through them."""


def set_table(models: ToyModels, like: ToyModels | None = None) -> pd.DataFrame:
    """One row a toy model and recorded step: how the features of a set lie, and those of two sets.

    A set is a group of features that share a word. Without a history there is one row, of the trained model.

    instance, seed: place and seed of the toy model. probability: mean over the features of sets. step: number
    of steps taken. loss: mean over features of the loss at that step. n_represented: features represented.
    within, across: mean |cosine| of two features of one set, and of two sets. largest_within: the largest
    |cosine| of two features of one set. arrangement: one of ARRANGEMENTS, told by the thresholds of
    `pair_table`.

    - directions: the features of each set lie side by side, and it is represented as a whole: Σ ‖W_i‖² of its
      features is above that of the least feature represented;
    - incomplete: else, not all features of the sets are represented;
    - bases: any two features of a set are orthogonal;
    - antipodal bases: they are, and each feature is antipodal to one of another set and orthogonal to the
      rest (in three dimensions two sets of three are the corners of an octahedron);
    - between: none of these.

    Args:
        models: the toy models.
        like: toy models of which the first says what the sets are; `models` by default.

    Raises:
        ArgumentError: if no features of `like` depend on one another, or it has another number of features.
    """
    sets = groups_of(models, like)[0]
    history = models.history
    if history is None:
        W, loss, steps = models.W[None], models.loss[None], np.array([models.settings.steps])
    else:
        W, loss, steps = history.W, history.loss, history.steps
    rows = [_row(W[record, :], sets) for record in range(len(W))]
    n_models = len(models)
    table = pd.DataFrame(
        {
            "instance": np.tile(np.arange(n_models), len(W)),
            "seed": np.tile(np.asarray(models.seeds), len(W)),
            "probability": np.tile(models.probability[:, sets >= 0].mean(axis=1), len(W)),
            "step": np.repeat(steps, n_models),
            "loss": loss.reshape(-1),
        }
    )
    return pd.concat([table, pd.concat(rows, ignore_index=True)], axis=1)


def _row(
    weights: Float[np.ndarray, "instance hidden feature"], sets: Integer[np.ndarray, " feature"]
) -> pd.DataFrame:
    W, own = weights[:, :, sets >= 0].astype(np.float64), sets[sets >= 0]
    length = norms(W)
    unit = np.divide(W, length[:, None], out=np.zeros_like(W), where=length[:, None] > 0)
    cosine = unit.swapaxes(1, 2) @ unit
    upper = np.triu(np.ones(cosine.shape[1:], bool), 1)
    same = (own[:, None] == own[None]) & upper
    other = (own[:, None] != own[None]) & upper
    within, across = np.abs(cosine[:, same]), np.abs(cosine[:, other])
    return pd.DataFrame(
        {
            "n_represented": represented(W).sum(axis=1),
            "within": within.mean(axis=1),
            "across": across.mean(axis=1) if other.any() else np.nan,
            "largest_within": within.max(axis=1),
            "arrangement": _named(cosine, length, own),
        }
    )


def _named(
    cosine: Float[np.ndarray, "instance feature feature"],
    length: Float[np.ndarray, "instance feature"],
    sets: Integer[np.ndarray, " feature"],
) -> np.ndarray:
    same = sets[:, None] == sets[None]
    pairs = np.triu(same, 1)
    complete = (length > REPRESENTED_NORM).all(axis=1)
    # A set in one direction is as long as one feature with the norms of all.
    beside = (np.sqrt(length**2 @ same) > REPRESENTED_NORM).all(axis=1)
    beside &= (cosine[:, pairs] > ALIGNED_COSINE).all(axis=1)
    orthogonal = (np.abs(cosine[:, pairs]) < ORTHOGONAL_COSINE).all(axis=1)
    outside = np.where(same, 0.0, cosine)
    opposed = (outside < -ALIGNED_COSINE).sum(axis=2) == 1
    settled = (np.abs(outside) < ORTHOGONAL_COSINE) | (outside < -ALIGNED_COSINE)
    antipodal = orthogonal & opposed.all(axis=1) & settled.all(axis=(1, 2))
    return np.select(
        [beside, ~complete, antipodal, orthogonal],
        ["directions", "incomplete", "antipodal bases", "bases"],
        "between",
    )
