"""The answer over schedules, from tables in which it is known."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from superposition_atlas.observations.answer import CLAIMS, answer
from superposition_atlas.observations.claims import N_GENERAL_TESTS
from superposition_atlas.observations.definitions import BY_NAME, OBSERVATIONS, names_about
from superposition_atlas.observations.over_schedules import ANSWERS, JUDGED, Map, answers_on

P = np.array([0.9, 0.7, 0.5, 0.3, 0.1])
NOTHING = {"not_all_represented": 0.0, "none_dedicated": 0.0, "top_dedicated": 0.0, "densest_dropped": 0.0}
NUMBERS = {"n_represented": 4.0, "n_in_superposition": 4.0, "frobenius_norm": 2.0}
EFFECTS = pd.DataFrame({"n_schedules": [7]})


def schedules(factors: list[float]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Four schedules at each density: case 1, case 2, equal importance, and uniform sparsity of the mean."""
    falling = 0.9 ** np.arange(5)
    found = {}
    for factor in factors:
        p = factor * P
        found[f"case1-{factor}"] = (falling, p)
        found[f"case2-{factor}"] = (falling, p[::-1])
        found[f"equal-{factor}"] = (np.ones(5), p)
        found[f"uniform-{factor}"] = (falling, np.full(5, p.mean()))
    return found


def made(
    values: dict[str, float] | None = None,
    best: dict[str, float] | None = None,
    factors: list[float] | None = None,
    n_seeds: int = 4,
    shared: bool = False,
) -> Map:
    """A map whose toy models, and best solutions, all give the same answers."""
    of = schedules(factors or [1.0, 0.5])
    answered = NOTHING | NUMBERS | (values or {})
    of_best = NOTHING | NUMBERS | (best if best is not None else values or {})
    points, features, models = [], [], []
    for index, (key, (importance, probability)) in enumerate(of.items()):
        (names,) = names_about(importance[None], probability[None], 2)
        points.append({"key": key, "observations": names} | {f"best_{n}": v for n, v in of_best.items()})
        for feature, pair in enumerate(zip(importance, probability, strict=True)):
            features.append({"key": key, "feature": feature, "importance": pair[0], "probability": pair[1]})
        for seed in range(n_seeds):
            models.append({"key": key, "seed": seed if shared else 100 * index + seed} | answered)
    return Map(pd.DataFrame(points), pd.DataFrame(features), pd.DataFrame(models))


def claims_of(*rows: dict[str, Any]) -> pd.DataFrame:
    defaults = {
        **dict.fromkeys(("case", "rival", "state", "kind"), ""),
        **{"experiment": "talk", "sample": "shown", "primary": True},
        **{"n_models": 8, "fraction": 1.0, "difference": np.nan, "n_tests": 50},
    }
    return pd.DataFrame([defaults | row for row in rows], columns=list(CLAIMS))


def judged(
    atlas: Map | None = None, random: Map | None = None, rows: pd.DataFrame | None = None, **solved: Any
) -> pd.DataFrame:
    claims = claims_of() if rows is None else rows
    table = answer(claims, ["talk"], solved, atlas or made(), random, EFFECTS)
    return table.set_index("observation")


def test_one_row_an_observation_and_every_column_is_asked_for() -> None:
    table = judged()
    assert table.index.tolist() == [observation.name for observation in OBSERVATIONS]
    assert set(ANSWERS) == {*NOTHING, *NUMBERS}
    assert set(table["n_tests"]) == {N_GENERAL_TESTS}
    assert table.loc["P3", "n_schedules"] == 7
    assert table.loc["P3", "verdict"] == "no test: a regression"
    assert (table["general_state"] == "").all()


def test_observations_are_put_to_the_schedules_that_they_are_about() -> None:
    table = judged()["n_schedules"]
    assert [table[name] for name in ("O1", "O2", "O3", "P1-top", "P2")] == [6, 2, 2, 2, 2]
    assert [table[name] for name in ("P1-fewest", "P4-matched")] == [2, 4], "equal ones have no control"


def test_shares_over_the_atlas() -> None:
    row = judged(made({"none_dedicated": 1.0}, {"none_dedicated": 0.0})).loc["O2"]
    assert (row["atlas_trained"], row["atlas_best"]) == (1.0, 0.0)
    assert row["trained_where_not_best"] == 1.0
    assert np.isnan(row["trained_where_best"])


def test_random_schedules_decide_what_holds_in_general() -> None:
    factors = [float(f) for f in np.linspace(0.5, 1.0, 140)]
    always = judged(random=made({"none_dedicated": 1.0}, factors=factors)).loc["O2"]
    assert (always["general_n_schedules"], always["general_n_models"]) == (140, 560)
    assert (always["general_verdict"], always["general_state"]) == ("always", "supported")
    assert always["verdict"] == "no test; supported in general"
    never = judged(random=made({}, {"none_dedicated": 1.0}, factors=factors)).loc["O2"]
    assert (never["general_state"], never["general_best_state"]) == ("contradicted", "supported")
    assert never["verdict"] == "no test; in general contradicted of toy models, supported of best solutions"


def test_many_seeds_of_few_schedules_say_little_in_general() -> None:
    row = judged(random=made({"none_dedicated": 1.0}, factors=[1.0, 0.5], n_seeds=64)).loc["O2"]
    assert row["general_n_models"] == 128
    assert row["general_state"] == "open"


def test_the_grid_decides_nothing_in_general() -> None:
    one, other = judged(made({"none_dedicated": 1.0})), judged(made())
    assert (one["verdict"] == other["verdict"]).all()
    assert one.loc["O2", "atlas_trained"] != other.loc["O2", "atlas_trained"]


def test_seeds_that_schedules_share_count_as_clusters() -> None:
    """Seed 0 alone shows it, at every schedule: with shared seeds that is one seed of four."""
    factors = [float(f) for f in np.linspace(0.5, 1.0, 30)]
    widths = {}
    for shared in (False, True):
        random = made(factors=factors, shared=shared)
        random.models["none_dedicated"] = (random.models["seed"] % 100 == 0).astype(float)
        row = judged(random=random).loc["O2"]
        assert row["general_trained"] == 0.25
        widths[shared] = row["general_high"] - row["general_low"]
    assert widths[True] > 2 * widths[False]


def test_comparisons_are_with_rivals_by_schedule() -> None:
    map_ = made()
    few = map_.models["key"].str.startswith("case1")
    map_.models.loc[few, "n_represented"] = 2.5
    map_.models.loc[map_.models["key"].str.startswith("equal"), "n_represented"] = 3.0
    found = answers_on(BY_NAME["P1-fewest"], map_, map_.models)
    assert found.part.tolist() == [-1.0, -1.0]  # 2.5 against 4 and 3
    map_.models.loc[few, "frobenius_norm"] = 1.9
    relative = answers_on(BY_NAME["P4-matched"], map_, map_.models)
    assert sorted(relative.part) == pytest.approx([-0.05, -0.05, 0.0, 0.0])


def test_the_talk_s_tests_are_counted_by_state_and_family() -> None:
    rows = [
        {"observation": "O1", "case": "case1", "kind": "models", "state": "supported", "fraction": 1.0},
        {"observation": "O1", "case": "case1", "kind": "models", "state": "open", "sample": "all"}
        | {"fraction": 0.5, "n_models": 100},
        {"observation": "O1", "case": "case2", "kind": "models", "state": "contradicted", "fraction": 0.0},
        {"observation": "O1", "case": "case2", "state": "supported", "experiment": "other"},
        {"observation": "O1", "case": "case2", "state": "supported", "primary": False},
    ]
    solutions = pd.DataFrame({"case": ["case1", "case1", "case2"], "kind": "minimum", "rank": [1, 0, 0]})
    solutions["not_all_represented"] = [False, True, False]
    row = judged(rows=claims_of(*rows), talk=solutions).loc["O1"]
    assert [row[f"talk_{state}"] for state in ("supported", "open", "contradicted")] == [0, 1, 1]
    assert row["other_supported"] == 1
    assert row["talk_trained"] == pytest.approx(50 / 108)
    assert row["talk_best"] == 0.5
    assert row["n_tests"] == 50
    assert row["verdict"].startswith("open in 1, contradicted in 1 of 2 tests")


def test_the_best_solutions_of_pooled_cases_and_rivals() -> None:
    rows = [
        {"observation": "O3-almost", "case": "case5, post4", "kind": "features", "state": "open"},
        {"observation": "P1-fewest", "case": "case1", "rival": "case5, post4", "kind": "difference"}
        | {"state": "open", "difference": -0.5},
    ]
    solutions = pd.DataFrame({"case": ["case1", "case5", "post4"], "kind": "minimum", "rank": 0})
    solutions = solutions.assign(n_represented=[3, 4, 4], n_in_superposition=[2, 3, 3])
    table = judged(rows=claims_of(*rows), talk=solutions)
    assert table.loc["O3-almost", "talk_best"] == 0.75
    assert table.loc["P1-fewest", "talk_best"] == -1.0
    assert table.loc["P1-fewest", "talk_trained"] == -0.5


def test_judged_observations_are_the_talk_s_and_the_post_s() -> None:
    assert {own.name[0] for own in JUDGED} == {"O", "P"}
