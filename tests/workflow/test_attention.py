"""Slide 3 in the workflow: what a change of its settings makes again, and that it can be left out."""

import pytest

from .conftest import Workflow

pytestmark = pytest.mark.workflow

PACKAGE = "workflow/src/superposition_atlas"
DRAWN = {"figure_pivot_tables", "figure_attention_rare", "report"}


def test_another_training_rebuilds_slide_3_only(workflow: Workflow) -> None:
    workflow.edit("tiny.yaml", "    steps: 20\n", "    steps: 21\n")
    assert set(workflow.planned("all")) == {"attention", "pivot_tables", *DRAWN}


def test_a_title_trains_nothing(workflow: Workflow) -> None:
    workflow.edit("tiny.yaml", "  uniform: &attention\n", "  uniform: &attention\n    title: Another\n")
    assert set(workflow.planned("all")) == DRAWN


def test_what_is_measured_trains_nothing(workflow: Workflow) -> None:
    workflow.edit(f"{PACKAGE}/attention/cell_tables.py", "N_SEQUENCES = 2048", "N_SEQUENCES = 1024")
    assert set(workflow.planned("all")) == {"pivot_tables", *DRAWN}


def test_left_out_it_leaves_nothing_behind(workflow: Workflow) -> None:
    text = (workflow.folder / "tiny.yaml").read_text()
    before, _, after = text.partition("attention:\n")
    kept = [line for line in after.splitlines() if not line.startswith(" ")]
    (workflow.folder / "tiny.yaml").write_text("\n".join([before, "attention: null", *kept, ""]))
    assert set(workflow.planned("all")) == {"report"}
