"""The report's sentences: markup, numbers as words, and words that the data choose."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas import config, schedules
from superposition_atlas.report import blocks, markup, packing, phrases
from superposition_atlas.report.document import _APPENDED, _SPARE
from superposition_atlas.report.facts.observation_facts import ObservationFacts, OutcomeFacts
from superposition_atlas.report.facts.schedules import ProspectiveRow
from superposition_atlas.report.facts.toy_models import CaseFacts, MatchedFacts, NormFacts, distinct, share
from superposition_atlas.report.maths import FORMULAS, LATEX
from superposition_atlas.report.sentences import (
    appendix,
    eighty_features,
    five_features,
    introduction,
    opening,
    theory,
    training,
)
from superposition_atlas.report.sentences.bibliography import REFERENCES

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=40)

# --- markup ------------------------------------------------------------------------------------------------


@given(TEXTS)
def test_a_users_text_comes_out_letter_by_letter(text: str) -> None:
    assert "".join(run["text"] for run in markup.runs(markup.literal(text))).replace("\u200b", "") == (
        text.replace("\u200b", "")
    )
    assert markup.plain(markup.literal(text)) == text.replace("\u200b", "")


@given(TEXTS, TEXTS)
def test_a_users_text_inside_a_sentence_changes_nothing_around_it(first: str, second: str) -> None:
    found = markup.runs(f"**a** {markup.literal(first)} *b* {markup.literal(second)} $W$")
    assert [run["kind"] for run in found] == ["strong", "text", "emphasis", "text", "maths"]
    assert found[1]["text"].replace("\u200b", "") == f" {first} ".replace("\u200b", "")


def test_pieces_of_a_line() -> None:
    kinds = [run["kind"] for run in markup.runs("a **b $W$** *c* `d` [@tms] <https://e.org>")]
    assert kinds == ["text", "strong", "text", "emphasis", "text", "code", "text", "cite", "text", "link"]
    assert markup.plain("It is $V_i$ [@tms] ([[figure:x]]).") == "It is V_i."
    with pytest.raises(KeyError):
        markup.runs("$unknown$")


def test_a_figure_that_is_absent_is_not_referred_to() -> None:
    labels = {"figure:a": "figure-one"}
    assert markup.with_places("x ([[figure:a]]), y ([[table:b]]).", labels) == "x ([[figure-one]]), y."
    assert markup.with_places("x ([[figure:b]], [[figure:a]]).", labels) == "x ([[figure-one]])."


def test_references_are_cited_once_in_the_order_of_mention() -> None:
    assert markup.cited(["a [@tms] [@kgons,post]", "b [@tms]"]) == ["tms", "kgons", "post"]
    assert all("https://" in text for text in REFERENCES.values())


def test_formulas_are_told_apart_by_what_is_said() -> None:
    assert len({formula.spoken for formula in FORMULAS.values()}) == len(FORMULAS)
    assert set(LATEX.values()) <= set(FORMULAS)


# --- numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (phrases.fixed(0.5, 3), "0.500"),
        (phrases.fixed(-0.04, 1), "0.0"),
        (phrases.fixed(-1.26, 1), "−1.3"),
        (phrases.fixed(math.nan, 2), "–"),
        (phrases.percent(0.125), "12\u202f%"),
        (phrases.percent(0.001), "below 1\u202f%"),
        (phrases.percent(0.999), "above 99\u202f%"),
        (phrases.percent(0.0), "0\u202f%"),
        (phrases.percent(1.0), "100\u202f%"),
        (phrases.grouped(1234567), "1\u202f234\u202f567"),
        (phrases.grouped(1024), "1024"),
        (phrases.of(0, 8), "none of 8"),
        (phrases.of(8, 8), "all 8"),
        (phrases.of(3, 8), "3 of 8"),
        (phrases.enumerated(["a", "b", "c"]), "a, b and c"),
        (phrases.between(0.1, 0.1, 2), "0.10"),
    ],
)
def test_numbers_are_written_as_they_should(words: str, text: str) -> None:
    assert words == text


# --- words that the data choose ----------------------------------------------------------------------------


def case(counts: dict[int, int], **changes: Any) -> CaseFacts:
    n = sum(counts.values())
    n_all = counts.get(5, 0)
    facts = CaseFacts(
        name="case2",
        title="Reversed",
        role="reversed",
        counts=counts,
        mean_represented=sum(k * v for k, v in counts.items()) / n,
        mean_dedicated=0.0,
        all_represented=share(n_all, n),
        some_dedicated=share(0, n),
        eight_without_all=math.comb(n - n_all, 8) / math.comb(n, 8),
        best_represented=(4,),
        best_dedicated=(0,),
        keeps_best=share(n // 2, n),
        median_excess=0.02,
        least_excess=0.0,
        best_of_eight=0.9,
    )
    return dataclasses.replace(facts, **changes)


def matched(**changes: Any) -> MatchedFacts:
    facts = MatchedFacts(
        *("case1", "Aligned", "aligned", "geometric", 80, 20, 8, 24, 23.4, 16, 16.6),
        *(0.97, 0.97, 0.074, 0.075, 24.0),
    )
    return dataclasses.replace(facts, **changes)


def test_never_all_five_depends_on_the_toy_models() -> None:
    none, some = case({3: 50, 4: 50}), case({3: 40, 4: 44, 5: 16})
    assert (
        five_features.all_features([none], 5)
        == "None of 100 toy models of 1\u00a0case represents all 5 features."
    )
    assert "16\u202f% of them" in five_features.all_features([none, some], 5)
    assert "would not show one either" in five_features.worth_of_eight([none], 5)
    chance = five_features.chance_of_none([some, some])
    assert chance == pytest.approx(some.eight_without_all**2)
    assert f"{chance:.2f}" in five_features.worth_of_eight([some, some], 5)


def test_dedicated_features_and_the_fewest_are_read_from_the_cases() -> None:
    own = case({4: 10}, some_dedicated=share(3, 10))
    assert "30\u202f% of the toy models" in five_features.dedicated([own])
    assert five_features.dedicated([own]).endswith("the best solutions none.")
    assert "so do some" in five_features.dedicated([dataclasses.replace(own, best_dedicated=(1,))])
    few, many = case({3: 8}, role="aligned"), case({4: 8})
    assert "has the fewest" in five_features.fewest([few, many])
    assert "does not have" in five_features.fewest([dataclasses.replace(few, mean_represented=4.5), many])


def test_best_solutions_are_said_to_have_all_only_if_they_do() -> None:
    assert "never all 5" in five_features.best_solutions([case({4: 8})], 5)
    full = case({4: 8}, best_represented=(5,))
    assert "in 1 of 2 cases they represent all 5" in five_features.best_solutions([case({4: 8}), full], 5)
    assert five_features.best_solutions([case({4: 8}, best_represented=())], 5) == ""


def test_a_schedule_with_other_names_of_features_counts_once() -> None:
    spec = {
        "experiments": {
            "own": {
                "n_features": 3,
                "n_hidden": 2,
                "importance": {"family": "constant", "value": 1.0},
                "probability": {"family": "explicit", "values": [0.5, 0.2, 0.1]},
                "cases": {
                    "falling": {},
                    "other": {"probability": {"family": "constant", "value": 0.2}},
                    "rising": {"probability": {"family": "permutation", "of": "base", "order": "reversed"}},
                },
            }
        }
    }
    cases = list(config.load(spec).experiments["own"].cases.values())
    assert [case.name for case in distinct(cases)] == ["rising", "other"]


def test_closeness_counts_schedules_and_names_what_is_missed() -> None:
    near, far = matched(), matched(case="case3", title="Random", jaccard_rule=0.85, jaccard_ceiling=0.98)
    assert theory.closeness([near, near]).startswith("On all 2 schedules")
    assert theory.closeness([near, far]).startswith("On 1 of 2 schedules")
    assert theory.closeness([far]).startswith("On its one schedule the rule does not")
    assert "Random" in theory.missed([near, far])
    assert theory.missed([near]) == ""


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.0, 0.04, "within"), (0.06, 0.2, "set beforehand, was"), (0.02, 0.08, "is open")],
)
def test_the_aim_is_judged_by_the_interval(low: float, high: float, words: str) -> None:
    row = ProspectiveRow("all", 80, 20, 200, 400, {"below_ceiling": (low + high) / 2}, (low, high))
    assert words in theory.aim_met(row)


def test_uniform_sparsity_lies_where_it_lies() -> None:
    last = matched(case="case2", role="reversed", n_kept_trained=41.1, n_alone_trained=0.0, n_kept_rule=40)
    between, outside = (matched(role="matched", n_kept_trained=kept) for kept in (27.0, 50.0))
    assert "lies between them" in eighty_features.order_decides([matched(), last, between])
    assert "lies outside this range" in eighty_features.order_decides([matched(), last, outside])
    assert eighty_features.order_decides([matched()]) == ""
    assert "none alone, if they are rare" in eighty_features.in_short([matched(), last])


def test_norms_are_met_or_not() -> None:
    met = NormFacts("case1", "Aligned", "aligned", 4.98, 4.9, 4.84, 4.98, 8)
    missed = dataclasses.replace(met, case="case2", published=6.6, largest=5.6, low=5.4, high=5.8)
    assert "all 2 lie in" in eighty_features.norms([met, dataclasses.replace(met, case="case3")])
    assert "1 of 2 lie in" in eighty_features.norms([met, missed])
    assert "15.2\u202f%" in eighty_features.norms([met, missed])


def test_training_names_the_hardest_case() -> None:
    easy, hard = case({4: 10}, keeps_best=share(9, 10), title="Easy"), case({4: 10}, title="Hard")
    words = training.found_by_one([easy, hard])
    assert "from 50\u202f% in “Hard” to 90\u202f% in “Easy”" in words
    assert words.startswith("70\u202f%")
    assert training.section([case({4: 10}, keeps_best=None)]) == []


def outcome_of(state: str, value: float = 0.9, **changes: Any) -> OutcomeFacts:
    return dataclasses.replace(
        OutcomeFacts("talk", "case2", "", 256, 230, value, math.nan, 0.8, 1.0, "mostly", state), **changes
    )


def observation(
    name: str, *tests: OutcomeFacts, kind: str = "models", is_relative: bool = False
) -> ObservationFacts:
    return ObservationFacts(name, name, "talk", "c", kind, is_relative, 1.0, list(tests))


def test_outcomes_tell_states_and_spans() -> None:
    def told(*tests: OutcomeFacts, **about: Any) -> str:
        return opening.outcome(observation("O1", *tests, **about), "talk")

    assert told() == "–"
    assert told(outcome_of("")) == "–"
    assert told(outcome_of("open", experiment="wide")) == "–"
    assert told(outcome_of("open")) == "open (90\u202f%)"
    two = (outcome_of("open"), outcome_of("supported", 1.0))
    assert told(*two) == "supported in 1, open in 1 of 2 (90–100\u202f%)"
    assert told(*[outcome_of("contradicted")] * 3).startswith("contradicted in all 3")
    less = outcome_of("supported", difference=-0.25)
    assert told(less, kind="difference") == "supported (−0.25)"
    assert told(less, kind="difference", is_relative=True) == "supported (−25.0\u202f%)"


def test_the_fate_of_observations_is_counted() -> None:
    found = opening.Findings(
        n_models=0, five=[], n_five=5, matched=[], atlas=None, predictor=None, prospective=[],
        observations=[observation("O1", outcome_of("supported"), outcome_of("open")),
                      observation("O2", outcome_of("supported")),
                      observation("O3", outcome_of("contradicted"))],
        slides="talk", post="wide",
    )  # fmt: skip
    assert opening.fate(found) == (
        "Of 3\u00a0observations 1 is supported in every test, 1 is contradicted in some."
    )
    assert len(opening.terminal(found)) <= 10


# --- pages -------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(100, 600), max_size=12), st.lists(st.floats(100, 600), max_size=5), st.booleans())
def test_no_page_is_too_full_and_no_figure_is_lost(
    heights: list[float], optional: list[float], has_table: bool
) -> None:
    taken = 300.0 if has_table else 0.0
    found = packing.pages(heights, taken, optional)
    every = np.array([*heights, *optional])
    placed = [index for page in found for index in page]
    assert len(placed) == len(set(placed))
    assert set(range(len(heights))) <= set(placed)
    assert all(every[page].sum() <= packing.PAGE for page in found)


def test_long_tables_run_over_pages_and_short_ones_float() -> None:
    columns = [("a", "left")]
    short, long = (blocks.table("t", "c", columns, [["x"]] * n) for n in (3, blocks.LONG + 1))
    assert (short["floats"], short["breakable"]) == (True, False)
    assert (long["floats"], long["breakable"]) == (False, True)


# --- set-up and figures -------------------------------------------------------------------------------------


def experiments_with_claims() -> list[config.Experiment]:
    path = Path(__file__).parents[2] / "config/config.yaml"
    return [own for own in config.load(config.read(path)).experiments.values() if own.claims]


def test_the_set_up_spells_out_families_and_initial_scales() -> None:
    told = markup.plain(introduction.families(experiments_with_claims()))
    for formula in (FORMULAS["geometric"].plain, FORMULAS["linear"].plain):
        assert formula in told
    assert "from 1 to 0.02" in told
    scales = {case.training.init_scale for own in experiments_with_claims() for case in own.cases.values()}
    said = introduction.initial_scales(experiments_with_claims())
    assert all(f"{scale:g}" in said for scale in scales)
    assert introduction.families([]) == introduction.initial_scales([]) == ""


@pytest.mark.parametrize(("family", "n"), [("geometric", 5), ("linear", 7)])
def test_formulas_of_families_are_what_schedules_compute(family: str, n: int) -> None:
    first, last = 0.9, 0.1
    i = np.arange(n)
    values = {
        "geometric": first * (last / first) ** (i / (n - 1)),
        "linear": first + (last - first) * i / (n - 1),
    }
    schedule = getattr(schedules, f"{family}_values")(n, first, last)
    np.testing.assert_allclose(schedule, values[family])


def test_every_figure_that_is_shown_is_cited() -> None:
    """One sentence names those that no other does."""
    (told,) = appendix.further([("a_bias", "bias"), ("b_norms", "frobenius_norms")])
    assert markup.places(told["text"]) == ["figure:a_bias", "figure:b_norms"]
    assert appendix.further([]) == []
    assert {*_APPENDED, *_SPARE} <= set(appendix.FURTHER)
    (told,) = appendix.further([("c", "some_module")])
    assert "some module ([[figure:c]])" in told["text"]
