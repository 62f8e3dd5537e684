"""Pairs of dependent features in trained toy models, beside the best solution and the matching."""

from dataclasses import replace

import numpy as np
import pandas as pd

from superposition_atlas.metrics.dependence import pair_table
from superposition_atlas.theory.best import best_solutions
from superposition_atlas.theory.exact_loss import exact_loss
from superposition_atlas.theory.limits import LARGEST_SOLVED
from superposition_atlas.theory.matching import match
from superposition_atlas.theory.structures import drop_costs
from superposition_atlas.toy_model import ToyModels

REACHED = 0.01
"""A toy model reaches the best solution if its excess loss is at most this share of the loss of nothing."""


def pairs_beside_best(models: ToyModels, like: ToyModels | None = None) -> pd.DataFrame:
    """`pair_table`, and what the theory says of each toy model's schedule.

    best: how the pair lies in the best solution. matched: whether the matching has the two in one dimension
    (shared), in two (apart) or leaves one out (absent). excess: exact loss less that of the best solution, as
    a share of the loss of representing nothing. reaches: whether it is at most REACHED. With more than
    LARGEST_SOLVED features nothing is solved, and these are missing.

    Args:
        models: toy models with ReLU outputs, a trained bias and magnitudes U[0, 1].
        like: as of `pair_table`.

    Raises:
        ArgumentError: as `pair_table`.
        TheoryError: if the toy models have no exact loss.
    """
    table = pair_table(models, like)
    if models.n_features > LARGEST_SOLVED:
        return table.assign(best=None, matched=None, excess=np.nan, reaches=None)
    importance, probability = (
        getattr(models, name).astype(np.float64) for name in ("importance", "probability")
    )
    schedules = np.concatenate([importance, probability], axis=1)
    _, first, schedule = np.unique(schedules, axis=0, return_index=True, return_inverse=True)
    losses = exact_loss(models).mean(axis=1)
    nothing = drop_costs(importance, probability).mean(axis=1)
    parts = []
    for number, place in enumerate(first):
        own = models.select([int(place)])
        best = best_solutions(own)[0]
        solved = replace(own, W=best.W[None].astype(np.float32), b=best.b[None].astype(np.float32))
        solution = pair_table(solved, like)
        matching = match(own)
        partner, kept = matching.partner, matching.is_kept
        i, j = solution["feature"].to_numpy(), solution["other"].to_numpy()
        solution = solution.assign(
            schedule=number,
            best=solution["arrangement"],
            matched=np.where(partner[i] == j, "shared", np.where(kept[i] & kept[j], "apart", "absent")),
        )
        of_schedule = schedule.reshape(-1) == number
        parts.append(
            pd.DataFrame(
                {
                    "instance": np.flatnonzero(of_schedule),
                    "schedule": number,
                    "excess": (losses[of_schedule] - best.loss) / nothing[of_schedule],
                }
            ).merge(solution[["schedule", "feature", "other", "best", "matched"]], on="schedule")
        )
    found = pd.concat(parts).drop(columns="schedule")
    found["reaches"] = found["excess"] <= REACHED
    return table.merge(found, on=["instance", "feature", "other"], validate="one_to_one")
