"""What the report says in general follows from the states of the claims."""

import math

import pytest
from superposition_atlas.report.facts.general_facts import GeneralFacts
from superposition_atlas.report.sentences.in_general import in_general, paragraph


def facts(state: str, best: str, statement: str = "Words.") -> GeneralFacts:
    return GeneralFacts("O1", statement, 40, 160, 0.5, state, math.nan, best)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["open"], "the one observation is open for trained toy models"),
        (["open", "open"], "2 of 2 observations are open for trained"),
        (
            ["supported", "contradicted", "open"],
            "1 of 3 observations is supported, 1 open and 1 contradicted",
        ),
    ],
)
def test_states_are_counted(states: list[str], expected: str) -> None:
    assert expected in in_general([facts(state, "") for state in states])


def test_what_is_supported_is_quoted_and_nothing_else() -> None:
    found = [facts("supported", "open", "First words."), facts("contradicted", "open", "Other words.")]
    said = in_general(found)
    assert "Supported for toy models: “First words”." in said
    assert "Other words" not in said
    assert "2 of 2 observations are open for the best solutions" in said
    assert "None is supported for toy models" in in_general(found[1:])


def test_without_random_schedules_nothing_is_said() -> None:
    assert paragraph([]) == []
    assert len(paragraph([facts("open", "")])) == 1
