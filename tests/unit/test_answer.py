"""Verdicts on the talk's observations, from tables in which the answer is known."""

from itertools import product

import pandas as pd
import pytest
from superposition_atlas.observations.answer import (
    FALSE,
    GENERAL,
    IMPORTANCE,
    JUDGED,
    SCHEDULES,
    TRAINING,
    importance_verdict,
    judge,
    verdict,
    with_comparisons,
)
from superposition_atlas.observations.claims import EMPTY

from tests.unit.case_roles import CASE_ROLES

ROLES = {"talk": CASE_ROLES}
QUESTIONS = ["not_all_represented", "none_dedicated", "top_dedicated", "densest_dropped"]


def points(**given: object) -> pd.DataFrame:
    """Two densities, even and steep, two ratios, two orders (one at ratio 1)."""
    rows = []
    for mean, steepness, ratio, order in product((0.1, 0.3), (1, 9), (1.0, 0.9), ("aligned", "reversed")):
        if ratio == 1 and order == "reversed":
            continue
        place = {"family": "linear", "mean_density": mean, "steepness": steepness, "importance_ratio": ratio}
        row = {"key": f"{mean}-{steepness}-{ratio}-{order if steepness > 1 else ''}", "order": order, **place}
        row["variant"] = "standard"
        for prefix in ("", "best_"):
            row |= {prefix + name: 1.0 for name in QUESTIONS}
            row |= {f"{prefix}n_represented": 4.0, f"{prefix}frobenius_norm": 2.0}
        rows.append(row | given)
    return pd.DataFrame(rows)


def claims(fraction: float) -> pd.DataFrame:
    rows = []
    for judged, case in product(JUDGED, ("case1", "case2")):
        row = {"observation": judged.observation, "experiment": "talk", "case": case, "primary": True}
        rows.append(row | {"sample": "all", "n_holding": int(100 * fraction), "n_seeds": 100})
    return pd.concat([EMPTY, pd.DataFrame(rows)], ignore_index=True)


def solved(holds: bool) -> dict[str, pd.DataFrame]:
    rows = []
    for case in ("case1", "case2", "uniform_matched"):
        row = {"case": case, "kind": "minimum", "rank": 0, "n_represented": 4, "frobenius_norm": 2.0}
        rows.append(row | dict.fromkeys(QUESTIONS, holds))
        rows.append({**row, "rank": 1, **dict.fromkeys(QUESTIONS, not holds)})
    return {"talk": pd.DataFrame(rows)}


def regressed(trained: tuple[float, float], best: tuple[float, float]) -> pd.DataFrame:
    rows = []
    for source, pair in (("trained", trained), ("best", best)):
        for term, middle in zip(("importance", "variance"), pair, strict=True):
            row = {"source": source, "outcome": "dedicated", "term": term, "coefficient": middle}
            rows.append(row | {"ci_low": middle - 0.5, "ci_high": middle + 0.5, "n_schedules": 7})
    return pd.DataFrame(rows)


EFFECTS = regressed((3, 1), (3, 1))


@pytest.mark.parametrize(
    ("atlas", "talk", "expected"),
    [
        # of the atlas: trained, best, trained where the best says no; of the talk: trained, best
        ((1.0, 0.96, 1.0), (1.0, 1.0), GENERAL),
        ((0.94, 1.0, float("nan")), (1.0, 1.0), SCHEDULES),
        ((0.9, 0.4, 0.8), (0.9, 0.5), TRAINING),
        ((0.9, 0.4, 0.3), (0.9, 0.5), SCHEDULES),
        ((0.9, 0.4, 0.8), (0.1, 0.2), FALSE),
        ((0.9, 0.4, 0.8), (0.1, 0.7), SCHEDULES),
    ],
)
def test_verdicts(atlas: tuple[float, ...], talk: tuple[float, ...], expected: str) -> None:
    names = ("atlas_trained", "atlas_best", "trained_where_not_best", "talk_trained", "talk_best")
    assert verdict(dict(zip(names, (*atlas, *talk), strict=True))) == expected


def test_what_always_holds_is_general_and_what_never_does_is_false() -> None:
    general = judge(points(), claims(1.0), solved(True), ROLES, EFFECTS).set_index("observation")["verdict"]
    assert (general[["O1", "O2", "O3", "P1-top", "P2"]] == GENERAL).all()
    nowhere = points(**{prefix + name: 0.0 for prefix in ("", "best_") for name in QUESTIONS})
    never = judge(nowhere, claims(0.0), solved(False), ROLES, EFFECTS).set_index("observation")["verdict"]
    assert (never[["O1", "O2", "O3", "P1-top", "P2"]] == FALSE).all()


def test_what_training_does_and_the_best_does_not_is_of_training() -> None:
    table = points(best_not_all_represented=0.0)
    row = judge(table, claims(1.0), solved(False), ROLES, EFFECTS).set_index("observation").loc["O1"]
    assert row["verdict"] == TRAINING
    assert (row["atlas_trained"], row["atlas_best"], row["trained_where_not_best"]) == (1.0, 0.0, 1.0)
    assert (row["talk_trained"], row["talk_best"]) == (1.0, 0.0)


def test_observations_are_asked_where_they_speak() -> None:
    table = judge(points(), claims(1.0), solved(True), ROLES, EFFECTS).set_index("observation")["n_schedules"]
    # Two densities that are steep: three schedules each, one of constant importance, one in either order.
    assert (table["O1"], table["O2"], table["O3"], table["P1-top"]) == (6, 2, 2, 2)
    assert table[IMPORTANCE] == 7


def test_the_best_found_first_stands_for_a_case() -> None:
    found = solved(True)
    found["talk"] = found["talk"].iloc[::-1]
    assert judge(points(), claims(1.0), found, ROLES, EFFECTS)["talk_best"].iloc[0] == 1.0


def test_orders_are_compared_at_the_same_place() -> None:
    table = points()
    table.loc[(table["order"] == "aligned") & (table["mean_density"] == 0.1), "n_represented"] = 3.0
    table.loc[(table["order"] == "aligned") & (table["mean_density"] == 0.3), "n_represented"] = 5.0
    compared = with_comparisons(table)
    case1 = compared[(compared["order"] == "aligned") & (compared["importance_ratio"] < 1)]
    assert (case1["fewest"] == (case1["mean_density"] == 0.1)).all()
    assert compared.loc[compared["importance_ratio"] == 1, "fewest"].isna().all()


def test_norms_are_compared_with_uniform_sparsity_of_the_same_mean() -> None:
    table = points()
    table.loc[(table["steepness"] > 1) & (table["mean_density"] == 0.1), "frobenius_norm"] = 1.9
    compared = with_comparisons(table)
    steep = compared[compared["steepness"] > 1]
    assert (steep["below_uniform"] == (steep["mean_density"] == 0.1)).all()
    without = with_comparisons(table[table["steepness"] > 1])
    assert without["below_uniform"].isna().all()


@pytest.mark.parametrize(
    ("trained", "best", "expected"),
    [
        ((3, 1), (3, 1), GENERAL),
        ((3, 1), (1, 3), TRAINING),
        ((3, 1), (1.2, 1), TRAINING),
        ((1.2, 1), (3, 1), SCHEDULES),
        ((1, 3), (3, 1), FALSE),
    ],
)
def test_importance_leads_if_its_interval_lies_above(
    trained: tuple[float, float], best: tuple[float, float], expected: str
) -> None:
    assert importance_verdict(regressed(trained, best)) == expected


def test_schedules_are_compared_with_those_of_their_way_of_training() -> None:
    """Two ways of training in one table: each compares as it does by itself."""
    one = points()
    few = (one["order"] == "reversed") & (one["steepness"] > 1)
    one.loc[few, "n_represented"] = 1.0
    other = points(n_represented=3.0, frobenius_norm=9.0).assign(variant="other")
    other.loc[(other["steepness"] == 1), "frobenius_norm"] = 8.0
    columns = ["fewest", "below_uniform", "best_fewest", "best_below_uniform"]
    alone = [with_comparisons(table)[columns] for table in (one, other)]
    for tables in ((one, other), (other, one)):
        together = with_comparisons(pd.concat(tables, ignore_index=True))
        for variant, expected in zip(("standard", "other"), alone, strict=True):
            found = together[together["variant"] == variant][columns].reset_index(drop=True)
            pd.testing.assert_frame_equal(found, expected.reset_index(drop=True))
    assert not alone[0].equals(alone[1])
