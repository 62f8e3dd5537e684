"""What goes wrong is said in one line that names it, costs time at most, and is never taken for a result."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml
from superposition_atlas import storage

from .conftest import Workflow

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("experiments: {talk: {n_hidden: 0}}", ("experiments.talk.n_hidden", "0")),
        ("experiments: {talk: {steps: 5}}", ("experiments.talk.steps", "unknown key")),
        (
            "experiments: {talk: {probability: {family: linear, first: 1.5, last: 0.1}}}",
            ("experiments.talk.probability.first", "1.5"),
        ),
        ("experiments: {talk: {cases: {'a; touch x': {}}}}", ("experiments.talk.cases", "a; touch x")),
        ("experiments: {talk: {cases: {'../up': {}}}}", ("experiments.talk.cases", "../up")),
        ("experiments: {talk: {seeds: 4}, talk: {seeds: 5}}", ("wrong.yaml", "twice")),
    ],
)
def test_a_wrong_config_is_one_line_and_writes_nothing(
    unbuilt: Workflow, wrong: str, named: tuple[str, ...]
) -> None:
    (unbuilt.folder / "wrong.yaml").write_text(wrong)
    result = unbuilt.run("--configfile", "wrong.yaml", "--", "all")
    assert result.returncode != 0
    said = result.stdout + result.stderr
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    for part in named:
        assert part in line
    assert "Traceback" not in said
    assert not (unbuilt.folder / "results").exists()


def test_a_killed_run_finishes_with_the_same_command(unbuilt: Workflow) -> None:
    process = subprocess.Popen(
        unbuilt.command("results/metrics/talk/models.parquet"),
        cwd=unbuilt.folder,
        env=unbuilt.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    models = unbuilt.folder / "results" / "models" / "talk"
    while process.poll() is None and not (models.is_dir() and any(models.iterdir())):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (unbuilt.folder / "results/metrics/talk/models.parquet").exists()
    unbuilt.run("--unlock")
    result = unbuilt.run("results/metrics/talk/models.parquet")
    assert result.returncode == 0, result.stdout + result.stderr
    table = storage.read_table(unbuilt.folder / "results/metrics/talk/models.parquet", ["case", "seed"])
    assert len(table) == 4 * 4


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("results/metrics/talk/cases/case2/features.parquet", "Parquet"),
        ("results/models/talk/case2.safetensors", "safetensors"),
    ],
)
def test_a_truncated_artefact_is_named_and_not_read(workflow: Workflow, file: str, kind: str) -> None:
    path = workflow.folder / file
    path.write_bytes(path.read_bytes()[:-100])
    result = workflow.run("results/claims.parquet")
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert f"error: {file}: not a whole {kind} file" in said
    assert "Traceback" not in said
    path.unlink()
    again = workflow.run("results/claims.parquet")
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_missing_column_breaks_the_report(workflow: Workflow) -> None:
    path = workflow.folder / "results/metrics/talk/models.parquet"
    provenance = storage.table_provenance(path)
    table: pd.DataFrame = storage.read_table(path)
    storage.write_table(table.drop(columns="n_represented_l1"), path, provenance)
    result = workflow.run("results/report.pdf")
    assert result.returncode != 0
    assert (
        "results/metrics/talk/models.parquet: has no column 'n_represented_l1'"
        in result.stdout + result.stderr
    )
    assert not (workflow.folder / "results/report.pdf").exists()


def test_explain_names_what_a_result_was_made_from(built: Workflow) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "superposition_atlas", "explain", "results/models/talk/case2.safetensors"],
        cwd=built.folder,
        env=built.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    provenance = json.loads(said.stdout)
    assert provenance["spec"]["case"] == "case2"
    assert provenance["spec"]["training"]["steps"] == 100
    assert {"code", "engine", "versions"} <= set(provenance)


OWN = """
  mine:
    title: 'Braces {wildcards.case}, $\\mathbb{R}^2$, {{ 7*7 }}, #emph[x], $(touch pwned)'
    n_features: 3
    n_hidden: 2
    seeds: [4, 7]
    claims: true
    training: {steps: 20, batch_size: 3}
    cases: {first: {}, second: {probability: {family: zipf, first: 0.9, exponent: 1.0}}}
"""


def test_an_experiment_of_ones_own_alone_ends_in_a_report(unbuilt: Workflow) -> None:
    configured = yaml.safe_load((unbuilt.folder / "config/config.yaml").read_text())["experiments"]
    nothing_else = "".join(f"  {name}: null\n" for name in configured)
    (unbuilt.folder / "tiny.yaml").write_text(
        f"maps: null\nplayground: null\nattention: null\nexperiments:\n{nothing_else}{OWN}"
    )
    assert unbuilt.planned("all")["train"] == {
        f"results/models/mine/{case}.safetensors" for case in ("first", "second")
    }
    for claims in ("true", "false"):
        unbuilt.edit("tiny.yaml", "claims: true", f"claims: {claims}")
        result = unbuilt.run("all")
        assert result.returncode == 0, result.stdout + result.stderr
        assert (unbuilt.folder / "results/report.pdf").read_bytes().startswith(b"%PDF")
        assert not (unbuilt.folder / "pwned").exists()


def test_another_family_replaces_the_keys_of_the_one_before(unbuilt: Workflow) -> None:
    (unbuilt.folder / "tiny.yaml").write_text(
        "experiments: {talk: {probability: {family: zipf, first: 0.9, exponent: 1.0}}}"
    )
    assert "results/models/talk/case1.safetensors" in unbuilt.planned("all")["train"]


def test_a_damaged_figure_is_named(workflow: Workflow) -> None:
    figure = workflow.folder / "results/figures/slide11_cases.svg"
    figure.write_bytes(figure.read_bytes()[:-100])
    result = workflow.run("all")
    assert result.returncode != 0
    assert "error: results/figures/slide11_cases.svg: not a whole SVG file" in result.stdout + result.stderr


def test_snakemakes_own_report_has_the_figures(workflow: Workflow) -> None:
    result = workflow.run("report_zip")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (workflow.folder / "results/report.zip").read_bytes().startswith(b"PK")
