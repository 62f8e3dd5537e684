"""Slide 3 in the report: it stands first, its numbers are those of the tables, and it says whose it is."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from superposition_atlas import config
from superposition_atlas.metrics import intervals
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table

from .test_report import build, change, draw, elements, report, run, text_of

SPEC: dict[str, Any] = {
    "experiments": {
        "controls": {
            "role": "known_answers",
            "n_features": 5,
            "n_hidden": 2,
            "seeds": 2,
            "training": {"steps": 20, "batch_size": 16},
            "cases": {f"sparsity_{k}": {"slide": 5} for k in (0, 80, 90)},
        }
    },
    "attention": {
        name: {
            "n_features": 5,
            "n_hidden": 2,
            "seeds": 3,
            "probability": {"family": "linear", "first": first, "last": 0.1},
            "toy_model": {"steps": 100, "batch_size": 32, "learning_rate": 0.01},
            "sae": {"n_latents": 5, "steps": 30, "batch_size": 32, "resample_every": 30, "dead_window": 10},
            "heads": [1, 2],
            "steps": 30,
            "batch_size": 16,
        }
        for name, first in (("level", 0.1), ("graded", 0.5))
    },
}
TABLES = ("cells", "outputs", "rules", "models")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        settings = config.load(SPEC).attention
        spec = json.dumps({name: setting.spec for name, setting in settings.items()})
        run("attention", "--spec", spec, "--folder", "results/attention")
        heads = json.dumps({name: list(setting.heads) for name, setting in settings.items()})
        outputs = [f"--output-{name}={layout.attention_table(name)}" for name in TABLES]
        run("pivot-tables", "--heads", heads, "--folder", "results/attention", *outputs)
        build(SPEC)
        assert report(SPEC) == 0
    return folder


@pytest.fixture
def workplace(built: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(built)
    return built


def test_slide_3_comes_before_slide_5_and_says_that_it_is_ours(workplace: Path) -> None:
    headings = [text_of(element) for element in elements("heading.where(level: 2)")]
    places = [headings.index(next(text for text in headings if f"Slide {k}:" in text)) for k in (3, 5)]
    assert places[1] == places[0] + 1
    strong = " ".join(text_of(element) for element in elements("strong"))
    assert "No recipe for them is published" in strong
    assert "our own construction" in strong


def test_the_table_counts_the_seeds_in_which_the_rule_is_read_off(workplace: Path) -> None:
    text = text_of(elements("<table-attention>"))
    models = read_table(Path(layout.attention_table("models")))
    lines = text.split("|level|")[1].split("|graded|")[0]
    for n_heads in (1, 2):
        own = models[(models["setting"] == "level") & (models["n_heads"] == n_heads)]
        for dictionary, words in (("true", "true"), ("sae", "SAE")):
            part = own[own["dictionary"] == dictionary]
            n_rows, n_read = int(part["n_rows"].sum()), int(part["n_read"].sum())
            low, high = (f"{100 * end:.0f}" for end in intervals.exact_interval(n_read, n_rows))
            share = f"{100 * n_read / n_rows:.0f}\u202f%"
            cells = lines.split(f"|{words}|")[n_heads].split("|")
            assert cells[0].replace(" ", "") == f"{share} ({low}–{high})".replace(" ", "")
            whole = int((part["n_read"] == part["n_rows"]).sum())
            assert cells[1].startswith(f"{whole}/{len(part)}")


def test_numbers_of_slide_3_are_in_the_document(workplace: Path) -> None:
    level, graded = json.loads(Path("results/report.json").read_text())["attention"]
    models = read_table(Path(layout.attention_table("models")))
    rules = read_table(Path(layout.attention_table("rules")))
    assert [group["name"] for group in level["groups"]] == ["all"]
    assert [group["name"] for group in graded["groups"]] == ["rarest", "commonest"]
    assert graded["groups"][0]["probability"]["high"] < graded["groups"][1]["probability"]["low"]
    for layer in level["layers"]:
        own = models[(models["setting"] == "level") & (models["n_heads"] == layer["n_heads"])]
        assert layer["loss"]["mean"] == pytest.approx(own.loc[own["dictionary"] == "true", "loss"].mean())
        assert own["max_deviation"].max() < 10.0 ** layer["deviation_exponent"] <= 1e-5
        rows = rules[(rules["setting"] == "level") & (rules["n_heads"] == layer["n_heads"])]
        tied = rows[(rows["dictionary"] == "true") & (rows["tied_key"] >= 0)]
        assert layer["by_score"]["tied"]["n"] == len(tied)
        assert layer["by_score"]["tied"]["n_holding"] == tied["read_by_score"].sum()


def test_figures_of_slide_3_are_there(workplace: Path) -> None:
    sources = [element["source"] for element in elements("image")]
    assert sources.count("figures/slide03_pivot_tables.svg") == 1
    assert sources.count("figures/attention_graded_features.svg") == 1


def test_provenance_names_attention(workplace: Path) -> None:
    assert "|attention|8|" in text_of(elements("<table-codes>")).replace(" ", "")


def test_a_missing_column_is_named(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = layout.attention_table("rules")
    before = Path(path).read_bytes()
    change(path, lambda table: table.drop(columns="read"))
    assert report(SPEC) == 1
    assert capsys.readouterr().err.startswith(f"error: {path}: has no column 'read'")
    Path(path).write_bytes(before)
    assert report(SPEC) == 0


def test_without_attention_the_report_says_that_slide_3_is_left_out(workplace: Path) -> None:
    spec = copy.deepcopy(SPEC) | {"attention": None}
    draw(spec)
    assert report(spec) == 0
    assert not any("Slide 3" in text_of(element) for element in elements("heading.where(level: 2)"))
    assert json.loads(Path("results/report.json").read_text())["attention"] == []
    assert report(SPEC) == 0


def test_one_setting_with_one_head_is_enough(workplace: Path) -> None:
    """What is not there is not compared."""
    spec = copy.deepcopy(SPEC)
    spec["attention"] = {"level": spec["attention"]["level"] | {"heads": [2]}}
    assert report(spec) == 0
    headings = [text_of(element) for element in elements("heading.where(level: 2)")]
    assert any("Slide 3" in text for text in headings)
    assert report(SPEC) == 0
