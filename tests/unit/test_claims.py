"""Claims: the interval against its formula, the verdicts' borders, and every observation both ways."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.metrics import features
from superposition_atlas.observations import claims
from superposition_atlas.observations.claims import PRIMARY, CaseMeasurements, Thresholds
from superposition_atlas.toy_model import ToyModels, TrainingSettings

from tests.unit.case_roles import CASE_ROLES

OBSERVATIONS = {observation.name: observation for observation in claims.OBSERVATIONS}


def case(norm: Any, **given: Any) -> CaseMeasurements:
    """Measurements by hand; what is not given says as little as it can."""
    norm = np.asarray(norm, dtype=float)
    n_seeds, n_features = norm.shape
    given = {name: np.broadcast_to(np.asarray(value), norm.shape) for name, value in given.items()}
    defaults = {
        "importance": np.ones(norm.shape),
        "probability": np.full(norm.shape, 0.5),
        "dimensionality": np.full(norm.shape, 0.5),
        "interference": np.zeros(norm.shape),
    }
    return CaseMeasurements(
        role="",
        seeds=np.arange(n_seeds),
        shown=np.ones(n_seeds, dtype=bool),
        norm=norm,
        W=np.zeros((n_seeds, 2, n_features)),
        **(defaults | given),
    )


def case_of_weights(W: np.ndarray, importance: Any = 1.0) -> CaseMeasurements:
    measured = case(features.norms(W), importance=importance)
    return replace(
        measured, W=W, dimensionality=features.dimensionality(W), interference=features.interference(W)
    )


def answers(
    name: str, cases: dict[str, CaseMeasurements], of: str, thresholds: Thresholds = PRIMARY
) -> list[bool]:
    return [bool(answer) for answer in OBSERVATIONS[name].holds(with_roles(cases), of, thresholds)]


def spoken_of(name: str, cases: dict[str, CaseMeasurements]) -> set[str]:
    return {case for case in cases if OBSERVATIONS[name].applies(with_roles(cases), case)}


def with_roles(cases: dict[str, CaseMeasurements]) -> dict[str, CaseMeasurements]:
    return {name: replace(measured, role=CASE_ROLES.get(name, "")) for name, measured in cases.items()}


# --- interval and verdict ----------------------------------------------------------------------------------


def wilson(n_holding: int, n_seeds: int) -> tuple[float, float]:
    """The formula of Wilson (1927) at 95 %."""
    z, share = 1.959963984540054, n_holding / n_seeds
    centre = (share + z**2 / (2 * n_seeds)) / (1 + z**2 / n_seeds)
    half = z * math.sqrt(share * (1 - share) / n_seeds + z**2 / (4 * n_seeds**2)) / (1 + z**2 / n_seeds)
    return centre - half, centre + half


COUNTS = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    low, high = claims.wilson_interval(*counts)
    assert (low, high) == pytest.approx(wilson(*counts), abs=1e-12)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1


@pytest.mark.parametrize(
    ("n_holding", "n_seeds", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (1, 20, 0.0089, 0.2361),
        (15, 50, 0.1910, 0.4375),
    ],
)
def test_known_intervals(n_holding: int, n_seeds: int, low: float, high: float) -> None:
    assert claims.wilson_interval(n_holding, n_seeds) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("n_holding", "n_seeds"), [(0, 0), (3, 2), (-1, 5)])
def test_what_is_no_share_has_no_interval(n_holding: int, n_seeds: int) -> None:
    with pytest.raises(ValueError, match="is no share"):
        claims.wilson_interval(n_holding, n_seeds)


def test_more_confidence_is_a_wider_interval() -> None:
    low, high = claims.wilson_interval(5, 8)
    wider_low, wider_high = claims.wilson_interval(5, 8, confidence=0.99)
    assert wider_low < low < high < wider_high


@pytest.mark.parametrize(
    ("n_holding", "n_seeds", "always", "mostly"),
    [
        (8, 8, "holds", "holds"),
        (7, 8, "depends", "holds"),  # interval .529 to .978
        (6, 8, "depends", "depends"),  # .409 to .929
        (4, 8, "depends", "depends"),
        (2, 8, "depends", "depends"),  # .071 to .591
        (1, 8, "fails", "fails"),  # .022 to .471
        (0, 8, "fails", "fails"),
        (1, 1, "holds", "depends"),  # one seed says little: .207 to 1
        (0, 1, "depends", "depends"),
        (256, 256, "holds", "holds"),
        (255, 256, "depends", "holds"),
        (112, 256, "fails", "fails"),  # .378 to .499
        (113, 256, "depends", "depends"),  # .382 to .503
        (143, 256, "depends", "depends"),
        (144, 256, "depends", "holds"),
    ],
)
def test_verdicts_and_their_borders(n_holding: int, n_seeds: int, always: str, mostly: str) -> None:
    assert claims.verdict(n_holding, n_seeds, "always") == always
    assert claims.verdict(n_holding, n_seeds, "mostly") == mostly


@given(COUNTS)
def test_verdicts_follow_from_the_counts(counts: tuple[int, int]) -> None:
    n_holding, n_seeds = counts
    always, mostly = (claims.verdict(*counts, quantifier) for quantifier in ("always", "mostly"))
    assert (always == "holds") == (n_holding == n_seeds)
    # A statement and its opposite mirror each other if it speaks of most seeds.
    opposite = {"holds": "fails", "fails": "holds", "depends": "depends"}
    assert claims.verdict(n_seeds - n_holding, n_seeds, "mostly") == opposite[mostly]
    if mostly == "fails":
        assert always == "fails"


# --- observations on one case ------------------------------------------------------------------------------


def test_o1_no_seed_may_represent_all() -> None:
    cases = {"case1": case([[1, 1, 1, 1, 0.5], [1, 1, 1, 1, 0.51], [0, 0, 0, 0, 0]])}
    assert answers("O1", cases, "case1") == [True, False, True]
    assert answers("O1", cases, "case1", Thresholds(norm=0.4)) == [False, False, True]
    assert answers("O1", cases, "case1", Thresholds(norm=0.6)) == [True, True, True]


def test_o1_three_is_exactly_three() -> None:
    cases = {"case1": case([[1, 1, 1, 0.5, 0], [1, 1, 1, 0.6, 0], [1, 1, 0, 0, 0]])}
    assert answers("O1-three", cases, "case1") == [True, False, False]
    assert answers("O1-three", cases, "case1", Thresholds(norm=0.7)) == [True, True, False]


@pytest.mark.parametrize(("name", "of"), [("O2", "case2"), ("O3", "case5"), ("O3", "post4")])
def test_o2_and_o3_no_feature_may_be_dedicated(name: str, of: str) -> None:
    norm = [[1, 1, 0.4], [1, 1, 0.4], [1, 1, 0.4]]
    D = [[0.5, 0.9, 1.0], [0.5, 0.91, 0.0], [0.0, 0.0, 0.0]]
    cases = {of: case(norm, dimensionality=D)}
    # 0.9 is not above 0.9; a short feature is not dedicated however much room it has.
    assert answers(name, cases, of) == [True, False, True]
    assert answers(name, cases, of, Thresholds(dimensionality=0.85)) == [False, False, True]
    assert answers(name, cases, of, Thresholds(dimensionality=0.95)) == [True, True, True]
    assert answers(name, cases, of, Thresholds(norm=0.3)) == [False, False, True]


def test_p1_top_is_about_the_most_important_feature() -> None:
    importance = [[0.5, 1.0], [0.5, 1.0], [1.0, 0.5], [0.5, 1.0]]
    D = [[0.1, 1.0], [1.0, 0.1], [1.0, 0.1], [0.1, 1.0]]
    norm = [[1, 1], [1, 1], [1, 1], [1, 0.5]]
    cases = {"case1": case(norm, importance=importance, dimensionality=D)}
    assert answers("P1-top", cases, "case1") == [True, False, True, False]
    assert answers("P1-top", cases, "case1", Thresholds(norm=0.4)) == [True, False, True, True]
    assert answers("P1-top", cases, "case1", Thresholds(dimensionality=0.05)) == [True, True, True, False]


def test_p2_is_about_the_densest_tenth() -> None:
    five = case([[0.5, 1, 1, 1, 1], [0.51, 0, 0, 0, 0]], probability=[0.9, 0.7, 0.5, 0.3, 0.1])
    assert answers("P2", {"post4": five}, "post4") == [True, False]
    assert answers("P2", {"post4": five}, "post4", Thresholds(norm=0.4)) == [False, False]
    # Of twenty features, the two densest, wherever they stand.
    probability = np.linspace(0.1, 0.4, 20)
    probability[[3, 11]] = 0.9, 0.8
    norm = np.ones((3, 20))
    norm[0, [3, 11]] = 0
    norm[1, 3] = 0
    norm[2, [0, 1]] = 0
    assert answers("P2", {"case5": case(norm, probability=probability)}, "case5") == [True, False, False]


def polygon(angles: Any, lengths: Any = 1.0) -> np.ndarray:
    radians = np.radians(np.asarray(angles, dtype=float))
    return np.asarray(lengths) * np.stack([np.cos(radians), np.sin(radians)])


@pytest.mark.parametrize(
    ("angles", "lengths", "expected"),
    [
        ([0, 72, 144, 216, 288], 1.1, True),
        ([100, 172, 244, 316, 28], 1.1, True),  # turned
        ([0, 144, 288, 72, 216], 1.1, True),  # in another order
        ([0, -72, -144, -216, -288], 1.1, True),  # the other way round
        ([0, 81, 144, 216, 288], 1.1, True),  # within ten degrees
        ([0, 83, 144, 216, 288], 1.1, False),
        ([0, 72, 144, 216, 277], 1.1, False),  # the gap over the end is 83
        ([0, 90, 180, 270, 270], 1.1, False),  # a square, one corner twice
        ([0, 72, 144, 216, 288], [1.1, 1.1, 1.1, 1.1, 1.2], True),
        ([0, 72, 144, 216, 288], [1.1, 1.1, 1.1, 1.1, 1.3], False),  # mean 1.14, so 14 % too long
        ([0, 72, 144, 216, 288], 0.45, False),  # regular, but not represented
        ([0, 72, 144, 216, 288], [1.1, 1.1, 1.1, 1.1, 0.01], False),
    ],
)
def test_c1_a_regular_pentagon(angles: Any, lengths: Any, expected: bool) -> None:
    cases = {"pentagon_xavier": case_of_weights(polygon(angles, lengths)[None])}
    assert answers("C1", cases, "pentagon_xavier") == [expected]


def test_c1_moves_with_the_threshold() -> None:
    cases = {"pentagon_talk": case_of_weights(polygon([0, 72, 144, 216, 288], 0.65)[None])}
    assert answers("C1", cases, "pentagon_talk") == [True]
    assert answers("C1", cases, "pentagon_talk", Thresholds(norm=0.7)) == [False]


@given(st.floats(0, 360), st.permutations(range(5)), st.floats(0.6, 2.0))
def test_c1_does_not_depend_on_rotation_order_or_size(turn: float, order: list[int], size: float) -> None:
    W = polygon(72 * np.arange(5) + turn, size)[:, order]
    cases = {"pentagon_fast": case_of_weights(np.stack([W, W[::-1], -W]))}
    assert answers("C1", cases, "pentagon_fast") == [True, True, True]


@pytest.mark.parametrize(
    ("W", "expected"),
    [
        ([[1, 0, 0], [0, 1, 0]], True),
        ([[0.6, -0.8, 0.1], [0.8, 0.6, 0.1]], True),  # turned, the third is too short
        ([[1, 0, 0], [0.09, 1, 0]], True),  # |cos| = .0896
        ([[1, 0, 0], [0.11, 1, 0]], False),  # |cos| = .109
        ([[1, -1, 0], [0, 0, 0]], False),  # a pair
        ([[1, 0, 0], [0, 0, 1]], False),  # the wrong two
        ([[1, 0, 0.6], [0, 1, 0]], False),  # a third one
        ([[1, 0, 0], [0, 0.5, 0]], False),  # one only
    ],
)
def test_c2_the_two_most_important_orthogonal(W: Any, expected: bool) -> None:
    W = np.array(W, dtype=float)[None]
    cases = {"sparsity_0": case_of_weights(W, importance=[1.0, 0.9, 0.81])}
    assert answers("C2", cases, "sparsity_0") == [expected]
    # The same with the features in another order.
    moved = {"sparsity_0": case_of_weights(W[:, :, ::-1], importance=[0.81, 0.9, 1.0])}
    assert answers("C2", moved, "sparsity_0") == [expected]


# --- observations that compare cases, at the same seed -----------------------------------------------------


def with_counts(counts: list[int]) -> CaseMeasurements:
    """So many features of five with norm 1, one count a seed."""
    return case([[1.0] * count + [0.0] * (5 - count) for count in counts])


def test_p1_fewest_compares_at_the_same_seed() -> None:
    cases = {
        "case1": with_counts([2, 3, 2, 4]),
        "case2": with_counts([3, 2, 2, 5]),
        "case3": with_counts([4, 4, 4, 4]),
    }
    # Ties count for case 1: no other has fewer.
    assert answers("P1-fewest", cases, "case1") == [True, False, True, True]
    # The same counts at other seeds: a tie of the totals, and yet not at each seed.
    turned = cases | {"case2": with_counts([4, 2, 3, 2])}
    assert answers("P1-fewest", turned, "case1") == [True, False, True, False]


def test_p1_ignores_the_controls() -> None:
    cases = {
        "case1": with_counts([3]),
        "case2": with_counts([4]),
        "uniform": with_counts([0]),
        "uniform_matched": with_counts([1]),
    }
    assert answers("P1-fewest", cases, "case1") == [True]
    assert spoken_of("P1-fewest", cases) == {"case1"}
    # Without another case there is nothing to compare with.
    alone = {name: cases[name] for name in ("case1", "uniform")}
    assert spoken_of("P1-fewest", alone) == spoken_of("P1-least", alone) == set()


def test_p1_fewest_moves_with_the_threshold() -> None:
    cases = {"case1": case([[1, 0.6, 0.6]]), "case2": case([[1, 1, 0]])}
    assert answers("P1-fewest", cases, "case1") == [False]
    assert answers("P1-fewest", cases, "case1", Thresholds(norm=0.7)) == [True]


def test_p1_least_is_the_mean_over_represented_features() -> None:
    cases = {
        "case1": case([[1, 1, 0.2], [1, 1, 0.2], [1, 1, 1]], interference=[0.2, 0.4, 9.0]),  # .3, .3, 3.2
        "case2": case([[1, 0, 0], [0, 1, 0], [1, 1, 1]], interference=[0.5, 0.2, 0.1]),  # .5, .2, .27
    }
    # In seed 0 the sums would say the opposite: .6 against .5.
    assert answers("P1-least", cases, "case1") == [True, False, False]
    # At a norm of .1 the short third feature counts as well.
    assert answers("P1-least", cases, "case1", Thresholds(norm=0.1)) == [False, False, False]


def test_a_model_that_represents_nothing_has_no_superposition() -> None:
    cases = {"case1": case([[0.1, 0.1]], interference=5.0), "case2": case([[1, 1]], interference=0.1)}
    assert answers("P1-least", cases, "case1") == [True]


def test_p4_compares_with_the_sparsest_instance_and_p4_matched_at_the_same_seed() -> None:
    cases = {
        "case1": case([[3, 0], [3, 4], [0, 1]]),  # 3, 5, 1
        "uniform": case([[0, 1], [0, 4], [0, 2]]),  # 1, 4, 2: the largest counts
        "uniform_matched": case([[4, 0], [0, 5], [0, 0]]),  # 4, 5, 0
    }
    assert answers("P4", cases, "case1") == [True, False, True]
    assert answers("P4-matched", cases, "case1") == [True, False, False]
    # The order of seeds matters where seeds are paired, and only there.
    turned = {
        name: replace(measured, norm=measured.norm[::-1]) if name.startswith("uniform") else measured
        for name, measured in cases.items()
    }
    assert answers("P4", turned, "case1") == [True, False, True]
    assert answers("P4-matched", turned, "case1") == [False, False, True]


def test_frobenius_norm_is_that_of_the_weights() -> None:
    W = np.random.default_rng(0).normal(size=(4, 2, 5))
    np.testing.assert_allclose(case_of_weights(W).frobenius_norm(), np.linalg.norm(W, axis=(1, 2)))


def test_which_cases_an_observation_speaks_of() -> None:
    names = ("case1", "case2", "case3", "case5", "post4", "mine", "uniform", "uniform_matched")
    cases = {name: with_counts([3]) for name in names}
    scenarios = set(names) - {"uniform", "uniform_matched"}
    assert spoken_of("O1", cases) == spoken_of("O1-three", cases) == scenarios
    assert spoken_of("O2", cases) == {"case2"}
    assert spoken_of("O3", cases) == spoken_of("P2", cases) == {"case5", "post4"}
    assert spoken_of("P1-top", cases) == {"case1"}
    assert spoken_of("P4", cases) == spoken_of("P4-matched", cases) == scenarios
    without = {name: cases[name] for name in names if name != "uniform"}
    assert spoken_of("P4", without) == set()
    assert spoken_of("P4-matched", without) == scenarios
    # "Of five features": at another size the statement says nothing.
    assert spoken_of("O1-three", {"case1": case(np.ones((1, 6)))}) == set()
    controls = {name: with_counts([5]) for name in ("sparsity_0", "pentagon_xavier", "pentagon_talk")}
    assert spoken_of("O1", controls) == set()
    assert spoken_of("C1", controls) == {"pentagon_xavier", "pentagon_talk"}
    assert spoken_of("C2", controls) == {"sparsity_0"}


def test_every_observation_is_met_here_both_ways() -> None:
    """Random measurements reach a yes and a no of each: none is a constant."""
    rng = np.random.default_rng(1)
    for name in OBSERVATIONS:
        seen = set()
        for _ in range(300):
            shape = (2, 2, 5)
            cases = {}
            for of in (
                "case1",
                "case2",
                "case5",
                "uniform",
                "uniform_matched",
                "pentagon_talk",
                "sparsity_0",
            ):
                W = rng.normal(size=shape) * rng.choice([0.2, 1.0], size=(2, 1, 5))
                if rng.uniform() < 0.3:
                    W = np.stack([polygon(72 * np.arange(5)), np.eye(2, 5)])
                measured = case_of_weights(W, importance=[1.0, 0.9, 0.8, 0.7, 0.6])
                cases[of] = replace(measured, probability=np.tile([0.9, 0.7, 0.5, 0.3, 0.1], (2, 1)))
            for of in spoken_of(name, cases):
                seen.update(answers(name, cases, of))
            if len(seen) == 2:
                break
        assert seen == {True, False}, name


# --- the table ---------------------------------------------------------------------------------------------


def feature_rows(W: np.ndarray, of: str, n_shown: int) -> pd.DataFrame:
    n_seeds, _, n_features = W.shape
    models = ToyModels(
        W=W.astype(np.float32),
        b=np.zeros((n_seeds, n_features), dtype=np.float32),
        loss=np.zeros(n_seeds),
        seeds=np.arange(n_seeds, dtype=np.uint64),
        importance=np.tile(0.9 ** np.arange(n_features), (n_seeds, 1)),
        probability=np.full((n_seeds, n_features), 0.5),
        settings=TrainingSettings(),
        engine="by hand",
    )
    table = features.feature_table(models)
    return table.assign(case=of, shown=table["seed"] < n_shown)


@pytest.fixture
def table() -> pd.DataFrame:
    """Case 2 of three seeds, two of them shown: in the last one, feature 0 is dedicated."""
    pairs = np.zeros((2, 5))
    pairs[0, :2], pairs[1, 2:4] = [1, -1], [1, -1]
    alone = np.eye(2, 5)
    W = np.stack([pairs, pairs, alone])
    return pd.concat([feature_rows(W, of, n_shown=2) for of in ("case1", "case2", "uniform")])


def test_measurements_come_back_from_the_table_in_any_order_of_its_rows(table: pd.DataFrame) -> None:
    rows = table[table["case"] == "case2"]
    measured = CaseMeasurements.from_table(rows.sample(frac=1.0, random_state=0), "reversed")
    assert measured.seeds.tolist() == [0, 1, 2]
    assert measured.shown.tolist() == [True, True, False]
    assert measured.W.shape == (3, 2, 5)
    np.testing.assert_array_equal(measured.W[2], np.eye(2, 5))
    np.testing.assert_allclose(measured.norm, np.linalg.norm(measured.W, axis=1))
    np.testing.assert_allclose(measured.dimensionality, features.dimensionality(measured.W))


def test_the_table_counts_shown_and_all_seeds_apart(table: pd.DataFrame) -> None:
    tested = claims.tested("talk", "linear", table, CASE_ROLES)
    assert list(tested.columns) == list(claims.COLUMNS)
    assert set(tested["experiment"]) == {"talk"}
    assert set(tested["family"]) == {"linear"}
    primary = tested[tested["primary"]].set_index(["observation", "case", "sample"])
    assert primary.index.is_unique
    shown, everything = primary.loc[("O2", "case2", "shown")], primary.loc[("O2", "case2", "all")]
    assert (shown["n_holding"], shown["n_seeds"], shown["verdict"]) == (2, 2, "holds")
    assert (everything["n_holding"], everything["n_seeds"], everything["verdict"]) == (2, 3, "depends")
    assert everything["fraction"] == pytest.approx(2 / 3)
    assert (everything["ci_low"], everything["ci_high"]) == pytest.approx(wilson(2, 3))
    assert shown["criterion"] == "no feature has norm > 0.5 and D > 0.9"
    assert not tested.isna().any().any()


def test_rows_agree_with_themselves(table: pd.DataFrame) -> None:
    for row in claims.tested("talk", "linear", table, CASE_ROLES).to_dict("records"):
        assert row["fraction"] == row["n_holding"] / row["n_seeds"]
        assert row["verdict"] == claims.verdict(row["n_holding"], row["n_seeds"], row["quantifier"])
        assert row["primary"] == (row["norm_threshold"] == 0.5 and row["dedicated_threshold"] == 0.9)
        assert OBSERVATIONS[row["observation"]].quantifier == row["quantifier"]
        assert "{" not in row["criterion"]


def test_each_observation_is_tested_at_every_threshold(table: pd.DataFrame) -> None:
    tested = claims.tested("talk", "linear", table, CASE_ROLES)
    expected = {(t.norm, t.dimensionality) for t in (PRIMARY, *claims.SWEEP)}
    assert len(expected) == 9
    for _, rows in tested.groupby(["observation", "case", "sample"]):
        thresholds = list(zip(rows["norm_threshold"], rows["dedicated_threshold"], strict=True))
        assert len(thresholds) == len(expected)
        assert set(thresholds) == expected


def test_the_thresholds_move_a_verdict(table: pd.DataFrame) -> None:
    short = table.assign(norm=np.where(table["norm"] > 0, 0.65, 0.0))
    tested = claims.tested("talk", "linear", short, CASE_ROLES)
    rows = tested[(tested["observation"] == "O2") & (tested["sample"] == "all")].set_index("norm_threshold")
    assert rows.loc[0.7, "n_holding"] == 3
    assert rows.loc[0.6, "n_holding"] == 2


def test_where_all_seeds_are_shown_there_is_one_sample(table: pd.DataFrame) -> None:
    tested = claims.tested("talk", "linear", table.assign(shown=True), CASE_ROLES)
    assert set(tested["sample"]) == {"shown"}
    assert set(tested["n_seeds"]) == {3}


def test_without_a_case_that_is_spoken_of_the_table_is_empty(table: pd.DataFrame) -> None:
    tested = claims.tested("other", "linear", table[table["case"] == "uniform"], CASE_ROLES)
    assert len(tested) == 0
    assert list(tested.columns) == list(claims.COLUMNS)


def test_without_roles_nothing_is_said_of_cases_whatever_their_names(table: pd.DataFrame) -> None:
    assert len(claims.tested("talk", "linear", table, {})) == 0
    others = {"case1": "reversed", "case2": "aligned"}
    tested = claims.tested("talk", "linear", table, others).set_index("observation")["case"]
    assert (tested["O2"] == "case1").all()
    assert (tested["P1-top"] == "case2").all()
