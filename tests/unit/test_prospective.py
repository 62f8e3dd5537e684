from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from superposition_atlas.cli.main import main
from superposition_atlas.maps.matchings import matching_table
from superposition_atlas.maps.prospective import MEASURES, comparison, summary, summary_table, train_random
from superposition_atlas.metrics.agreement import jaccard, mean_jaccard_with_others
from superposition_atlas.storage.parquet import read_table, table_provenance
from superposition_atlas.theory.matching import match
from superposition_atlas.theory.random_schedules import random_schedules
from superposition_atlas.theory.rankings import RANKINGS
from superposition_atlas.theory.structures import axis_weights
from superposition_atlas.toy_model import ToyModels, TrainingSettings

SETS = arrays(bool, (4, 7))


@given(SETS)
def test_jaccard_is_a_similarity(sets: np.ndarray) -> None:
    between = jaccard(sets[:, None], sets[None])
    np.testing.assert_array_equal(between, between.T)
    np.testing.assert_array_equal(np.diag(between), 1.0)
    assert ((between >= 0) & (between <= 1)).all()
    for one in range(4):
        for other in range(4):
            a, b = (set(np.flatnonzero(sets[k])) for k in (one, other))
            assert between[one, other] == pytest.approx(len(a & b) / len(a | b) if a | b else 1.0)
    np.testing.assert_allclose(mean_jaccard_with_others(sets), (between.sum(1) - 1) / 3, atol=1e-12)


def test_a_single_toy_model_has_no_second() -> None:
    assert np.isnan(mean_jaccard_with_others(np.ones((1, 3), bool))).all()


@pytest.fixture(scope="module")
def trained() -> tuple[list, ToyModels]:
    schedules = list(random_schedules(5, 6))
    return schedules, train_random(schedules, 2, 4, TrainingSettings(steps=3000))


@pytest.fixture(scope="module")
def table(trained: tuple[list, ToyModels]) -> pd.DataFrame:
    return comparison(*trained)


def test_the_rule_is_nearer_to_toy_models_than_a_linear_model_is(table: pd.DataFrame) -> None:
    assert len(table) == 24
    assert table["schedule"].tolist() == [k for k in range(6) for _ in range(4)]
    assert table["jaccard_rule"].mean() > 0.6
    assert table["jaccard_rule"].mean() > table["jaccard_linear"].mean()
    assert table["is_best"].sum() == 6
    assert (table["below_ceiling"] == table["jaccard_ceiling"] - table["jaccard_rule"]).all()


def test_toy_models_that_are_the_matching_agree_with_it_in_everything() -> None:
    schedules = list(random_schedules(20, 3))
    matchings = [match(one.importance, one.probability, 6) for one in schedules]
    W = np.repeat([axis_weights(found.structure, 20, 6) for found in matchings], 2, axis=0)
    rows = {
        name: np.repeat([getattr(one, name) for one in schedules], 2, axis=0)
        for name in ("importance", "probability")
    }
    loss = np.repeat([found.cost / 20 for found in matchings], 2)
    models = ToyModels(
        W.astype(np.float32),
        np.zeros((6, 20), np.float32),
        loss,
        np.arange(6, dtype=np.uint64),
        **rows,
        settings=TrainingSettings(),
        engine="fused",
    )
    table = comparison(schedules, models)
    for name in ("jaccard_rule", "jaccard_ceiling", "loss_ratio"):
        np.testing.assert_allclose(table[name], 1.0)
    for name in ("kept_difference", "alone_difference", "polygon_share"):
        assert (table[name] == 0).all()
    assert table["same_features"].all()
    assert (table[[f"jaccard_{name}" for name in RANKINGS]] <= 1).all(axis=None)
    for name in RANKINGS:
        np.testing.assert_array_equal(table[f"jaccard_{name}"], table[f"jaccard_{name}_at_rule"])


def test_summaries_count_each_schedule_once(table: pd.DataFrame) -> None:
    means = summary(table).set_index("measure")
    assert set(means.index) == set(MEASURES)
    expected = table.groupby("schedule")["jaccard_rule"].mean().mean()
    assert means.loc["jaccard_rule", "mean"] == pytest.approx(expected)
    assert (means["n_schedules"] == 6).all()
    assert (means["n_models"] == 24).all()
    # More toy models of one schedule do not make it count more.
    doubled = pd.concat([table, table[table["schedule"] == 0]])
    pd.testing.assert_series_equal(summary(doubled).set_index("measure")["ci_low"], means["ci_low"])
    by_family = summary(table, by=["family"])
    assert set(by_family["family"]) == set(table["family"])


def test_schedules_are_parted_by_what_is_known_before_training(table: pd.DataFrame) -> None:
    means = summary_table(table.assign(pairs_suffice=table["schedule"] < 4))
    kept = means[means["measure"] == "n_kept_rule"].set_index("schedules")
    assert kept["n_schedules"].to_dict() == {"all": 6, "pairs suffice": 4, "a pentagon pays": 2}
    assert kept.loc["all", "mean"] == pytest.approx(
        (4 * kept.loc["pairs suffice", "mean"] + 2 * kept.loc["a pentagon pays", "mean"]) / 6
    )


def test_as_many_toy_models_for_each_schedule(trained: tuple[list, ToyModels]) -> None:
    schedules, models = trained
    with pytest.raises(ValueError, match="23 toy models for 6 schedules"):
        comparison(schedules, models.select(slice(23)))


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 5))
def test_a_schedules_toy_models_do_not_depend_on_the_others(trained: tuple[list, ToyModels], k: int) -> None:
    schedules, models = trained
    alone = train_random([schedules[k]], 2, 2, TrainingSettings(steps=3000), first_seed=1)
    np.testing.assert_array_equal(alone.W, models.W[4 * k + 1 : 4 * k + 3])


def test_the_command_writes_the_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--n-features", "5", "--n-hidden", "2", "--seeds", "2", "--steps", "200"]

    def written(name: str, *more: str) -> pd.DataFrame:
        path = tmp_path / name
        outputs = ["--output", str(path), "--output-summary", str(tmp_path / f"means-{name}")]
        assert main(["prospective", *size, *more, *outputs]) == 0
        return read_table(path)

    store = ["--store", str(tmp_path / "store")]
    table = written("all.parquet", "--schedules", "4", *store)
    assert len(table) == 8
    again = written("again.parquet", "--schedules", "4", *store)
    pd.testing.assert_frame_equal(again, table)
    part = written("part.parquet", "--schedules", "2", "--first", "2")
    pd.testing.assert_frame_equal(part, table[table["schedule"] >= 2].reset_index(drop=True))
    assert "8 toy models" not in capsys.readouterr().out
    pd.testing.assert_frame_equal(read_table(tmp_path / "means-all.parquet"), summary_table(table))
    spec = table_provenance(tmp_path / "all.parquet")["spec"]
    assert (spec["n_features"], spec["n_hidden"], spec["schedules"], spec["seeds"]) == (5, 2, [0, 3], 2)


def test_the_command_names_what_is_out_of_range(capsys: pytest.CaptureFixture[str]) -> None:
    bad = ["prospective", "--n-features", "1", "--n-hidden", "2", "--schedules", "1", "--seeds", "1"]
    assert main([*bad, "--output", "x.parquet", "--output-summary", "y.parquet"]) == 1
    assert "--n-features is 1: must be at least 2" in capsys.readouterr().err


def test_the_table_of_matchings_says_what_the_matching_does() -> None:
    schedules = [(f"key{one.index}", one.importance, one.probability) for one in random_schedules(20, 3)]
    table = matching_table(schedules, 6)
    assert len(table) == 60
    for key, importance, probability in schedules:
        rows, found = table[table["key"] == key], match(importance, probability, 6)
        assert rows["label"].tolist() == found.labels.tolist()
        assert rows["partner"].tolist() == found.partner.tolist()
        assert rows["kept"].sum() == rows["n_kept"].iloc[0] == len(found.kept)
        for name in RANKINGS:
            assert rows[f"by_{name}"].sum() == len(found.kept)
        assert rows["by_linear"].sum() == 6
        paired = rows[rows["label"] == "shared"].set_index("feature")
        assert (paired.loc[paired["partner"], "partner"].to_numpy() == paired.index).all()
