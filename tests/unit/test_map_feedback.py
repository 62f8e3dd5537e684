"""What training found and the search did not joins the solutions; a toy model below the best is refused."""

import logging

import numpy as np
import pandas as pd
import pytest
from superposition_atlas.errors import ArtefactError
from superposition_atlas.maps.feedback import with_descents
from superposition_atlas.maps.measures import Schedules, excess_table, solution_table
from superposition_atlas.maps.solutions import solutions_of
from superposition_atlas.storage.map_files import SOLUTION_SCHEMA, MapPoints
from superposition_atlas.theory.exact_loss import exact_loss
from superposition_atlas.toy_model import TrainingSettings

POINTS = MapPoints(
    ["a" * 16, "b" * 16], np.array([[1.0, 0.9, 0.8], [1.0, 0.5, 0.2]]), np.array([[0.1] * 3, [0.3] * 3]), 1
)
BIASES = ["mean", "trained"]
FREE, HELD, LINEAR = (
    TrainingSettings(**settings).as_dict() for settings in ({}, {"bias": "mean"}, {"output": "linear"})
)


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return solutions_of(POINTS, [0, 1], BIASES, n_starts=2)


def best_of(found: pd.DataFrame, key: str, bias: str) -> "pd.Series[object]":
    rows = found[(found["key"] == key) & (found["bias"] == bias) & (found["kind"] == "minimum")]
    return rows.sort_values("rank").iloc[0]


def without_best(found: pd.DataFrame, key: str, bias: str) -> pd.DataFrame:
    """As of a search that missed it: only representing nothing is left."""
    point = POINTS.key.index(key)
    searched = (found["key"] == key) & (found["bias"] == bias) & (found["kind"] == "minimum")
    b = POINTS.probability[point] / 2
    loss = exact_loss(np.zeros((1, 3)), b, POINTS.importance[point], POINTS.probability[point]).mean()
    row = {"key": key, "kind": "minimum", "bias": bias, "rank": 0, "loss": loss, "n_starts": 1}
    left = pd.DataFrame([row | {"structure": "", "W": np.zeros(3), "b": b}], columns=SOLUTION_SCHEMA.names)
    return pd.concat([found[~searched], left], ignore_index=True)


def trained_near(found: pd.DataFrame, key: str, bias: str) -> tuple[np.ndarray, np.ndarray]:
    """Two toy models, float32: one near the best, one that has learned nothing."""
    best = best_of(found, key, bias)
    W = np.stack([0.98 * np.asarray(best["W"]), np.zeros(3)]).astype(np.float32)[:, None]
    return W, np.stack([best["b"], best["b"]]).astype(np.float32)


@pytest.mark.parametrize(("bias", "training"), [("trained", FREE), ("mean", HELD)])
def test_where_the_lowest_toy_model_leads_to_joins(
    found: pd.DataFrame, caplog: pytest.LogCaptureFixture, bias: str, training: dict[str, object]
) -> None:
    key = POINTS.key[1]
    W, b = trained_near(found, key, bias)
    poor = without_best(found, key, bias)
    with caplog.at_level(logging.WARNING):
        joined = with_descents(poor, POINTS, [key, key], W, b, [training, training])
    assert key in caplog.text
    assert len(joined) == len(poor) + 1
    best = best_of(joined, key, bias)
    assert best["loss"] == pytest.approx(best_of(found, key, bias)["loss"], rel=1e-6)
    assert (best["rank"], best["n_starts"]) == (0, 0)
    ranks = joined[(joined["key"] == key) & (joined["bias"] == bias) & (joined["kind"] == "minimum")]["rank"]
    assert ranks.tolist() == [0, 1]
    assert joined["rank"].dtype == poor["rank"].dtype


def test_nothing_joins_where_the_search_found_it(found: pd.DataFrame) -> None:
    for bias, training in (("trained", FREE), ("mean", HELD)):
        W, b = trained_near(found, POINTS.key[0], bias)
        same = with_descents(found, POINTS, [POINTS.key[0]] * 2, W, b, [training] * 2)
        pd.testing.assert_frame_equal(same, found)
    linear = with_descents(without_best(found, POINTS.key[0], "trained"), POINTS, [POINTS.key[0]] * 2, W, b,
                           [LINEAR] * 2)  # fmt: skip
    assert best_of(linear, POINTS.key[0], "trained")["n_starts"] == 1
    none = with_descents(found, POINTS, [], W[:0], b[:0], [])
    pd.testing.assert_frame_equal(none, found)


def measured(found: pd.DataFrame, key: str, W: np.ndarray, b: np.ndarray) -> pd.DataFrame:
    solved = solution_table(
        found, np.stack(found["W"].to_list()).reshape(-1, 1, 3), Schedules.at(POINTS, found["key"])
    )
    models = pd.DataFrame({"key": [key] * len(W), "seed": np.arange(40, 40 + len(W), dtype=np.uint64)})
    schedules = Schedules.at(POINTS, models["key"])
    return excess_table(models, W, b, schedules, [FREE] * len(W), solved)


def test_a_toy_model_below_the_best_is_refused_with_its_schedule_and_seed(found: pd.DataFrame) -> None:
    key = POINTS.key[1]
    W, b = trained_near(found, key, "trained")
    poor = without_best(found, key, "trained")
    with pytest.raises(ArtefactError, match=f"seed 40 on the schedule {key}") as caught:
        measured(poor, key, W, b)
    assert "\n" not in str(caught.value)
    table = measured(with_descents(poor, POINTS, [key] * 2, W, b, [FREE] * 2), key, W, b)
    assert (table["relative_excess"] > -2e-5).all()
    assert len(measured(found, key, W, b)) == 2
