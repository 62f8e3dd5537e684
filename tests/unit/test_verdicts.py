from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from superposition_atlas.metrics.seed_counts import any_of, best_of, best_of_table
from superposition_atlas.metrics.verdicts import (
    ALWAYS,
    DIFFERENCE_REGIONS,
    HALF,
    NEVER,
    REQUIREMENTS,
    SHARE_REGIONS,
    difference_verdict,
    exact_interval,
    models_for_always,
    share_verdict,
    without_exception,
)

N_TESTS = st.sampled_from([1, 5, 40, 100])
SHARE_REQUIREMENTS = ["never", "seldom", "mostly", "always", "at most seldom", "at least mostly"]


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 300))
    return draw(st.integers(0, n)), n


def _region(share: float) -> str:
    return SHARE_REGIONS[int(share > NEVER) + int(share >= HALF) + int(share >= ALWAYS)]


@given(counts(), st.integers(2, 30), N_TESTS)
def test_a_small_sample_may_be_vague_but_never_contradicts_a_larger_one(
    count: tuple[int, int], factor: int, n_tests: int
) -> None:
    n_holding, n = count
    small = share_verdict(n_holding, n, n_tests)
    large = share_verdict(factor * n_holding, factor * n, n_tests)
    assert set(large.regions) <= set(small.regions)
    for requirement in SHARE_REQUIREMENTS:
        state = small.of_claim(requirement)
        assert state == "open" or large.of_claim(requirement) == state


@given(counts(), N_TESTS)
def test_the_region_of_the_share_seen_is_always_named(count: tuple[int, int], n_tests: int) -> None:
    verdict = share_verdict(*count, n_tests)
    assert _region(count[0] / count[1]) in verdict.regions


@given(counts(), N_TESTS)
def test_regions_are_neighbours_and_cover_the_interval(count: tuple[int, int], n_tests: int) -> None:
    verdict = share_verdict(*count, n_tests)
    places = [SHARE_REGIONS.index(region) for region in verdict.regions]
    assert places == list(range(places[0], places[-1] + 1))
    inside = np.linspace(verdict.low, verdict.high, 200)
    assert {_region(share) for share in inside} <= set(verdict.regions)
    assert {_region(verdict.low), _region(verdict.high)} == {verdict.regions[0], verdict.regions[-1]}


@given(counts(), N_TESTS)
def test_one_more_that_holds_never_moves_a_verdict_down(count: tuple[int, int], n_tests: int) -> None:
    n_holding, n = count
    if n_holding == n:
        return
    less, more = share_verdict(n_holding, n, n_tests), share_verdict(n_holding + 1, n, n_tests)
    assert less.low <= more.low
    assert less.high <= more.high
    for side in (0, -1):
        assert SHARE_REGIONS.index(less.regions[side]) <= SHARE_REGIONS.index(more.regions[side])


@given(counts())
def test_more_tests_make_a_verdict_vaguer_and_no_more(count: tuple[int, int]) -> None:
    one, many = share_verdict(*count), share_verdict(*count, n_tests=60)
    assert set(one.regions) <= set(many.regions)


@given(counts(), N_TESTS)
def test_a_statement_and_its_contrary_mirror_each_other(count: tuple[int, int], n_tests: int) -> None:
    n_holding, n = count
    low, high = exact_interval(n_holding, n, n_tests)
    mirrored = exact_interval(n - n_holding, n, n_tests)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


@pytest.mark.parametrize("n", [1, 8, 57])
@pytest.mark.parametrize("theta", [0.02, 0.3, 0.5, 0.96])
def test_intervals_hold_the_true_share_as_often_as_they_promise(n: int, theta: float) -> None:
    holds = np.array([low <= theta <= high for low, high in (exact_interval(x, n) for x in range(n + 1))])
    assert binom.pmf(np.arange(n + 1), n, theta)[holds].sum() >= 0.95


def test_published_interval() -> None:
    # Clopper and Pearson's limits of 7 in 10 as every table has them.
    assert exact_interval(7, 10) == pytest.approx((0.3475, 0.9333), abs=1e-4)


@pytest.mark.parametrize(
    ("n_holding", "n", "words"),
    [
        (8, 8, "mostly or always"),
        (1, 1, "not known"),
        (4, 8, "seldom or mostly"),
        (256, 256, "always"),
        (0, 256, "never"),
        (74, 256, "seldom"),
        (200, 256, "mostly"),
        (0, 8, "never or seldom"),
        (0, 4, "never to mostly"),
    ],
)
def test_words(n_holding: int, n: int, words: str) -> None:
    assert str(share_verdict(n_holding, n)) == words


@pytest.mark.parametrize("n_tests", [1, 10, 101])
def test_always_needs_as_many_toy_models_as_it_says(n_tests: int) -> None:
    n = models_for_always(n_tests)
    assert str(share_verdict(n, n, n_tests)) == "always"
    assert str(share_verdict(n - 1, n - 1, n_tests)) == "mostly or always"
    assert str(share_verdict(0, n, n_tests)) == "never"


def test_how_many_that_is() -> None:
    assert models_for_always() == 72
    assert models_for_always(101) == 162


def test_a_claim_requires_what_its_words_say() -> None:
    often = share_verdict(74, 256)
    assert often.of_claim("mostly") == "contradicted"
    assert often.of_claim("at most seldom") == "supported"
    assert share_verdict(8, 8).of_claim("always") == "open"
    assert share_verdict(8, 8).of_claim("at least mostly") == "supported"
    assert share_verdict(7, 8).of_claim("never") == "contradicted"
    with pytest.raises(ValueError, match="a claim requires 'often'"):
        often.of_claim("often")


def test_every_requirement_names_regions() -> None:
    regions = {*SHARE_REGIONS, *DIFFERENCE_REGIONS}
    assert all(allowed and allowed < regions for allowed in REQUIREMENTS.values())


@pytest.mark.parametrize(("n_holding", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_what_is_no_share_is_refused(n_holding: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"n_holding is {n_holding}, n is {n}: .* else it is no share"):
        share_verdict(n_holding, n)


# --- comparisons -------------------------------------------------------------------------------------------

DIFFERENCES = st.lists(st.floats(-3, 3), min_size=2, max_size=40)


@given(DIFFERENCES, st.integers(2, 20), N_TESTS)
def test_a_small_comparison_never_contradicts_a_larger_one(
    differences: list[float], factor: int, n_tests: int
) -> None:
    small = difference_verdict(np.array(differences), 0.25, n_tests)
    large = difference_verdict(np.tile(differences, factor), 0.25, n_tests)
    assert set(large.regions) <= set(small.regions)


@given(DIFFERENCES, N_TESTS)
def test_the_comparison_the_other_way_round(differences: list[float], n_tests: int) -> None:
    values = np.array(differences)
    forward, backward = (difference_verdict(sign * values, 0.25, n_tests) for sign in (1, -1))
    assert (backward.low, backward.high) == pytest.approx((-forward.high, -forward.low), abs=1e-9)


def test_comparisons_in_words() -> None:
    rng = np.random.default_rng(0)
    assert str(difference_verdict(1 + 0.3 * rng.normal(size=50), 0.25)) == "larger"
    assert str(difference_verdict(-1 + 0.3 * rng.normal(size=50), 0.25)) == "smaller"
    assert str(difference_verdict(0.02 * rng.normal(size=50), 0.25)) == "alike"
    assert str(difference_verdict(0.25 + 0.3 * rng.normal(size=8), 0.25)) == "alike or larger"
    assert str(difference_verdict(np.array([1.0]), 0.25)) == "not known"
    # Two equal differences of one feature are no proof; eight are.
    assert str(difference_verdict(np.ones(2), 0.25)) == "not known"
    assert str(difference_verdict(np.ones(8), 0.25)) == "larger"


def test_claims_about_comparisons() -> None:
    assert difference_verdict(np.ones(8), 0.25).of_claim("not smaller") == "supported"
    assert difference_verdict(np.ones(8), 0.25).of_claim("smaller") == "contradicted"
    assert difference_verdict(np.ones(2), 0.25).of_claim("larger") == "open"


@pytest.mark.parametrize(
    ("differences", "smallest", "message"),
    [([], 0.25, "shape"), ([np.nan], 0.25, "finite"), ([1.0, 2.0], 0.0, "must be above 0")],
)
def test_what_is_no_comparison_is_refused(differences: list[float], smallest: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        difference_verdict(np.array(differences), smallest)


# --- how many seeds ----------------------------------------------------------------------------------------


@given(st.integers(0, 12), st.integers(1, 8))
def test_without_exception_is_the_share_of_sets(n_holding: int, n_fresh: int) -> None:
    holds = np.arange(12) < n_holding
    sets = [all(holds[list(chosen)]) for chosen in combinations(range(12), n_fresh)]
    assert without_exception(n_holding, 12, n_fresh) == pytest.approx(np.mean(sets))


def test_without_exception_needs_as_many_toy_models() -> None:
    assert np.isnan(without_exception(7, 7))
    assert without_exception(128, 256) == pytest.approx(0.5**8, rel=0.15)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=9), st.data())
def test_the_best_of_k_by_all_sets_of_k(models: list[tuple[int, bool]], data: st.DataObject) -> None:
    losses, hits = np.array([loss for loss, _ in models], float), np.array([hit for _, hit in models])
    k = data.draw(st.integers(1, len(models)))
    found = []
    for chosen in map(list, combinations(range(len(models)), k)):
        best = losses[chosen] == losses[chosen].min()
        found.append(hits[chosen][best].mean())
    # Equal losses share ranks, which is not the share within each set.
    if len(set(losses)) == len(losses):
        assert best_of(losses, hits, k) == pytest.approx(np.mean(found))
    assert 0.0 <= best_of(losses, hits, k) <= 1.0 + 1e-12


def test_the_best_of_all_and_the_best_of_one() -> None:
    losses, hits = np.array([3.0, 1.0, 2.0, 4.0]), np.array([False, True, False, True])
    assert best_of(losses, hits, 1) == pytest.approx(0.5)
    assert best_of(losses, hits, 4) == pytest.approx(1.0)
    assert best_of(np.ones(4), hits, 3) == pytest.approx(0.5)


def test_where_hits_have_the_lowest_losses_the_best_of_k_is_a_hit_if_any_is() -> None:
    hits = np.arange(64) < 5
    for k in (1, 2, 8, 64):
        assert best_of(np.arange(64.0), hits, k) == pytest.approx(any_of(5, 64, k))


def test_more_seeds_help_where_hits_have_the_lowest_losses() -> None:
    losses = np.tile(np.arange(16.0), (3, 1))
    hits = losses < np.array([[1], [4], [8]])
    table = best_of_table(losses, hits)
    assert table["n_seeds"].tolist() == [1, 2, 4, 8, 16]
    assert (np.diff(table["share"]) > 0).all()
    assert table["share"].iloc[0] == pytest.approx(13 / 48)
    assert table["share"].iloc[-1] == pytest.approx(1.0)
    assert (table["ci_low"] <= table["share"]).all()
    assert (table["share"] <= table["ci_high"]).all()


@pytest.mark.parametrize("k", [0, 5])
def test_no_more_can_be_drawn_than_there_are(k: int) -> None:
    with pytest.raises(ValueError, match=f"{k} of 4 toy models"):
        best_of(np.arange(4.0), np.ones(4, bool), k)
