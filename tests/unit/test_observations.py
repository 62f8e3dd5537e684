"""Observations: each defined once, each scope a matter of schedule and size, each question met both ways."""

import ast
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas import config, schedules
from superposition_atlas.metrics.verdicts import REQUIREMENTS, SHARE_REGIONS
from superposition_atlas.observations import definitions, scopes
from superposition_atlas.observations.definitions import BY_NAME, OBSERVATIONS, names_about
from superposition_atlas.observations.measured import Measured, Thresholds

REPOSITORY = Path(__file__).parents[2]
SOURCES = REPOSITORY / "workflow" / "src" / "superposition_atlas"
TALK_SIZE, POST_SIZE = (5, 2), (80, 20)


# --- each is defined once ----------------------------------------------------------------------------------


def test_no_observation_is_defined_twice() -> None:
    names = [observation.name for observation in OBSERVATIONS]
    assert len(names) == len(set(names))
    statements = [observation.statement for observation in OBSERVATIONS]
    assert len(statements) == len(set(statements))
    asked = [(own.kind, own.question, own.scope, own.rivals) for own in OBSERVATIONS if own.question]
    assert len(asked) == len(set(asked))


def test_statements_and_questions_stand_in_one_module_only() -> None:
    """No other module of the package builds an observation, asks a question anew or repeats the words."""
    words = {observation.statement for observation in OBSERVATIONS}
    yes_or_no = {own.question.__name__ for own in OBSERVATIONS if own.kind == "models" and own.question}
    for path in SOURCES.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        if path == Path(definitions.__file__):
            continue
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not texts & words, path
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not functions & yes_or_no, path
        calls = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert "Observation" not in calls, path
    for path in (REPOSITORY / "workflow" / "report").rglob("*.typ"):
        text = path.read_text("utf-8")
        assert not [statement for statement in words if statement in text], path


def test_every_requirement_fits_the_kind() -> None:
    for own in OBSERVATIONS:
        judged = own.kind in ("models", "features", "difference")
        assert own.is_judged == judged
        assert not judged or own.requires in REQUIREMENTS
        of_shares = REQUIREMENTS.get(own.requires, frozenset()) <= set(SHARE_REGIONS)
        assert of_shares == (own.kind != "difference")
        assert (own.rivals is not None) == (own.smallest > 0) == (own.kind == "difference")
        assert (own.whole is not None) == (own.kind == "features")
        assert (own.question is None) == (own.kind == "regression")


# --- scopes speak of schedules -----------------------------------------------------------------------------


def about(schedule: Any, n_hidden: int) -> set[str]:
    importance, probability = (np.array([values]) for values in (schedule.importance, schedule.probability))
    return set(names_about(importance, probability, n_hidden)[0].split())


@st.composite
def any_schedules(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    n, m = draw(st.sampled_from([TALK_SIZE, (3, 2), (5, 1)]))
    values = st.lists(st.sampled_from([0.05, 0.25, 0.5, 1.0]), min_size=n, max_size=n)
    importance, probability = np.array([draw(values)]), np.array([draw(values)])
    return importance, probability, m, np.array(draw(st.permutations(range(n))))


@given(any_schedules())
def test_scopes_do_not_depend_on_the_names_of_features(drawn: Any) -> None:
    importance, probability, m, order = drawn
    there = names_about(importance, probability, m)
    assert names_about(importance[:, order], probability[:, order], m) == there
    key = scopes.schedule_key(importance[0], probability[0])
    assert scopes.schedule_key(importance[0, order], probability[0, order]) == key


@given(any_schedules())
def test_uniform_sparsity_is_no_scenario(drawn: Any) -> None:
    importance, probability, m, _ = drawn
    flat = np.full_like(probability, probability[0, 0])
    assert set(names_about(importance, flat, m)[0].split()) <= {"C1", "C2"}


def test_scopes_take_schedule_and_size_alone() -> None:
    for own in OBSERVATIONS:
        assert list(signature(own.scope).parameters) == ["importance", "probability", "n_hidden"]


def test_what_the_talk_s_cases_are_about() -> None:
    """Whatever cases are called: the schedules of the default configuration, by their role."""
    loaded = config.load(config.read(str(REPOSITORY / "config" / "config.yaml")))
    five = {"O1", "O1-three"}
    everywhere = {"P4", "P4-matched"}
    wanted = {
        "aligned": {"P1-fewest", "P1-least", "P1-top", "P3"} | everywhere,
        "reversed": {"O2", "O2-every", "P3"} | everywhere,
        "random": {"P3"} | everywhere,
        "equal": {"O3", "O3-almost", "P2", "P2-row"} | everywhere,
        "matched": set(),
        "pentagon": {"C1"},
        "no_sparsity": {"C2"},
    }
    seen = set()
    for experiment in loaded.experiments.values():
        if not experiment.claims and experiment.role != "known_answers":
            continue
        for case in experiment.cases.values():
            if len(case.probability) > 1 or case.role not in wanted:
                continue
            expected = wanted[case.role]
            if experiment.n_features == 5 and expected & everywhere:
                expected = expected | five
            found = names_about(case.importance, case.probability, experiment.n_hidden)[0]
            assert set(found.split()) == expected, (experiment.name, case.name)
            seen.add((case.role, experiment.n_features))
    assert {role for role, _ in seen} == set(wanted)


def test_o1_is_about_five_features_in_two_dimensions_only() -> None:
    for n, m in (POST_SIZE, (5, 3), (6, 2)):
        assert "O1" not in about(schedules.geometric(n_features=n, first=0.9, last=0.1, importance=0.9), m)
    assert "O1" in about(schedules.geometric(n_features=5, first=0.9, last=0.1, importance=0.9), 2)


@pytest.mark.parametrize(
    ("importance", "probability", "expected"),
    [
        ([1.0, 0.9, 0.8], [0.5, 0.3, 0.1], "aligned"),
        ([1.0, 0.9, 0.8], [0.5, 0.5, 0.1], "aligned"),  # ties contradict nothing
        ([0.8, 1.0, 0.9], [0.1, 0.5, 0.3], "aligned"),  # in whatever order
        ([1.0, 0.9, 0.8], [0.1, 0.3, 0.5], "opposed"),
        ([1.0, 1.0, 0.8], [0.3, 0.1, 0.5], "opposed"),
        ([1.0, 0.9, 0.8], [0.3, 0.5, 0.1], ""),
        ([1.0, 1.0, 1.0], [0.5, 0.3, 0.1], "equally_important"),
        ([1.0, 0.9, 0.8], [0.3, 0.3, 0.3], ""),
    ],
)
def test_orders(importance: list[float], probability: list[float], expected: str) -> None:
    arrays = np.array([importance]), np.array([probability])
    for name in ("aligned", "opposed", "equally_important"):
        assert getattr(scopes, name)(*arrays, 2).tolist() == [name == expected]


def test_rivals_are_other_orders_of_the_same_probabilities() -> None:
    ours = (np.array([[1.0, 0.9, 0.8]]), np.array([[0.5, 0.3, 0.1]]))
    others = [
        ([1.0, 0.9, 0.8], [0.1, 0.3, 0.5], True),  # another order
        ([1.0, 1.0, 1.0], [0.3, 0.1, 0.5], True),  # equally important
        ([0.9, 1.0, 0.8], [0.3, 0.5, 0.1], False),  # the same, but for names
        ([1.0, 0.7, 0.5], [0.1, 0.3, 0.5], False),  # other importances
        ([1.0, 0.9, 0.8], [0.1, 0.3, 0.6], False),  # other probabilities
    ]
    theirs = tuple(np.array([row[k] for row in others]) for k in (0, 1))
    assert scopes.other_orders(*ours, *theirs).tolist() == [row[2] for row in others]


def test_the_control_of_norms_has_the_same_mean_and_importances() -> None:
    ours = (np.array([[1.0, 0.9, 0.8]]), np.array([[0.5, 0.3, 0.1]]))
    others = [
        ([0.8, 0.9, 1.0], [0.3] * 3, True),
        ([1.0, 1.0, 1.0], [0.3] * 3, False),
        ([1.0, 0.9, 0.8], [0.4] * 3, False),
        ([1.0, 0.9, 0.8], [0.1, 0.5, 0.3], False),
    ]
    theirs = tuple(np.array([row[k] for row in others]) for k in (0, 1))
    assert scopes.matched_uniform(*ours, *theirs).tolist() == [row[2] for row in others]


# --- questions ---------------------------------------------------------------------------------------------


def measured(norm: Any, **given: Any) -> Measured:
    """Toy models by hand; what is not given says as little as it can."""
    norm = np.asarray(norm, dtype=float)
    given = {name: np.broadcast_to(np.asarray(value, float), norm.shape) for name, value in given.items()}
    defaults = {
        "importance": np.ones(norm.shape),
        "probability": np.full(norm.shape, 0.5),
        "dimensionality": np.full(norm.shape, 0.5),
    }
    return Measured(norm=norm, W=np.zeros((len(norm), 2, norm.shape[1])), **(defaults | given))


def of_weights(W: Any, importance: Any = 1.0, probability: Any = 0.5) -> Measured:
    W = np.asarray(W, dtype=float)
    shape = (len(W), W.shape[2])
    return Measured.of_weights(W, np.broadcast_to(importance, shape), np.broadcast_to(probability, shape))


def answers(name: str, models: Measured, thresholds: Thresholds | None = None) -> list[Any]:
    question = BY_NAME[name].question
    assert question is not None
    return np.asarray(question(models.at(thresholds) if thresholds else models)).tolist()


def test_o1_no_toy_model_may_represent_all() -> None:
    models = measured([[1, 1, 1, 1, 0.5], [1, 1, 1, 1, 0.51], [0, 0, 0, 0, 0]])
    assert answers("O1", models) == [True, False, True]
    assert answers("O1", models, Thresholds(norm=0.4)) == [False, False, True]
    assert answers("O1-three", models) == [4, 5, 0]


@pytest.mark.parametrize("name", ["O2", "O3"])
def test_o2_and_o3_no_feature_may_be_dedicated(name: str) -> None:
    models = measured([[1, 1, 0.4]] * 3, dimensionality=[[0.5, 0.9, 1.0], [0.5, 0.91, 0.0], [0.0, 0.0, 0.0]])
    # 0.9 is not above 0.9; a short feature is not dedicated however much room it has.
    assert answers(name, models) == [True, False, True]
    assert answers(name, models, Thresholds(dimensionality=0.95)) == [True, True, True]
    assert answers(f"{name}-every" if name == "O2" else f"{name}-almost", models) == [2, 1, 2]


def test_p1_top_is_about_the_most_important_feature() -> None:
    models = measured(
        [[1, 1], [1, 1], [1, 1], [1, 0.5]],
        importance=[[0.5, 1.0], [0.5, 1.0], [1.0, 0.5], [0.5, 1.0]],
        dimensionality=[[0.1, 1.0], [1.0, 0.1], [1.0, 0.1], [0.1, 1.0]],
    )
    assert answers("P1-top", models) == [True, False, True, False]
    assert answers("P1-top", models, Thresholds(norm=0.4)) == [True, False, True, True]


def test_p2_the_densest_is_missing_while_a_rarer_one_is_represented() -> None:
    norm = [[0, 1, 1, 1], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
    models = measured(norm, probability=[0.9, 0.7, 0.5, 0.3])
    assert answers("P2", models) == [True, True, False, False, False]
    assert answers("P2-row", models) == [1, 2, 0, 4, 0]
    # Wherever they stand; of equally dense ones all must be missing.
    moved = measured(norm, probability=[0.9, 0.3, 0.5, 0.9])
    assert answers("P2", moved) == [False, True, False, False, False]
    assert answers("P2-row", moved) == [0, 2, 0, 4, 0]


def test_norms_are_those_of_the_weights() -> None:
    W = np.random.default_rng(0).normal(size=(4, 2, 5))
    assert answers("P4-matched", of_weights(W)) == pytest.approx(np.linalg.norm(W, axis=(1, 2)))


def polygon(angles: Any, lengths: Any = 1.0) -> np.ndarray:
    radians = np.radians(np.asarray(angles, dtype=float))
    return np.asarray(lengths) * np.stack([np.cos(radians), np.sin(radians)])


@pytest.mark.parametrize(
    ("angles", "lengths", "expected"),
    [
        ([0, 72, 144, 216, 288], 1.1, True),
        ([0, 144, 288, 72, 216], 1.1, True),  # in another order
        ([0, -72, -144, -216, -288], 1.1, True),  # the other way round
        ([0, 81, 144, 216, 288], 1.1, True),  # within ten degrees
        ([0, 83, 144, 216, 288], 1.1, False),
        ([0, 72, 144, 216, 277], 1.1, False),  # the gap over the end is 83
        ([0, 90, 180, 270, 270], 1.1, False),  # a square, one corner twice
        ([0, 72, 144, 216, 288], [1.1, 1.1, 1.1, 1.1, 1.2], True),
        ([0, 72, 144, 216, 288], [1.1, 1.1, 1.1, 1.1, 1.3], False),  # mean 1.14, so 14 % too long
        ([0, 72, 144, 216, 288], 0.45, False),  # regular, but not represented
    ],
)
def test_c1_a_regular_pentagon(angles: Any, lengths: Any, expected: bool) -> None:
    assert answers("C1", of_weights(polygon(angles, lengths)[None])) == [expected]


@given(st.floats(0, 360), st.permutations(range(5)), st.floats(0.6, 2.0))
def test_c1_does_not_depend_on_rotation_order_or_size(turn: float, order: list[int], size: float) -> None:
    W = polygon(72 * np.arange(5) + turn, size)[:, order]
    assert answers("C1", of_weights(np.stack([W, W[::-1], -W]))) == [True, True, True]


@pytest.mark.parametrize(
    ("W", "expected"),
    [
        ([[1, 0, 0], [0, 1, 0]], True),
        ([[0.6, -0.8, 0.1], [0.8, 0.6, 0.1]], True),  # turned, the third is too short
        ([[1, 0, 0], [0.09, 1, 0]], True),  # |cos| = .0896
        ([[1, 0, 0], [0.11, 1, 0]], False),  # |cos| = .109
        ([[1, -1, 0], [0, 0, 0]], False),  # a pair
        ([[1, 0, 0], [0, 0, 1]], False),  # not the two most important ones
        ([[1, 0, 0.6], [0, 1, 0]], False),  # a third one
        ([[1, 0, 0], [0, 0.5, 0]], False),  # one only
    ],
)
def test_c2_the_two_most_important_orthogonal(W: Any, expected: bool) -> None:
    W = np.array(W, dtype=float)[None]
    assert answers("C2", of_weights(W, importance=[1.0, 0.9, 0.81])) == [expected]
    assert answers("C2", of_weights(W[:, :, ::-1], importance=[0.81, 0.9, 1.0])) == [expected]


@given(any_schedules(), st.integers(0, 99))
def test_questions_do_not_depend_on_the_names_of_features(drawn: Any, seed: int) -> None:
    importance, probability, _, order = drawn
    W = np.random.default_rng(seed).normal(size=(1, 2, len(order))) * 0.8
    one, other = (of_weights(W[:, :, k], importance[:, k], probability[:, k]) for k in (slice(None), order))
    for own in OBSERVATIONS:
        distinct = own.name != "C2" or len(np.unique(importance)) == importance.size
        if own.question is not None and distinct and (own.name != "C1" or len(order) == 5):
            np.testing.assert_allclose(own.question(one), own.question(other), err_msg=own.name)


def test_every_yes_or_no_question_is_met_both_ways() -> None:
    """Random toy models reach a yes and a no of each: none is a constant."""
    rng = np.random.default_rng(1)
    W = rng.normal(size=(400, 2, 5)) * rng.choice([0.2, 1.0], size=(400, 1, 5))
    W[:2] = polygon(72 * np.arange(5)), np.eye(2, 5)
    models = of_weights(W, importance=[1.0, 0.9, 0.8, 0.7, 0.6], probability=[0.9, 0.7, 0.5, 0.3, 0.1])
    for own in OBSERVATIONS:
        if own.kind == "models":
            assert set(answers(own.name, models)) == {True, False}, own.name


def test_models_can_be_taken_and_put_together() -> None:
    models = of_weights(np.random.default_rng(2).normal(size=(4, 2, 3)))
    again = models.only([0, 1]).beside(models.only([2, 3]))
    assert len(again) == 4
    np.testing.assert_array_equal(again.represented, models.represented)
    assert replace(models, thresholds=Thresholds(norm=9.0)).represented.sum() == 0
