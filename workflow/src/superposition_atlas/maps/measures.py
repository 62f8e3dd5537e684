"""What toy models represent, beside the best solutions and the predictions for their schedules.

Features that a schedule does not tell apart (of one importance and probability) are of one kind: what is kept
is compared by the number of features of each kind.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Integer

from superposition_atlas.errors import ArtefactError
from superposition_atlas.maps.comparison import is_covered, search_of
from superposition_atlas.metrics.features import interference, represented
from superposition_atlas.observations.definitions import (
    OBSERVATIONS,
    n_densest_missing,
    n_in_superposition,
    names_about,
)
from superposition_atlas.observations.measured import Measured
from superposition_atlas.storage.map_files import MapPoints
from superposition_atlas.theory.exact_loss import exact_loss
from superposition_atlas.theory.structures import drop_costs
from superposition_atlas.toy_model import mean_inputs

SAME_LOSS = 1e-5
"""Solutions whose losses differ by less, relative to the best, are equally good."""
NOTHING_LOST = 1e-8
"""So are those whose losses differ by less of the loss of representing nothing: the best may be 0."""
BELOW = 2e-5
"""No toy model may be better than the best solution by more of the loss of representing nothing."""

QUESTIONS = tuple(dict.fromkeys(own.column for own in OBSERVATIONS if own.kind == "models" and own.brief))
"""Columns with the yes-or-no answers to the observations that are about schedules of maps."""
COUNTS = ("n_represented", "n_dedicated", "n_in_superposition", "n_densest_missing", "frobenius_norm")
"""Numbers of features, and the un-squared norm: the means over seeds are in the table of points."""

PerFeature = Float[np.ndarray, "instance feature"]
Weights = Float[np.ndarray, "instance hidden feature"]
Kept = Bool[np.ndarray, "instance feature"]
Training = Mapping[str, Any]
"""As `TrainingSettings.as_dict` gives it."""


@dataclass(frozen=True)
class Schedules:
    """The schedule of each row of what is measured."""

    importance: PerFeature
    probability: PerFeature

    @classmethod
    def at(cls, points: MapPoints, keys: Iterable[str]) -> "Schedules":
        """Those of points, by key, which must be among them."""
        place = {key: index for index, key in enumerate(points.key)}
        rows = np.array([place[key] for key in keys], dtype=int)
        return cls(points.importance[rows], points.probability[rows])

    def kinds(self) -> Integer[np.ndarray, "instance feature"]:
        """A number for each feature, the same for those that the schedule does not tell apart."""
        like = self.importance[:, :, None] == self.importance[:, None]
        like &= self.probability[:, :, None] == self.probability[:, None]
        return like.argmax(axis=2)

    def kept_kinds(self, kept: Kept) -> Integer[np.ndarray, "instance feature"]:
        """How many features of each kind are kept, at the place of the kind's first feature; 0 elsewhere."""
        kinds = self.kinds()
        counts = [(kept & (kinds == kind)).sum(axis=1) for kind in range(kept.shape[1])]
        return np.stack(counts, axis=1)

    def loss_of_nothing(self) -> Float[np.ndarray, " instance"]:
        """Mean over the features of V_i: the loss of representing none of them."""
        return drop_costs(self.importance, self.probability).mean(axis=1)


def as_uncentred(
    b: PerFeature, W: Weights, probability: PerFeature, trainings: Sequence[Training]
) -> PerFeature:
    """Biases with which toy models of centred inputs do the same with inputs as they are, b - Wᵀ W E x.

    Those of other toy models stay; float64.
    """
    taken_off = [
        mean_inputs(own, training["magnitudes"]) * training["centred_inputs"]
        for own, training in zip(probability, trainings, strict=True)
    ]
    W = W.astype(np.float64)
    return b - np.einsum("kmi,kmj,kj->ki", W, W, np.reshape(taken_off, probability.shape))


def looks(W: Weights, schedules: Schedules) -> dict[str, np.ndarray]:
    """What tables say of weights, with answers to the talk's observations.

    frobenius_norm: un-squared ‖W‖_F. n_represented: features with ‖W_i‖ > 0.5. n_dedicated: those with a
    dimension of their own. n_in_superposition: represented and not dedicated. n_densest_missing: features
    denser than every represented one. mean_interference: Σ_{j≠i} (Ŵ_i · W_j)², over the represented features.
    not_all_represented: O1. none_dedicated: O2 and O3. top_dedicated: P1, a feature of the highest importance
    is dedicated. densest_dropped: P2, no feature of the highest probability is represented while a rarer one
    is.
    """
    models = Measured.of_weights(W, schedules.importance, schedules.probability)
    there = models.represented
    total = (interference(models.W) * there).sum(axis=1)
    asked = {own.column: own.question for own in OBSERVATIONS if own.column in QUESTIONS and own.question}
    return {
        "frobenius_norm": models.frobenius_norm,
        "n_represented": there.sum(axis=1),
        "n_dedicated": models.dedicated.sum(axis=1),
        "n_in_superposition": n_in_superposition(models),
        "n_densest_missing": n_densest_missing(models),
        "mean_interference": total / np.maximum(there.sum(axis=1), 1),
        **{column: question(models) for column, question in asked.items()},
    }


def kept_names(W: Weights, schedules: Schedules) -> list[str]:
    """Which features are kept, up to those of one kind: equal names are equal answers.

    kept: number of represented features of each kind (equal importance and probability), at the place of the
    kind's first feature: `11010` is features 0, 1 and 3 where all differ, `30000` any three where all are
    equal.
    """
    counts = schedules.kept_kinds(represented(W.astype(np.float64)))
    separator = "" if W.shape[2] < 10 else " "  # a count may have two digits then
    return [separator.join(map(str, row)) for row in counts]


def solution_table(solutions: pd.DataFrame, W: Weights, schedules: Schedules) -> pd.DataFrame:
    """One row a minimum or prediction, without weights: loss, and what it looks like.

    Args:
        solutions: in the columns of SOLUTION_SCHEMA; there may be none.
        W: weights.
        schedules: of each.

    Returns:
        Beside `looks` and kept: is_best: whether it is a minimum as good as the best of its search, up to
        SAME_LOSS. share_of_starts: share of the search's starts that ended there (NaN for predictions).
    """
    table = solutions.drop(columns=["W", "b"]).assign(kept=kept_names(W, schedules), **looks(W, schedules))
    table = table.astype({"kept": str})
    searches = table.groupby(["key", "kind", "bias"])
    lowest = searches["loss"].transform("min")
    slack = SAME_LOSS * lowest + NOTHING_LOST * schedules.loss_of_nothing()
    table["is_best"] = (table["kind"] == "minimum") & (table["loss"] - lowest <= slack)
    table["share_of_starts"] = table["n_starts"] / searches["n_starts"].transform("sum")
    return table


def excess_table(
    models: pd.DataFrame,
    W: Weights,
    b: PerFeature,
    schedules: Schedules,
    trainings: Sequence[Training],
    solved: pd.DataFrame,
) -> pd.DataFrame:
    """One row a toy model.

    Args:
        models: what names it, the key of its schedule among it.
        W: weights.
        b: biases, `as_uncentred`.
        schedules: of each.
        trainings: how each was trained.
        solved: `solution_table`; without rows (too many features) there is nothing to compare with.

    Returns:
        Beside `models`, kept and `looks`: bias: what the search holds that the toy model is compared with
        (trained, zero, mean), empty if there is none. exact_loss: expected loss without samples. best_loss:
        the lowest of that search. excess_loss: exact loss over the best. relative_excess: the same as a share
        of the loss of representing nothing. keeps_best: whether the same features are kept as by a best
        solution, up to features of one kind. What can't be known is missing.

    Raises:
        ArtefactError: if a toy model is better than the best solution that it is compared with.
    """
    table = models.assign(
        bias=[search_of(training) for training in trainings],
        kept=kept_names(W, schedules),
        **looks(W, schedules),
    ).astype({"key": str, "bias": str, "kept": str})
    best = solved[solved["is_best"]].groupby(["key", "bias"])
    lowest, answers = best["loss"].min(), best["kept"].agg(frozenset)
    known = dict(zip(lowest.index, zip(lowest, answers, strict=True), strict=True))
    found = [known.get(search, (np.nan, None)) for search in zip(table["key"], table["bias"], strict=True)]
    table["exact_loss"] = _exact_losses(W, b, schedules, trainings) if len(solved) else np.nan
    table["best_loss"] = np.array([loss for loss, _ in found], dtype=float)
    table["excess_loss"] = table["exact_loss"] - table["best_loss"]
    table["relative_excess"] = table["excess_loss"] / schedules.loss_of_nothing()
    _refuse_below_the_best(table)
    keeps = [
        pd.NA if known_answers is None else kept in known_answers
        for kept, (_, known_answers) in zip(table["kept"], found, strict=True)
    ]
    return table.assign(keeps_best=pd.array(keeps, dtype="boolean"))


def _refuse_below_the_best(table: pd.DataFrame) -> None:
    """Raises an ArtefactError if a toy model is better than the best solution that it is compared with."""
    below = table[table["relative_excess"] < -BELOW]
    if below.empty:
        return
    row = below.sort_values("relative_excess").iloc[0]
    raise ArtefactError(
        f"the toy model of seed {row['seed']} on the schedule {row['key']} has an exact loss of "
        f"{row['exact_loss']:.9g}, below the {row['best_loss']:.9g} of the best solution "
        f"(bias: {row['bias']}), as have {len(below) - 1} others of theirs: the solutions must be "
        "searched for again with these toy models at hand"
    )


def _exact_losses(
    W: Weights, b: PerFeature, schedules: Schedules, trainings: Sequence[Training]
) -> Float[np.ndarray, " instance"]:
    """NaN where the theory does not cover what was trained."""
    covered = np.array([is_covered(training) for training in trainings], dtype=bool)
    arrays = (W, b, schedules.importance, schedules.probability)
    losses = np.full(len(W), np.nan)
    losses[covered] = exact_loss(*(array[covered] for array in arrays)).mean(axis=1)
    return losses


def point_table(
    models: pd.DataFrame, solved: pd.DataFrame, points: pd.DataFrame, n_hidden: int
) -> pd.DataFrame:
    """One row a point and variant (without toy models, a point and search).

    Args:
        models: `excess_table` with the column variant; there may be none.
        solved: `solution_table`; there may be none.
        points: with coordinates; a schedule may stand at several.
        n_hidden: m.

    Returns:
        Coordinates. observations: names of those that are about the schedule, apart by spaces. variance:
        Σ_i I_i Var x_i. n_seeds: toy models. n_represented, n_dedicated, n_in_superposition,
        n_densest_missing, frobenius_norm: means over the seeds. not_all_represented, none_dedicated,
        top_dedicated, densest_dropped, keeps_best: shares of the seeds. max_frobenius_norm: largest of the
        seeds. median_excess, least_excess: of the seeds' relative excess. frugal_keeps_best,
        frugal_n_represented: of the seed with the lowest exact loss. best_loss, best_kept,
        best_frobenius_norm, best_n_represented, best_n_dedicated, best_n_in_superposition,
        best_n_densest_missing, best_not_all_represented, best_none_dedicated, best_top_dedicated,
        best_densest_dropped: of the best solution, the first found of several. n_minima: minima found.
        starts_at_best: share of the starts that ended in a best one. predicted_loss, predicted_structure,
        predicted_n_represented: of the predictor, for free biases only. agrees: whether it keeps what a best
        solution keeps, any of several. matching_loss, matching_structure, matching_n_represented,
        matching_agrees: likewise of the matching.
    """
    importance, probability = (np.stack(points[name].to_list()) for name in ("importance", "probability"))
    whole = points.drop(columns=["importance", "probability"]).assign(
        observations=names_about(importance, probability, n_hidden),
        variance=drop_costs(importance, probability).sum(axis=1),
    )
    if len(models):
        whole = whole.merge(_over_seeds(models), how="left", on="key")
    if len(solved):
        searches = pd.DataFrame(_searches(solved)).astype(dict.fromkeys(_FLAGS, "boolean"))
        whole = whole.merge(searches, how="left", on=["key", "bias"] if len(models) else ["key"])
    return whole


def _over_seeds(models: pd.DataFrame) -> pd.DataFrame:
    """One row a schedule and variant. variant: way of training. bias: what its search holds, or empty."""
    by = ["key", "variant", "bias"]
    groups = models.astype({"keeps_best": float}).groupby(by, sort=False)
    trained = groups[[*COUNTS, *QUESTIONS, "keeps_best"]].mean()
    trained["n_seeds"] = groups.size()
    trained["max_frobenius_norm"] = groups["frobenius_norm"].max()
    trained["median_excess"] = groups["relative_excess"].median()
    trained["least_excess"] = groups["relative_excess"].min()
    frugal = models.sort_values("exact_loss", kind="stable").drop_duplicates(by).set_index(by)
    for name in ("keeps_best", "n_represented"):
        known = frugal.loc[frugal["exact_loss"].notna(), name]
        trained[f"frugal_{name}"] = known.reindex(trained.index)
    return trained.reset_index()


_LOOKED_AT = ("loss", "kept", *COUNTS, *QUESTIONS)
_PREDICTED = {"predicted": ("predicted", "agrees"), "matching": ("matching", "matching_agrees")}
"""By kind of prediction: what its columns start with, and the one that says whether it is right."""
_FLAGS = (*(f"best_{name}" for name in QUESTIONS), "agrees", "matching_agrees")


def _searches(solved: pd.DataFrame) -> Iterator[dict[str, object]]:
    """One row a schedule and search."""
    foretold = solved[solved["kind"] != "minimum"]
    predictions = {(row["key"], row["bias"], row["kind"]): row for row in foretold.to_dict("records")}
    minima = solved[solved["kind"] == "minimum"].sort_values(["key", "bias", "rank"])
    for (key, bias), group in minima.groupby(["key", "bias"], sort=False):
        best, equally_good = group.iloc[0], group[group["is_best"]]
        row = {"key": key, "bias": bias} | {f"best_{name}": best[name] for name in _LOOKED_AT}
        row["n_minima"] = len(group)
        row["starts_at_best"] = equally_good["share_of_starts"].sum()
        for kind, (prefix, agrees) in _PREDICTED.items():
            prediction = predictions.get((key, bias, kind))
            for name in ("loss", "structure", "n_represented"):
                row[f"{prefix}_{name}"] = None if prediction is None else prediction[name]
            row[agrees] = None if prediction is None else prediction["kept"] in set(equally_good["kept"])
        yield row
