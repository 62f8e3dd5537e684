"""The command that makes results/explorer.html, and what its rule asks for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from superposition_atlas import config
from superposition_atlas.cli.main import main
from superposition_atlas.explorer import assemble, gather
from superposition_atlas.explorer.inputs import explorer_inputs, explorer_patterns, explorer_spec
from superposition_atlas.explorer.notebook import data_of
from superposition_atlas.storage import layout
from superposition_atlas.storage.embedded import KEY, read_provenance
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of

ATLAS = {
    "title": "A map", "n_hidden": 1, "n_features": 2, "variant": "standard", "bias": "trained",
    "cases": {"b": "case1"},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables of a map of two shards, a schedule and two variants each."""
    monkeypatch.chdir(tmp_path)
    for shard, key in enumerate("ab"):
        W, b = np.array([1.0, -1.0]) * (shard + 1), np.zeros(2)
        schedule = {"key": [key], "importance": [np.ones(2)], "probability": [np.array([0.25, 0.125])]}
        models = {
            "key": [key] * 3, "variant": ["standard", "other", "standard"], "seed": [0, 0, 1],
            "W": [W, 9 * W, W], "b": [b] * 3, "loss": [0.1] * 3,
        }  # fmt: skip
        solutions = {
            "key": [key] * 3, "kind": ["minimum", "minimum", "predicted"], "bias": ["trained"] * 3,
            "rank": [1, 0, 0], "loss": [0.3, 0.2, 0.1], "W": [W, 2 * W, W], "b": [b] * 3,
        }  # fmt: skip
        for name, columns in (("schedules", schedule), ("weights", models), ("solutions", solutions)):
            table = pd.DataFrame(columns)
            write_table(table, tmp_path / f"{name}{shard}.parquet", provenance_of({}, "code"))
    points = pd.DataFrame(
        {
            "key": ["a", "b", "b"], "variant": ["standard", "standard", "other"], "family": "linear",
            "mean_density": [0.1, 0.2, 0.2], "steepness": 2.0, "importance_ratio": 1.0, "order": "aligned",
            "n_represented": [1.5, 2.0, 0.0], "none_dedicated": [0.5, 1.0, 0.0],
            "observations": ["", "O3", "O3"],
        }
    )  # fmt: skip
    write_table(points, tmp_path / "points.parquet", provenance_of({}, "code"))
    return tmp_path


def run(atlas: dict[str, Any] | None, output: str = "explorer.html") -> int:
    arguments = ["explorer", "--spec", json.dumps({"presets": [], "atlas": atlas}), "--output", output]
    for name in ("schedules", "weights", "solutions") if atlas else ():
        arguments += [f"--{name}", f"{name}0.parquet", f"{name}1.parquet"]
    return main([*arguments, "--points", "points.parquet"] if atlas else arguments)


def test_the_page_holds_the_atlas_of_one_variant_and_its_best_solutions(folder: Path) -> None:
    assert run(ATLAS) == 0
    atlas = data_of(folder / "explorer.html")["atlas"]
    assert atlas["points"]["cases"] == ["", "case1"]
    assert atlas["layers"][0]["values"] == [1.5, 2.0]
    assert [best["loss"] for best in atlas["best"]] == [0.2, 0.2]
    assert [best["W"] for best in atlas["best"]] == [[2.0, -2.0], [4.0, -4.0]]
    assert atlas["stored"]["seeds"] == [0, 1]
    titles = {layer["title"] for layer in atlas["layers"]}
    assert "O3, share of seeds" in titles  # the schedule b is one that it is about
    silent = next(layer for layer in atlas["layers"] if layer["title"] == "O2, share of seeds")
    assert silent["values"] == [None, None]  # it is about neither schedule


def test_the_page_carries_its_provenance_and_is_the_same_bytes_again(folder: Path) -> None:
    assert run(ATLAS) == run(ATLAS, "again.html") == 0
    provenance = read_provenance(folder / "explorer.html")
    assert provenance["spec"]["atlas"] == ATLAS
    assert provenance["page"] == assemble.page_digest()
    assert (folder / "explorer.html").read_bytes() == (folder / "again.html").read_bytes()
    assert KEY not in data_of(folder / "explorer.html")


def test_without_an_atlas_there_is_a_page_all_the_same(folder: Path) -> None:
    assert run(None) == 0
    assert data_of(folder / "explorer.html")["atlas"] is None


def test_a_spec_that_lacks_a_key_is_refused_in_a_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run({key: value for key, value in ATLAS.items() if key != "bias"}) == 1
    assert "atlas.bias is missing" in capsys.readouterr().err
    assert not (folder / "explorer.html").exists()


def test_the_rule_asks_for_the_atlas_and_the_page_s_own_files() -> None:
    loaded = config.load(config.read("config/config.yaml"))
    inputs, shards = explorer_inputs(loaded), loaded.maps["atlas"].shards
    assert inputs["points"] == [layout.map_table("atlas", "points")]
    assert inputs["weights"] == [layout.map_part("atlas", "weights", shard) for shard in range(shards)]
    assert all(Path(path).is_file() for path in inputs["page"])
    assert {Path(path).suffix for path in inputs["page"]} == {".js", ".css", ".html"}
    assert explorer_patterns(loaded)["weights"].count("{0..") == 1
    spec = json.loads(explorer_spec(loaded))
    assert set(ATLAS) == set(spec["atlas"])
    assert "case1" in " ".join(spec["atlas"]["cases"].values())


def test_without_an_atlas_the_rule_asks_for_the_page_s_own_files_alone() -> None:
    raw = config.read("config/config.yaml")
    loaded = config.load({key: value for key, value in raw.items() if key != "maps"})
    assert [role for role, paths in explorer_inputs(loaded).items() if paths] == ["page"]
    assert set(explorer_patterns(loaded).values()) == {""}
    assert json.loads(explorer_spec(loaded))["atlas"] is None


def test_an_atlas_as_fine_as_that_of_config_atlas_yaml_fits() -> None:
    """2,700 schedules with eight toy models each, all digits."""
    draw = np.random.default_rng(0)
    n, keys = 2700, [f"{k:016x}" for k in range(2700)]
    layers = {column: draw.uniform(size=n) for column in (layer.column for layer in gather.LAYERS)}
    points = pd.DataFrame(
        {
            "key": keys, "family": "geometric", "mean_density": draw.uniform(size=n),
            "steepness": draw.uniform(1, 200, n), "importance_ratio": 0.9, "order": "aligned",
        } | layers
    )  # fmt: skip
    importance, probability = (list(draw.uniform(size=(n, 5))) for _ in range(2))
    schedules = pd.DataFrame({"key": keys, "importance": importance, "probability": probability})
    W, b = draw.normal(size=(8 * n, 10)), draw.normal(size=(8 * n, 5))
    models = pd.DataFrame({"key": keys * 8, "seed": np.repeat(range(8), n), "W": list(W), "b": list(b)})
    best = pd.DataFrame({"key": keys, "loss": draw.uniform(size=n), "W": list(W[:n]), "b": list(b[:n])})
    atlas = gather.atlas_data("Fine", (2, 5), points, schedules, models, best, {}, [])
    assert len(atlas["stored"]["seeds"]) == 8
    assert len(assemble.page(gather.page_data([], atlas, "1")).encode()) < 0.6 * assemble.LARGEST_PAGE
