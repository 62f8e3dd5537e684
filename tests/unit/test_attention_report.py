"""Slide 3 in the report: its numbers are those of the tables, and it says whose construction it is."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from superposition_atlas import config
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table

from .map_chain import run
from .report_chain import build, draw, report
from .test_report import blocks_of, change, document, headings, text_of

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


def test_it_says_that_the_construction_is_ours(workplace: Path) -> None:
    assert "Attention pivot tables (slide 3)" in headings()
    words = text_of(document()["appendix"])
    assert "No recipe for them is published" in words
    assert "our own construction" in words


def test_the_table_counts_the_seeds_and_rows_that_are_recovered(workplace: Path) -> None:
    (table,) = [block for block in blocks_of("table") if block["label"] == "table-attention"]
    models = read_table(Path(layout.attention_table("models")))
    rows = iter(table["rows"])
    for name in ("level", "graded"):
        for n_heads in (1, 2):
            own = models[(models["setting"] == name) & (models["n_heads"] == n_heads)]
            true, sae = (own[own["dictionary"] == dictionary] for dictionary in ("true", "sae"))
            cells = [text_of(cell) for cell in next(rows)["cells"]]
            assert cells[1] == str(n_heads)
            seeds = [f"{(part['n_read'] == part['n_rows']).sum()}/{len(part)}" for part in (true, sae)]
            assert cells[6:8] == seeds
            share = 100 * true["n_read"].sum() / true["n_rows"].sum()
            assert cells[2].startswith(f"{share:.0f}") or "below" in cells[2]


def test_figures_of_slide_3_are_there(workplace: Path) -> None:
    assert [block["name"] for block in blocks_of("figure")].count("slide03_pivot_tables") == 1


def test_a_missing_column_is_named(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = layout.attention_table("rules")
    before = Path(path).read_bytes()
    change(path, lambda table: table.drop(columns="read"))
    assert report(SPEC) == 1
    assert capsys.readouterr().err.startswith(f"error: {path}: has no column 'read'")
    Path(path).write_bytes(before)
    assert report(SPEC) == 0


def test_without_attention_slide_3_is_left_out(workplace: Path) -> None:
    spec = copy.deepcopy(SPEC) | {"attention": None}
    draw(spec)
    assert report(spec) == 0
    assert "Attention pivot tables (slide 3)" not in headings()
    assert report(SPEC) == 0


def test_one_setting_with_one_head_is_enough(workplace: Path) -> None:
    """What is not there is not compared."""
    spec = copy.deepcopy(SPEC)
    spec["attention"] = {"level": spec["attention"]["level"] | {"heads": [2]}}
    assert report(spec) == 0
    assert "Attention pivot tables (slide 3)" in headings()
    assert report(SPEC) == 0
