"""Claims: toy models of one schedule are one entry, and words follow from numbers."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.metrics import features
from superposition_atlas.metrics.verdicts import share_verdict
from superposition_atlas.observations import claims
from superposition_atlas.observations.definitions import BY_NAME
from superposition_atlas.observations.measured import PRIMARY, SWEEP
from superposition_atlas.observations.trained import by_schedule
from superposition_atlas.observations.words import NOT_IN_GENERAL, STATES, in_general, tally
from superposition_atlas.toy_model import ToyModels, TrainingSettings

FALLING = 0.9 ** np.arange(5)
DENSE_FIRST = np.array([0.9, 0.7, 0.5, 0.3, 0.1])

PAIRS = np.zeros((2, 5))
PAIRS[0, :2], PAIRS[1, 2:4] = [1, -1], [1, -1]  # four features, none dedicated
ALONE = np.eye(2, 5)  # two features, both dedicated


def rows(
    of: str, W: Any, importance: Any, probability: Any, n_shown: int = 8, first: int = 0
) -> pd.DataFrame:
    """The table of features of a case."""
    W = np.asarray(W, dtype=np.float32)
    n_seeds, _, n = W.shape
    models = ToyModels(
        W=W,
        b=np.zeros((n_seeds, n), dtype=np.float32),
        loss=np.zeros(n_seeds),
        seeds=np.arange(first, first + n_seeds, dtype=np.uint64),
        importance=np.broadcast_to(importance, (n_seeds, n)).astype(float),
        probability=np.broadcast_to(probability, (n_seeds, n)).astype(float),
        settings=TrainingSettings(),
        engine="by hand",
    )
    table = features.feature_table(models)
    return table.assign(case=of, shown=table["seed"] < first + n_shown)


def table(*cases: pd.DataFrame, trainings: dict[str, dict[str, Any]] | None = None) -> pd.DataFrame:
    found = claims.unjudged("talk", "linear", pd.concat(cases), trainings or {})
    return claims.judged(found)


def of(found: pd.DataFrame, name: str, sample: str = "shown") -> pd.DataFrame:
    return found[(found["observation"] == name) & (found["sample"] == sample) & found["primary"]]


def case2(n_holding: int, n: int, n_shown: int = 8) -> pd.DataFrame:
    W = [PAIRS] * n_holding + [ALONE] * (n - n_holding)
    return rows("case2", W, FALLING, DENSE_FIRST[::-1], n_shown)


# --- one schedule is one entry -----------------------------------------------------------------------------


def test_cases_that_are_one_schedule_up_to_names_are_pooled() -> None:
    order = [3, 0, 4, 1, 2]
    case5 = rows("case5", [PAIRS, ALONE], 1.0, DENSE_FIRST[order])
    post4 = rows("post4", [PAIRS, PAIRS, PAIRS], 1.0, DENSE_FIRST)
    found = of(table(case5, post4), "O3")
    assert len(found) == 1
    row = found.iloc[0]
    assert (row["case"], row["n_models"], row["n_seeds"], row["n_holding"]) == ("case5, post4", 5, 3, 4)


def test_another_training_is_another_entry() -> None:
    one, other = (rows(of, [PAIRS], 1.0, DENSE_FIRST) for of in ("post4", "longer"))
    found = of(table(one, other, trainings={"longer": {"steps": 9}, "post4": {"steps": 5}}), "O3")
    assert found["case"].tolist() == ["post4", "longer"]
    assert found["key"].nunique() == 2


def test_a_toy_model_that_stands_twice_counts_once() -> None:
    one, again = (rows(of, [PAIRS, ALONE], 1.0, DENSE_FIRST) for of in ("post4", "again"))
    more = rows("again", [PAIRS], 1.0, DENSE_FIRST, first=2)
    row = of(table(one, again, more), "O3").iloc[0]
    assert (row["n_models"], row["n_holding"]) == (3, 2)


def test_densities_that_differ_between_seeds_are_no_schedule() -> None:
    uniform = rows("uniform", [PAIRS, ALONE], FALLING, [[0.5] * 5, [0.1] * 5])
    assert len(by_schedule(uniform, {})) == 1
    assert table(uniform).empty


def test_rows_come_back_from_a_table_in_any_order() -> None:
    shuffled = case2(2, 3).sample(frac=1.0, random_state=0)
    (entry,) = by_schedule(shuffled, {})
    assert entry.seeds.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(entry.models.W[2], ALONE)
    np.testing.assert_allclose(entry.models.norm, np.linalg.norm(entry.models.W, axis=1))


# --- the table ---------------------------------------------------------------------------------------------


def test_shown_and_all_seeds_stand_apart() -> None:
    found = table(case2(19, 20))
    shown, everything = of(found, "O2").iloc[0], of(found, "O2", "all").iloc[0]
    assert (shown["n_holding"], shown["n_models"]) == (8, 8)
    assert (everything["n_holding"], everything["n_models"]) == (19, 20)
    expected = share_verdict(19, 20, everything["n_tests"])
    assert (everything["ci_low"], everything["ci_high"]) == pytest.approx((expected.low, expected.high))
    assert everything["verdict"] == str(expected)
    assert everything["criterion"] == "no feature has norm > 0.5 and D > 0.9"
    assert list(found.columns) == list(claims.COLUMNS)
    assert set(of(table(case2(3, 3)), "O2", "all").index) == set()


def test_words_change_when_the_data_do() -> None:
    states = {n: of(table(case2(n, 300, 300)), "O2").iloc[0] for n in (0, 90, 240, 300)}
    assert [row["verdict"] for row in states.values()] == ["never", "seldom", "mostly", "always"]
    assert [row["state"] for row in states.values()] == ["contradicted"] * 3 + ["supported"]
    assert of(table(case2(8, 8)), "O2").iloc[0]["state"] == "open"
    assert states[300]["without_exception"] == 1
    assert 0 < states[240]["without_exception"] < 0.8**8 * 1.1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 12), st.integers(2, 12))
def test_a_small_sample_never_contradicts_a_large_one(n_holding: int, factor: int) -> None:
    small = of(table(case2(n_holding, 12, 999)), "O2").iloc[0]
    large = of(table(case2(factor * n_holding, factor * 12, 999)), "O2").iloc[0]
    assert small["state"] in ("open", large["state"])


def test_intervals_are_simultaneous_over_the_distinct_tests() -> None:
    one = table(case2(5, 8))
    n_one = int(one["n_tests"].iloc[0])
    tests = {
        tuple(row) for row in one[one["requires"] != ""][["observation", "rival"]].itertuples(index=False)
    }
    assert n_one == len(tests) + claims.N_GENERAL_TESTS
    again = claims.unjudged("another", "linear", case2(5, 8), {})
    both = claims.judged([*claims.unjudged("talk", "linear", case2(5, 8), {}), *again])
    assert set(both["n_tests"]) == {n_one}, "the same schedule in two experiments is one test"
    more = table(case2(5, 8), rows("post4", [PAIRS], 1.0, DENSE_FIRST))
    assert more["n_tests"].iloc[0] > n_one
    wide, narrow = of(more, "O2").iloc[0], of(one, "O2").iloc[0]
    assert wide["ci_high"] - wide["ci_low"] > narrow["ci_high"] - narrow["ci_low"]


def test_every_row_has_all_thresholds_and_a_distribution_counts() -> None:
    found = table(case2(2, 3), rows("case1", [ALONE] * 3, FALLING, DENSE_FIRST))
    expected = {(t.norm, t.dimensionality) for t in (PRIMARY, *SWEEP)}
    for _, part in found.groupby(["observation", "case", "rival", "sample"]):
        pairs = list(zip(part["norm_threshold"], part["dedicated_threshold"], strict=True))
        assert set(pairs) == expected
        assert len(pairs) == len(expected)
    three = of(found, "O1-three").set_index("case")
    assert list(three.loc["case2", "counts"]) == [0, 0, 1, 0, 2, 0]
    assert list(three.loc["case1", "counts"]) == [0, 0, 3, 0, 0, 0]
    assert set(three["verdict"]) == {""}
    assert not {"{", "}"} & set("".join(found["criterion"]))


def test_comparisons_have_a_row_a_rival_and_pair_by_seed() -> None:
    case1 = rows("case1", [ALONE, PAIRS, ALONE], FALLING, DENSE_FIRST)
    case3 = rows("case3", [PAIRS, PAIRS, PAIRS], FALLING, DENSE_FIRST[[2, 0, 1, 4, 3]])
    equal = rows("post4", [ALONE, ALONE], 1.0, DENSE_FIRST)
    found = of(table(case1, case3, equal, case2(3, 3)), "P1-fewest").set_index("rival")
    assert set(found["case"]) == {"case1"}
    assert set(found.index) == {"case2", "case3", "post4"}
    assert found.loc["case3", "difference"] == pytest.approx(-4 / 3)  # -2, 0, -2
    assert (found.loc["case3", "n_models"], found.loc["case3", "n_holding"]) == (3, 2)
    assert found.loc["post4", "difference"] == pytest.approx(1.0)  # 0, 2: seeds that both have
    assert found.loc["post4", "n_models"] == 2


def test_a_rival_that_is_pooled_gives_its_mean_of_each_seed() -> None:
    case1 = rows("case1", [ALONE, ALONE], FALLING, DENSE_FIRST)
    one = rows("case5", [PAIRS, PAIRS], 1.0, DENSE_FIRST[::-1])
    other = rows("post4", [ALONE, ALONE], 1.0, DENSE_FIRST)
    (row,) = of(table(case1, one, other), "P1-fewest").to_dict("records")
    assert (row["rival"], row["difference"], row["n_models"]) == ("case5, post4", -1.0, 2)


def test_norms_are_compared_with_the_control_as_a_share_and_with_the_sparsest_in_a_sentence() -> None:
    case = case2(4, 4)
    matched = rows("uniform_matched", [1.25 * PAIRS] * 4, FALLING, DENSE_FIRST.mean())
    uniform = rows(
        "uniform", [PAIRS, 3 * PAIRS, PAIRS, PAIRS], FALLING, [[p] * 5 for p in (1, 0.5, 0.2, 0.1)]
    )
    found = table(case, matched, uniform)
    (row,) = of(found, "P4-matched").to_dict("records")
    assert row["difference"] == pytest.approx(1 / 1.25 - 1)
    assert row["rival"] == "uniform_matched"
    (sentence,) = of(found, "P4").to_dict("records")
    assert (sentence["n_holding"], sentence["n_models"], sentence["verdict"]) == (4, 4, "")
    assert of(table(case, uniform), "P4-matched").empty
    assert of(table(case, matched), "P4").empty


def test_the_share_of_features_is_of_the_represented_ones() -> None:
    row = of(table(case2(2, 4)), "O2-every").iloc[0]
    assert row["fraction"] == pytest.approx(8 / 12)  # 4, 4, 0, 0 of 4, 4, 2, 2
    assert row["ci_low"] < 8 / 12 < row["ci_high"]


def test_the_thresholds_move_a_share() -> None:
    short = case2(2, 3).assign(norm=lambda rows: np.where(rows["norm"] > 0, 0.65, 0.0))
    found = table(short)
    by_norm = found[(found["observation"] == "O2")].set_index("norm_threshold")["n_holding"]
    assert by_norm[0.7] == 3
    assert by_norm[0.6] == 2


def test_without_a_case_that_an_observation_is_about_the_table_is_empty_and_typed() -> None:
    found = table(rows("uniform", [PAIRS], FALLING, 0.5))
    assert found.empty
    assert list(found.columns) == list(claims.COLUMNS)
    assert claims.judged([]).dtypes.equals(found.dtypes)


def test_names_of_cases_decide_nothing() -> None:
    renamed = case2(2, 3).assign(case="anything")
    one, other = table(case2(2, 3)), table(renamed)
    pd.testing.assert_frame_equal(one.drop(columns="case"), other.drop(columns="case"))


# --- words -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({}, "no test"),
        ({"supported": 1}, "supported in its one test"),
        ({"open": 4}, "open in all 4 tests"),
        ({"supported": 1, "contradicted": 2}, "supported in 1, contradicted in 2 of 3 tests"),
    ],
)
def test_tallies(counts: dict[str, int], words: str) -> None:
    assert tally(counts) == words


def test_general_words_are_the_states_and_no_other() -> None:
    said = {in_general(a, b) for a in ("", *STATES) for b in ("", *STATES)}
    assert len(said) == 16
    assert in_general("", "") == NOT_IN_GENERAL
    assert in_general("open", "open") == "open in general"
    assert in_general("open", "contradicted") == (
        "in general open of toy models, contradicted of best solutions"
    )


def test_every_observation_names_its_source() -> None:
    assert {own.source.split(",")[0] for own in BY_NAME.values()} == {"talk", "post", "control"}
