"""The talk's observations judged: facts about representation, about training, or about one schedule?

Each is put to the talk's own schedules and to every schedule of the atlas that it speaks of, of trained toy
models and of the best known solutions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from superposition_atlas.observations.claims import CONTROLS

NEARLY_ALL = 0.95
"""Share of schedules, and of toy models, from which on an observation counts as general."""
MOST = 0.5

GENERAL = "true in general"
SCHEDULES = "true of some schedules"
TRAINING = "true of training, not of the optimum"
FALSE = "false"

IMPORTANCE = "P3"
"""The one observation that a regression answers."""

_UNIFORM = ["variant", "mean_density", "importance_ratio"]
_PLACE = [*_UNIFORM, "family", "steepness"]
"""Columns that compared schedules have in common: the way of training and coordinates of the atlas. All but
the order, for the orders of a schedule; all but order, family and steepness, for it and the uniform one."""


@dataclass(frozen=True)
class Judged:
    """An observation, where on the atlas it is asked, and the two columns that answer it there."""

    observation: str
    """Its name in `claims.OBSERVATIONS`."""
    rows: Callable[[pd.DataFrame], pd.Series]
    """The points that it speaks of."""
    trained: str
    """Share of toy models."""
    best: str
    """Whether it holds for the best solution."""


def _uneven(points: pd.DataFrame) -> pd.Series:
    return points["steepness"] > 1


def _case1(points: pd.DataFrame) -> pd.Series:
    return _uneven(points) & (points["order"] == "aligned") & (points["importance_ratio"] < 1)


def _case2(points: pd.DataFrame) -> pd.Series:
    return _uneven(points) & (points["order"] == "reversed") & (points["importance_ratio"] < 1)


def _constant(points: pd.DataFrame) -> pd.Series:
    return _uneven(points) & (points["importance_ratio"] == 1)


JUDGED = (
    Judged("O1", _uneven, "not_all_represented", "best_not_all_represented"),
    Judged("O2", _case2, "none_dedicated", "best_none_dedicated"),
    Judged("O3", _constant, "none_dedicated", "best_none_dedicated"),
    Judged("P1-fewest", _case1, "fewest", "best_fewest"),
    Judged("P1-top", _case1, "top_dedicated", "best_top_dedicated"),
    Judged("P2", _constant, "densest_dropped", "best_densest_dropped"),
    Judged("P4-matched", _uneven, "below_uniform", "best_below_uniform"),
)


_COMPARED = {"fewest": "n_represented", "below_uniform": "frobenius_norm"}
"""Comparisons of points, and the column of each."""
POINT_COLUMNS = (
    *("key", "order", *_PLACE),
    *sorted(
        prefix + _COMPARED.get(column.removeprefix(prefix), column.removeprefix(prefix))
        for judged in JUDGED
        for prefix, column in (("", judged.trained), ("best_", judged.best))
    ),
)
"""Columns that `judge` reads; only the points of solved grids have all of them."""


def with_comparisons(points: pd.DataFrame) -> pd.DataFrame:
    """The atlas's points with what compares them: fewest features of all orders, norm below uniform's.

    Each point is compared with those of its own way of training.
    `fewest` and `below_uniform` are 1 or 0, by the means over seeds; NaN with nothing to compare with.
    """
    points = points.copy()
    for prefix in ("", "best_"):
        orders = points.pivot_table(index=_PLACE, columns="order", values=f"{prefix}n_represented")
        others = orders.drop(columns="aligned", errors="ignore")
        least = others.min(axis=1).rename("least").reset_index()
        compared = points.merge(least, how="left", on=_PLACE)
        few = (compared[f"{prefix}n_represented"] <= compared["least"]).astype(float)
        points[f"{prefix}fewest"] = few.where(compared["least"].notna()).to_numpy()
        norm = f"{prefix}frobenius_norm"
        even = points[points["steepness"] == 1].groupby(_UNIFORM)[norm].first()
        uniform = points[_UNIFORM].merge(even.rename("of_uniform").reset_index(), how="left")["of_uniform"]
        below = (points[norm].to_numpy() < uniform.to_numpy()).astype(float)
        points[f"{prefix}below_uniform"] = np.where(uniform.notna(), below, np.nan)
    return points


def judge(
    points: pd.DataFrame,
    claims: pd.DataFrame,
    solved: Mapping[str, pd.DataFrame],
    roles: Mapping[str, Mapping[str, str]],
    effects: pd.DataFrame,
) -> pd.DataFrame:
    """One row an observation: where it holds, of trained toy models and of the best, and the verdict.

    Args:
        points: the atlas's table of points, of one way of training.
        claims: the tested observations.
        solved: for each of the talk's experiments, best solutions by case.
        roles: for each of them, the roles of its cases.
        effects: of importance and variance, see `maps.effects`.
    """
    points = with_comparisons(points)
    rows = [_row(judged, points, claims, solved, roles) for judged in JUDGED]
    n_schedules = int(effects["n_schedules"].max())
    importance = {
        "observation": IMPORTANCE,
        "n_schedules": n_schedules,
        "verdict": importance_verdict(effects),
    }
    return pd.DataFrame([*rows, importance])


def importance_verdict(effects: pd.DataFrame) -> str:
    """Whether importance decides more than sparsity which features get a dimension to themselves (P3).

    It does where its coefficient's whole interval lies above that of the variance: general if so of trained
    toy models and of the best solutions, of training if of the former alone, false if it lies below for them.
    """
    leads = {}
    for source in ("trained", "best"):
        rows = effects[(effects["source"] == source) & (effects["outcome"] == "dedicated")].set_index("term")
        importance, variance = rows.loc["importance"], rows.loc["variance"]
        above, below = importance["ci_low"] > variance["ci_high"], importance["ci_high"] < variance["ci_low"]
        leads[source] = 1 if above else -1 if below else 0
    if leads["trained"] < 0:
        return FALSE
    if leads["trained"] == 0:
        return SCHEDULES
    return GENERAL if leads["best"] > 0 else TRAINING


def _row(
    judged: Judged,
    points: pd.DataFrame,
    claims: pd.DataFrame,
    solved: Mapping[str, pd.DataFrame],
    roles: Mapping[str, Mapping[str, str]],
) -> dict[str, object]:
    asked = points[judged.rows(points)].dropna(subset=[judged.trained, judged.best]).drop_duplicates("key")
    trained, best = asked[judged.trained].astype(float), asked[judged.best].astype(bool)
    row: dict[str, object] = {
        "observation": judged.observation,
        "n_schedules": len(asked),
        "atlas_trained": trained.mean(),
        "atlas_best": best.mean(),
        "trained_where_best": trained[best].mean(),
        "trained_where_not_best": trained[~best].mean(),
    }
    seeds = [0, 0]
    at_best = []
    for experiment, table in solved.items():
        tested = claims[
            (claims["experiment"] == experiment)
            & (claims["observation"] == judged.observation)
            & claims["primary"]
        ]
        tested = tested[tested["sample"] == ("all" if (tested["sample"] == "all").any() else "shown")]
        seeds[0] += int(tested["n_holding"].sum())
        seeds[1] += int(tested["n_seeds"].sum())
        at_best += [_of_best(judged.observation, case, table, roles[experiment]) for case in tested["case"]]
    row["talk_trained"] = _ratio(*seeds)
    row["talk_best"] = _ratio(sum(at_best), len(at_best))
    row["verdict"] = verdict(row)
    return row


def verdict(row: Mapping[str, object]) -> str:
    """The verdict on an observation, by the shares in which it holds.

    General: nearly all schedules of the atlas and nearly all toy models. Of training: most toy models also
    where the best solution says otherwise, as it does somewhere. False: at the talk's schedules neither of
    most toy models nor of most best solutions. Else: of some schedules.
    """
    atlas_trained, atlas_best = _number(row["atlas_trained"]), _number(row["atlas_best"])
    if atlas_trained >= NEARLY_ALL and atlas_best >= NEARLY_ALL:
        return GENERAL
    if max(_number(row["talk_trained"]), _number(row["talk_best"])) < MOST:
        return FALSE
    if _number(row["trained_where_not_best"]) >= MOST and _number(row["talk_trained"]) >= MOST:
        return TRAINING
    return SCHEDULES


def _of_best(observation: str, case: str, solved: pd.DataFrame, roles: Mapping[str, str]) -> bool:
    """Whether the best solution of a case answers yes."""
    best = solved[(solved["kind"] == "minimum") & (solved["rank"] == 0)].drop_duplicates("case")
    best = best.set_index("case")
    own = best.loc[case]
    if observation == "P1-fewest":
        others = [name for name in best.index if name != case and roles.get(name) not in CONTROLS]
        return bool(own["n_represented"] <= best.loc[others, "n_represented"].min())
    if observation == "P4-matched":
        control = next(name for name in best.index if roles.get(name) == "matched")
        return bool(own["frobenius_norm"] < best.loc[control, "frobenius_norm"])
    columns = {judged.observation: judged.trained for judged in JUDGED}
    return bool(own[columns[observation]])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _number(value: object) -> float:
    assert isinstance(value, float)
    return value
