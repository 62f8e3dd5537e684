"""The tables that set the matching of each schedule beside its toy models."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import superposition_atlas as sa
from superposition_atlas import config
from superposition_atlas.cli.main import main
from superposition_atlas.figures import catalogue
from superposition_atlas.maps.matching_summary import SCHEMA, schedules_in
from superposition_atlas.maps.points import make_points
from superposition_atlas.plan import targets
from superposition_atlas.storage import layout
from superposition_atlas.storage.map_files import MODEL_SCHEMA, model_frame, write_map_models, write_points
from superposition_atlas.storage.model_files import write_models
from superposition_atlas.storage.parquet import read_table
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.theory.matching import match
from superposition_atlas.toy_model import ToyModels, TrainingSettings

N_HIDDEN = 3
IMPORTANCE = 0.9 ** np.arange(6)
DENSE = np.array([1.0, 0.6, 0.3, 0.2, 0.1, 0.05])


def models_on(*probabilities: np.ndarray, **settings: Any) -> ToyModels:
    """Toy models that are what the matching says: weights of 1 and -1, and a second one without the last."""
    W, p = [], []
    for probability in probabilities:
        found = match(IMPORTANCE, probability, N_HIDDEN)
        groups = [(feature,) for feature in found.alone] + list(found.pairs)
        one = np.zeros((N_HIDDEN, 6), np.float32)
        for dimension, group in enumerate(groups):
            one[dimension, list(group)] = [1.0, -1.0][: len(group)]
        other = one.copy()
        other[:, found.kept[-1]] = 0.0
        W += [one, other]
        p += [probability, probability]
    stacked = np.stack(p).astype(np.float32)
    return ToyModels(
        W=np.stack(W),
        b=np.zeros_like(stacked),
        loss=np.full(len(W), 0.01),
        seeds=np.arange(len(W), dtype=np.uint64),
        importance=np.tile(IMPORTANCE.astype(np.float32), (len(W), 1)),
        probability=stacked,
        settings=TrainingSettings(**settings),
        engine="fused",
    )


def run(folder: Path, **cases: ToyModels) -> pd.DataFrame:
    paths = []
    for name, models in cases.items():
        paths.append(folder / f"{name}.safetensors")
        write_models(models, paths[-1], {}, "code")
    output = folder / "matching.parquet"
    arguments = ("--models", *paths, "--shown-seeds", 1, "--output", output)
    assert main(["matching", *map(str, arguments)]) == 0
    return read_table(output)


def test_a_row_has_the_rule_and_what_toy_models_have(tmp_path: Path) -> None:
    table = run(tmp_path, case1=models_on(DENSE), case2=models_on(DENSE[::-1]))
    assert table["case"].tolist() == ["case1", "case2"]
    for (_, row), probability in zip(table.iterrows(), (DENSE, DENSE[::-1]), strict=True):
        found = sa.match(IMPORTANCE, probability, N_HIDDEN)
        assert row["label"].tolist() == found.labels.tolist()
        assert row["partner"].tolist() == found.partner.tolist()
        assert (row["n_kept_rule"], row["n_alone_rule"]) == (len(found.kept), len(found.alone))
        assert row["saved"] == pytest.approx(found.saved)
        assert row["cost"] == pytest.approx(found.cost)
        # One toy model as the rule says, one without its last feature, whose partner is then alone.
        n, last = len(found.kept), found.kept[-1]
        assert row["n_models"] == 2
        assert row["n_kept_trained"] == n - 0.5
        assert row["jaccard_rule"] == pytest.approx((1 + (n - 1) / n) / 2)
        assert row["jaccard_ceiling"] == pytest.approx((n - 1) / n)
        assert (row["squared_norm_largest"], row["squared_norm_trained"]) == (n, n - 0.5)
        shares = row["share_alone"] + row["share_shared"]
        assert shares[last] == 0.5
        assert np.delete(shares, [last, *found.absent]).tolist() == [1.0] * (n - 1)
        assert row["loss_share_trained"] == pytest.approx(0.01 * 6 / (found.saved + found.cost))
        for rule in ("importance", "probability", "value", "sparsity"):
            assert np.sum(row[f"by_{rule}"]) == n


def test_each_schedule_of_a_case_has_a_row(tmp_path: Path) -> None:
    uniform = [np.full(6, p) for p in (0.8, 0.1)]
    models = models_on(*uniform)
    assert [len(own) for own in schedules_in(models)] == [2, 2]
    table = run(tmp_path, uniform=models)
    assert table["schedule"].tolist() == [0, 1]
    assert [row[0] for row in table["probability"]] == pytest.approx([0.8, 0.1])
    assert table["n_kept_rule"].tolist() == [3, 6]


def test_toy_models_that_the_costs_are_not_for_have_no_row(tmp_path: Path) -> None:
    others: list[dict[str, Any]] = [{"bias": "zero"}, {"magnitudes": "binary"}, {"output": "linear"}]
    cases = {f"other{k}": models_on(DENSE, **settings) for k, settings in enumerate(others)}
    assert run(tmp_path, case1=models_on(DENSE), **cases)["case"].tolist() == ["case1"]
    assert run(tmp_path, **cases).empty


POINTS = {
    "kind": "grid",
    "family": ["linear"],
    "mean_density": [0.5],
    "steepness": [9],
    "importance_ratio": [0.9],
    "order": ["aligned", "reversed"],
}


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    points = make_points(6, N_HIDDEN, POINTS)
    rows = [
        {"key": point.key, "importance": point.importance, "probability": point.probability}
        for point in points
    ]
    write_points(rows, {}, tmp_path / "points.parquet", {"n_hidden": N_HIDDEN}, "code")
    return tmp_path


def test_a_map_has_a_row_a_schedule_and_variant(shard: Path) -> None:
    points = make_points(6, N_HIDDEN, POINTS)
    frames = []
    for variant in ("standard", "zero"):
        models = models_on(*(point.probability for point in points))
        keys = [point.key for point in points for _ in range(2)]
        frame = model_frame(keys, models.seeds, models.seeds, models.W, models.b, models.loss)
        frame.insert(1, "variant", variant)
        frames.append(frame)
    assert set(MODEL_SCHEMA.names) < set(frames[0])
    trainings = {
        "standard": TrainingSettings().as_dict(),
        "zero": TrainingSettings(bias="zero").as_dict(),
    }
    provenance = provenance_of({"variants": trainings}, "code")
    write_map_models(pd.concat(frames), shard / "weights.parquet", provenance)
    arguments = ["--points", f"{shard}/points.parquet", "--weights", f"{shard}/weights.parquet"]
    assert main(["map-matching", *arguments, "--output", f"{shard}/matching.parquet"]) == 0
    table = read_table(shard / "matching.parquet").set_index("key")
    assert set(table["variant"]) == {"standard"}
    for point in points:
        found = match(IMPORTANCE, np.asarray(point.probability), N_HIDDEN)
        assert table.loc[point.key, "label"].tolist() == found.labels.tolist()
        assert table.loc[point.key, "n_kept_trained"] == len(found.kept) - 0.5


def test_a_map_without_toy_models_has_the_rule_alone(shard: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points, output = str(shard / "points.parquet"), str(shard / "matching.parquet")
    assert main(["map-matching", "--points", points, "--output", output]) == 0
    table = read_table(Path(output))
    assert table.columns.tolist() == ["key", "variant", *SCHEMA.names]
    assert len(table) == 2
    assert (table["n_models"] == 0).all()
    assert table["jaccard_rule"].isna().all()
    assert (table["n_kept_rule"] >= N_HIDDEN).all()
    capsys.readouterr()
    assert main(["map-matching", "--points", points, points, "--weights", points, "--output", output]) == 1
    assert "--weights: got 1 files" in capsys.readouterr().err


def test_every_experiment_and_map_has_its_table() -> None:
    loaded = config.load(config.read(Path(__file__).parents[2] / "config" / "config.yaml"))
    files = set(targets.all_files(loaded))
    for name, experiment in loaded.experiments.items():
        is_target = layout.experiment_table(name, layout.MATCHING) in files
        assert is_target == bool(catalogue.matched_cases(experiment))
    assert layout.experiment_table("wide", layout.MATCHING) in files
    assert {layout.map_table(name, layout.MATCHING) for name in loaded.maps} <= files
    place = layout.identify(layout.map_table("atlas", layout.MATCHING))
    assert place is not None
    assert place.command == "map_matching"
