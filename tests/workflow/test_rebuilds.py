"""What is made, and above all what is made again: by content, never by date."""

import os
import re
from pathlib import Path

import pytest

from .conftest import Workflow

pytestmark = pytest.mark.workflow

PACKAGE = "workflow/src/superposition_atlas"


def files_below(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def outputs(plan: dict[str, set[str]]) -> set[str]:
    return set().union(*plan.values())


def test_everything_is_built_from_an_empty_tree(built: Workflow) -> None:
    results = built.folder / "results"
    assert (results / "report.pdf").read_bytes().startswith(b"%PDF")
    for slide in ("03", "04", "05", "06", "07", "09", "10", "11", "12", "13", "14", "15", "16"):
        if slide == "05":  # its toy models belong to the experiment that the tiny configuration leaves out
            continue
        for kind in ("svg", "png"):
            figures = list((results / "figures").glob(f"slide{slide}_*.{kind}"))
            assert len(figures) == (2 if slide in ("04", "10") else 1)
            assert all(figure.stat().st_size > 1000 for figure in figures)
    assert (results / "figures/slide10_sae_animation.gif").read_bytes().startswith(b"GIF89a")
    for artefact in (
        "schedules/talk.parquet",
        "models/talk/case2.safetensors",
        "saes/talk/case2/relu_simple.safetensors",
        "metrics/talk/models.parquet",
        "metrics/talk/features.parquet",
        "metrics/talk/saes.parquet",
        "metrics/talk/latents.parquet",
        "attention/rare/heads_2.safetensors",
        "attention/cells.parquet",
        "metrics/talk/losses.parquet",
        "claims.parquet",
        "maps/atlas/models.parquet",
        "playground/runs.parquet",
    ):
        assert (results / artefact).is_file(), artefact


def test_all_asks_for_every_job(unbuilt: Workflow) -> None:
    plan = unbuilt.planned("all")
    rules = {"schedules", "train", "saes", "features", "recovery", "collect", "claims", "report"}
    assert rules <= set(plan)
    assert {
        f"results/models/talk/{case}.safetensors" for case in ("case1", "case2", "case5", "uniform")
    } <= plan["train"]


def test_again_is_nothing_to_do(built: Workflow) -> None:
    again = built.run("all")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout + again.stderr


def test_a_fresh_clone_with_results_copied_in_and_touched_rebuilds_nothing(workflow: Workflow) -> None:
    for path in files_below(
        workflow.folder / "workflow", workflow.folder / "config", workflow.folder / "results"
    ):
        os.utime(path)
    assert workflow.planned("all") == {}


def test_comments_docstrings_and_layout_rebuild_nothing(workflow: Workflow) -> None:
    for path in files_below(workflow.folder / PACKAGE):
        if path.suffix == ".py":
            text = path.read_text()
            text = re.sub(r'\A(?:""".*?"""\n)', '"""Another docstring."""\n', text, count=1, flags=re.DOTALL)
            path.write_text(text + "\n\n# another comment\n")
    assert workflow.planned("all") == {}


def test_a_change_in_what_one_figure_draws_rebuilds_that_figure_and_the_report(workflow: Workflow) -> None:
    workflow.edit(f"{PACKAGE}/figures/draw/cases.py", "def draw(", "SOMETHING_ELSE = 1\n\n\ndef draw(")
    plan = workflow.planned("all")
    assert set(plan) == {"figure_cases", "report"}
    assert plan["figure_cases"] == {"results/figures/slide11_cases.svg", "results/figures/slide11_cases.png"}


def test_a_change_in_one_case_rebuilds_its_chain_only(workflow: Workflow) -> None:
    workflow.edit(
        "tiny.yaml",
        "uniform: {probability: {count: 4}}",
        "uniform: {probability: {count: 4}}, case2: {importance: {family: constant, value: 1.0}}",
    )
    workflow.edit("tiny.yaml", "uniform: null}", "uniform: null, case2: {importance: base}}")
    plan = workflow.planned("all")
    assert plan["train"] == {"results/models/talk/case2.safetensors"}
    assert plan["saes"] == {"results/saes/talk/case2/relu_simple.safetensors"}
    assert plan["features"] == {
        f"results/metrics/talk/cases/case2/{table}.parquet" for table in ("models", "features")
    }
    alone = [path for path in outputs(plan) if re.search("case1|case5|uniform|wide", path)]
    assert [path for path in alone if "wide_frobenius" not in path] == []


def test_more_seeds_train_the_new_ones_only(workflow: Workflow) -> None:
    workflow.edit("tiny.yaml", "    seeds: 4\n", "    seeds: 6\n    shards: 2\n")
    result = workflow.run("results/models/talk/case2.safetensors")
    assert result.returncode == 0, result.stdout + result.stderr
    logs = sorted((workflow.folder / "results/logs/train/talk/case2").iterdir())
    said = [re.findall(r"trains (\d+) of \d+ toy models, (\d+) are there", log.read_text()) for log in logs]
    assert len(said) == 2
    assert [sum(int(pair[index]) for [pair] in said) for index in (0, 1)] == [2, 4]


def test_a_network_of_slide_4_trains_slide_4_only(workflow: Workflow) -> None:
    workflow.edit("tiny.yaml", "spiral: {seeds: 2, steps: 20}", "spiral: {seeds: 2, steps: 20, noise: 5}")
    slide_4 = {"playground", "figure_playground", "figure_playground_data_sets"}
    assert set(workflow.planned("all")) == {*slide_4, "report"}


def test_a_title_of_slide_4_trains_nothing(workflow: Workflow) -> None:
    workflow.edit("tiny.yaml", "spiral: {seeds: 2, steps: 20}", "spiral: {seeds: 2, steps: 20, title: Coil}")
    assert set(workflow.planned("all")) == {"figure_playground", "figure_playground_data_sets", "report"}


def test_a_title_trains_nothing(workflow: Workflow) -> None:
    workflow.edit("tiny.yaml", "    seeds: 4\n", "    seeds: 4\n    title: Another title\n")
    plan = workflow.planned("all")
    assert plan
    assert not {"train", "saes", "features", "recovery"} & set(plan)


def test_a_new_case_trains_that_case_only(workflow: Workflow) -> None:
    workflow.edit(
        "tiny.yaml",
        "uniform: {",
        "mine: {probability: {family: zipf, first: 0.9, exponent: 1.0}}, uniform: {",
    )
    plan = workflow.planned("all")
    assert plan["train"] == {"results/models/talk/mine.safetensors", "results/models/wide/mine.safetensors"}
    assert "results/figures/mine_plane.svg" in outputs(plan)


def test_a_deleted_figure_is_drawn_again_and_nothing_else_but_the_report(workflow: Workflow) -> None:
    (workflow.folder / "results/figures/slide11_cases.png").unlink()
    assert set(workflow.planned("all")) == {"figure_cases", "report"}


def test_changed_training_code_trains_again(workflow: Workflow) -> None:
    workflow.edit(f"{PACKAGE}/toy_model.py", "sqrt(2.0 / (", "sqrt(2.5 / (")
    plan = workflow.planned("all")
    assert len(plan["train"]) == 7
    assert "schedules" in plan  # the description of training is part of the schedules' file
