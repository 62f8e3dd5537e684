"""What a map's toy models represent, beside the best solutions and the predictions for their schedules.

Features that a schedule does not tell apart (of one importance and probability) are of one kind: what is kept
is compared by the number of features of each kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Integer

from superposition_atlas.metrics.features import dedicated, interference, represented
from superposition_atlas.theory.exact_loss import exact_loss
from superposition_atlas.theory.structures import drop_costs

SAME_LOSS = 1e-5
"""Solutions whose losses differ by less, relative to the best, are equally good."""

QUESTIONS = ("not_all_represented", "none_dedicated", "top_dedicated", "densest_dropped")
"""Columns that answer the talk's observations: O1; O2 and O3; P1 of the most important feature; P2."""

PerFeature = Float[np.ndarray, "instance feature"]
Weights = Float[np.ndarray, "instance hidden feature"]
Kept = Bool[np.ndarray, "instance feature"]


@dataclass(frozen=True)
class Schedules:
    """The schedule of each row of what is measured."""

    importance: PerFeature
    probability: PerFeature

    def kinds(self) -> Integer[np.ndarray, "instance feature"]:
        """A number for each feature, the same for those that the schedule does not tell apart."""
        like = self.importance[:, :, None] == self.importance[:, None]
        like &= self.probability[:, :, None] == self.probability[:, None]
        return like.argmax(axis=2)

    def kept_kinds(self, kept: Kept) -> Integer[np.ndarray, "instance feature"]:
        """How many features of each kind are kept."""
        kinds = self.kinds()
        counts = [(kept & (kinds == kind)).sum(axis=1) for kind in range(kept.shape[1])]
        return np.stack(counts, axis=1)


def looks(W: Weights, schedules: Schedules) -> dict[str, np.ndarray]:
    """What tables say of weights: norms, counts, and the answers to QUESTIONS."""
    W = W.astype(np.float64)
    there, alone = represented(W), dedicated(W)
    each = np.arange(len(W))
    total = (interference(W) * there).sum(axis=1)
    return {
        "frobenius_norm": np.linalg.norm(W, axis=(1, 2)),
        "n_represented": there.sum(axis=1),
        "n_dedicated": alone.sum(axis=1),
        "mean_interference": total / np.maximum(there.sum(axis=1), 1),
        "not_all_represented": ~there.all(axis=1),
        "none_dedicated": ~alone.any(axis=1),
        "top_dedicated": alone[each, schedules.importance.argmax(axis=1)],
        "densest_dropped": ~there[each, schedules.probability.argmax(axis=1)],
    }


def kept_names(W: Weights, schedules: Schedules) -> list[str]:
    """Which features are kept, up to those of one kind: equal names are equal answers."""
    counts = schedules.kept_kinds(represented(W.astype(np.float64)))
    return ["".join(map(str, row)) for row in counts]


def solution_table(solutions: pd.DataFrame, W: Weights, schedules: Schedules) -> pd.DataFrame:
    """One row a minimum or prediction, without weights: loss, and what it looks like.

    `is_best` says which minima are as good as the best, up to SAME_LOSS; `share_of_starts` how many of the
    search's starts ended there.
    """
    table = solutions.drop(columns=["W", "b"]).assign(kept=kept_names(W, schedules), **looks(W, schedules))
    searches = table.groupby(["key", "kind", "bias"])
    table["is_best"] = table["loss"] <= searches["loss"].transform("min") * (1 + SAME_LOSS)
    table["share_of_starts"] = table["n_starts"] / searches["n_starts"].transform("sum")
    return table


def model_table(
    models: pd.DataFrame, W: Weights, b: PerFeature, schedules: Schedules, solved: pd.DataFrame | None
) -> pd.DataFrame:
    """One row a toy model.

    Args:
        models: key, variant, seed, loss and bias (of the search that it is compared with).
        W: weights.
        b: biases, as of uncentred inputs.
        schedules: of each.
        solved: `solution_table`, or None where there are too many features.

    Returns:
        Beside `looks`: exact_loss; excess_loss, over the best solution's; relative_excess, as a share
        of the loss of representing nothing; keeps_best, whether the same features are kept as by a best one.
    """
    table = models.assign(kept=kept_names(W, schedules), **looks(W, schedules))
    if solved is None:
        return table.assign(exact_loss=np.nan, excess_loss=np.nan, relative_excess=np.nan, keeps_best=False)
    best = solved[(solved["kind"] == "minimum") & solved["is_best"]]
    lowest = best.groupby(["key", "bias"])["loss"].min().rename("best_loss").reset_index()
    answers = best.groupby(["key", "bias"])["kept"].agg(frozenset).rename("best_kept").reset_index()
    table = table.merge(lowest, how="left").merge(answers, how="left")
    table["exact_loss"] = exact_loss(W, b, schedules.importance, schedules.probability).mean(axis=1)
    table["excess_loss"] = table["exact_loss"] - table["best_loss"]
    nothing = drop_costs(schedules.importance, schedules.probability).mean(axis=1)
    table["relative_excess"] = table["excess_loss"] / nothing
    table["keeps_best"] = [
        kept in known if isinstance(known, frozenset) else False
        for kept, known in zip(table["kept"], table["best_kept"], strict=True)
    ]
    return table.drop(columns=["best_kept"])


def summary_table(models: pd.DataFrame, solved: pd.DataFrame | None, points: pd.DataFrame) -> pd.DataFrame:
    """One row a point and variant: its coordinates, means and shares over seeds, the best, the predicted.

    Columns of the best solution start with `best_`, of the predictions with `predicted_` and `bare_`. Where
    several are equally good the first found stands for them, but `agrees` and `bare_agrees` take any.
    """
    coordinates = points.drop(columns=["importance", "probability"])
    coordinates["variance"] = [
        drop_costs(importance, probability).sum()
        for importance, probability in zip(points["importance"], points["probability"], strict=True)
    ]
    frames = [coordinates]
    if len(models):
        groups = models.groupby(["key", "variant", "bias"], sort=False)
        trained = groups[["n_represented", "n_dedicated", "frobenius_norm", *QUESTIONS, "keeps_best"]].mean()
        trained["n_seeds"] = groups.size()
        trained["max_frobenius_norm"] = groups["frobenius_norm"].max()
        trained["median_excess"] = groups["relative_excess"].median()
        trained["least_excess"] = groups["relative_excess"].min()
        first = groups["exact_loss"].transform("min") == models["exact_loss"]
        frugal = models[first].drop_duplicates(["key", "variant"]).set_index(["key", "variant", "bias"])
        trained["frugal_keeps_best"] = frugal["keeps_best"]
        trained["frugal_n_represented"] = frugal["n_represented"]
        frames.append(trained.reset_index())
    if solved is not None:
        frames.append(pd.DataFrame(_solved_rows(solved)))
    whole = frames[0]
    for frame in frames[1:]:
        common = [name for name in ("key", "bias") if name in whole and name in frame]
        whole = whole.merge(frame, how="left", on=common)
    return whole


def _solved_rows(solved: pd.DataFrame) -> Iterator[dict[str, object]]:
    looked_at = ["loss", "kept", "frobenius_norm", "n_represented", "n_dedicated", *QUESTIONS]
    foretold = solved[solved["kind"] != "minimum"]
    predictions = {(row["key"], row["kind"]): row for row in foretold.to_dict("records")}
    minima = solved[solved["kind"] == "minimum"].sort_values(["key", "bias", "rank"])
    for (key, bias), group in minima.groupby(["key", "bias"], sort=False):
        best = group.iloc[0]
        answers = set(group.loc[group["is_best"], "kept"])
        row = {"key": key, "bias": bias} | {f"best_{name}": best[name] for name in looked_at}
        row["n_minima"] = len(group)
        row["starts_at_best"] = group.loc[group["is_best"], "share_of_starts"].sum()
        for kind, prefix in (("predicted", "predicted"), ("predicted_bare", "bare")):
            prediction = predictions[str(key), kind]
            row |= {f"{prefix}_{name}": prediction[name] for name in ("loss", "structure", "n_represented")}
            row["agrees" if prefix == "predicted" else "bare_agrees"] = prediction["kept"] in answers
        yield row
