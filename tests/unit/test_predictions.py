"""Predictions beside best solutions: the same counts as the other tables, and what a wrong one costs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from superposition_atlas.errors import ArtefactError
from superposition_atlas.maps.predictions import SOLVED, prediction_table
from superposition_atlas.metrics.features import norms, represented
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table
from superposition_atlas.theory.exact_loss import exact_loss

from .map_chain import SMALL_MAPS, SPEC, make_maps


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_maps(SPEC | {"maps": {"drawn": SMALL_MAPS["drawn"]}})
        tables = ("points", "solutions", "predictions")
        return {table: read_table(Path(layout.map_table("drawn", table))) for table in tables}


def test_each_schedule_stands_once_and_agrees_as_the_points_say(made: dict[str, pd.DataFrame]) -> None:
    predictions, points = made["predictions"], made["points"].set_index("key")
    assert sorted(predictions["key"]) == sorted(points.index)
    same = points.loc[predictions["key"]]
    for mine, theirs in (
        ("agrees", "agrees"),
        ("matching_agrees", "matching_agrees"),
        ("best_loss", "best_loss"),
        ("predicted_loss", "predicted_loss"),
        ("best_n_represented", "best_n_represented"),
        ("matching_n_represented", "matching_n_represented"),
        ("predicted_structure", "predicted_structure"),
    ):
        assert predictions[mine].tolist() == same[theirs].tolist(), mine


def test_weights_are_those_of_the_best(made: dict[str, pd.DataFrame]) -> None:
    for row in made["predictions"].to_dict("records"):
        W, b = row["best_W"].reshape(2, 5), row["best_b"]
        loss = exact_loss(W, b, row["importance"], row["probability"]).mean()
        assert loss == pytest.approx(row["best_loss"], rel=1e-9)
        kept = represented(W[None])[0]
        assert kept.sum() == row["best_n_represented"]
        assert row["best_lowest_b"] == b[kept].min()
        assert row["best_norm_of_lowest_b"] in norms(W[None])[0][kept]


def test_right_predictions_cost_nothing_and_wrong_ones_at_least_the_margin(
    made: dict[str, pd.DataFrame],
) -> None:
    table = made["predictions"]
    assert not table["matching_agrees"].all()
    for agrees, excess in (("agrees", "predicted_excess"), ("matching_agrees", "matching_excess")):
        right = table[agrees].astype(bool)
        np.testing.assert_allclose(table.loc[right, excess], 0, atol=1e-5)
        wrong = table.loc[~right].dropna(subset=excess)
        assert (wrong[excess] >= wrong["margin"] - 1e-12).all()
    assert (table["margin"].dropna() > 0).all()


def test_the_margin_is_over_the_best_minimum_with_other_features() -> None:
    def row(kind: str, rank: int, loss: float, kept: str) -> dict[str, object]:
        about = {"key": "k", "kind": kind, "bias": "trained", "rank": rank, "loss": loss}
        return about | {
            "kept": kept,
            "n_represented": kept.count("1"),
            "is_best": rank == 0 and kind == "minimum",
        }

    solved = pd.DataFrame(
        [
            row("minimum", 0, 1.0, "11"),
            row("minimum", 1, 1.2, "11"),
            row("minimum", 2, 1.5, "10"),
            row("minimum", 3, 3.0, "01"),
            row("predicted", 0, 1.6, "10"),
            row("matching", 0, 9.0, "00"),
        ]
    )
    solutions = solved[["key", "kind", "bias", "rank", "loss"]].assign(structure="", b=[np.zeros(2)] * 6)
    W = np.tile(np.eye(2), (6, 1, 1))
    points = pd.DataFrame({"key": ["k", "k"], "family": ["a", "b"]})
    (found,) = prediction_table(points, solved, solutions, W).to_dict("records")
    assert found["margin"] == pytest.approx(0.5)
    assert (found["agrees"], found["predicted_excess"]) == (False, pytest.approx(0.5))
    assert np.isnan(found["matching_excess"])
    assert found["best_shape"] == "dedicated, dedicated"


def test_solutions_of_other_points_are_named() -> None:
    points = pd.DataFrame({"key": ["0" * 16]})
    none = pd.DataFrame({name: pd.Series(dtype=object) for name in SOLVED})
    with pytest.raises(ArtefactError, match="no solution of the schedule 0000000000000000"):
        prediction_table(points, none, none.drop(columns="is_best"), np.empty((0, 2, 5)))
