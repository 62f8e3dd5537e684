"""What goes wrong is said in one line that names it, costs time at most, and is never taken for a result."""

import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from superposition_atlas.cli.main import COMMANDS, main
from superposition_atlas.storage import layout
from superposition_atlas.storage.lock import lock_folder
from superposition_atlas.storage.parquet import read_table, table_provenance, write_table

from .conftest import Workflow

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("experiments: {talk: {n_hidden: 0}}", ("experiments.talk.n_hidden", "0")),
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
    table = read_table(unbuilt.folder / "results/metrics/talk/models.parquet", ["case", "seed"])
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
    provenance = table_provenance(path)
    table: pd.DataFrame = read_table(path)
    write_table(table.drop(columns="n_dedicated"), path, provenance)
    result = workflow.run("results/report.pdf")
    assert result.returncode != 0
    assert "results/metrics/talk/models.parquet: has no column 'n_dedicated'" in result.stdout + result.stderr
    assert not (workflow.folder / "results/report.pdf").exists()


def test_explain_names_what_any_result_was_made_from(
    built: Workflow, capsys: pytest.CaptureFixture[str]
) -> None:
    explained = set()
    for path in sorted((built.folder / "results").rglob("*")):
        if path.is_dir() or path.suffix in (".log", ".tsv"):
            continue
        assert main(["explain", str(path)]) == 0, capsys.readouterr().err
        said = json.loads(capsys.readouterr().out)
        assert said["spec"], path
        assert said.keys() >= {"code", "engine", "versions", "rebuild"}, path
        assert said.get("code_is_that_of_here", said["made_by"] is None), path
        explained.add(said["made_by"])
    # Every command that writes results has written some.
    # join-models writes what train would; no rule calls prospective; one architecture has none beside it.
    others = {"check-config", "explain", "export", "join-models", "prospective", "compare-saes"}
    others |= {"summary", "targets"}  # which print
    # Of the sections of further papers there is one.
    sections = [one for one in layout.ENTRIES.values() if {*one.tables} <= {*layout.SECTION_TABLES}]
    others |= {str(one.command) for one in sections if one.tables} - {"pairs"}
    assert explained == {name.replace("-", "_") for name in COMMANDS.keys() - others} | {None}


@pytest.mark.parametrize("name", ["notes.txt", "foreign.png", "empty.parquet", "missing.svg"])
def test_explain_says_in_a_line_that_it_knows_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if name != "missing.svg":
        path.write_bytes(b"" if "empty" in name else b"something else")
    assert main(["explain", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {path}: ")
    assert said.count("\n") == 1
    assert "delete" not in said


OWN = """
  mine:
    title: '😀 Braces {wildcards.case}, {x}, $\\mathbb{R}^2$, {{ 7*7 }}, #emph[x], $(touch pwned)'
    n_features: 3
    n_hidden: 2
    seeds: [4, 7]
    claims: true
    training: {steps: 20, batch_size: 3, learning_rate: 5.0e-05}
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
    # It gives the configuration as JSON, in which 5.0e-05 has no dot and the title's first character is two.
    result = unbuilt.run("report_zip")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (unbuilt.folder / "results/report.zip").is_file()


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


def test_what_nothing_reads_is_checked_as_well(workflow: Workflow) -> None:
    """The dates are as they were, so that nothing but a look inside can tell."""
    harmed = [
        "results/figures/slide11_cases.png",
        "results/models/talk/case2.safetensors",
        "results/report.pdf",
    ]
    for name in harmed:
        path = workflow.folder / name
        before, content = path.stat(), bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    result = workflow.run("all")
    assert result.returncode != 0
    (line,) = [line for line in (result.stdout + result.stderr).splitlines() if line.startswith("error: ")]
    for name in harmed:
        assert name in line
    for name in harmed:
        (workflow.folder / name).unlink()
    plan = workflow.planned("all")
    assert {"figure_cases", "report"} <= set(plan)
    assert plan["train"] == {"results/models/talk/case2.safetensors"}


def test_whole_files_in_each_others_places_are_named(workflow: Workflow) -> None:
    swapped = [
        ("results/models/talk/case1.safetensors", "results/models/talk/case2.safetensors"),
        (
            "results/maps/atlas/weights/shard=0/part.parquet",
            "results/maps/atlas/weights/shard=1/part.parquet",
        ),
        ("results/figures/slide11_cases.png", "results/figures/slide12_all_cases.png"),
        ("results/figures/slide11_cases.svg", "results/figures/slide12_all_cases.svg"),
    ]
    for pair in swapped:
        one, other = (workflow.folder / name for name in pair)
        aside = one.rename(workflow.folder / "aside")
        other.rename(one)
        aside.rename(other)
    result = workflow.run("all")
    assert result.returncode != 0
    (line,) = [line for line in (result.stdout + result.stderr).splitlines() if line.startswith("error: ")]
    assert "written as another file of results/" in line
    assert "delete" not in line
    for pair in swapped:
        assert all(name in line for name in pair)


def test_results_that_nobody_remembers_are_refused(workflow: Workflow) -> None:
    shutil.rmtree(workflow.folder / ".snakemake")
    result = workflow.run("all", "--dry-run")
    assert result.returncode != 0
    assert "does not say which configuration made them" in result.stdout + result.stderr


def test_results_without_records_are_adopted_once_and_followed_from_then_on(workflow: Workflow) -> None:
    """A colleague's results, copied without `.snakemake/` and with all dates new."""
    shutil.rmtree(workflow.folder / ".snakemake")
    other = workflow.folder / "other.yaml"
    other.write_text("experiments: {talk: {title: Another}}", encoding="utf-8")
    wrong = workflow.run("--configfile", "tiny.yaml", "other.yaml", "--touch", "--forceall", "--", "all")
    assert wrong.returncode != 0
    assert "is of another configuration" in wrong.stdout + wrong.stderr
    adopted = workflow.run("--touch", "--forceall", "all")
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    assert "are of this configuration and this code" in adopted.stderr
    assert workflow.planned("all") == {}
    workflow.edit("tiny.yaml", "learning_rate: 0.01", "learning_rate: 0.02")
    assert "train" in workflow.planned("all")


def test_two_runs_at_once_are_refused(workflow: Workflow) -> None:
    (workflow.folder / "results/report.pdf").unlink()
    lock_folder(workflow.folder)
    result = workflow.run("all")
    assert result.returncode != 0
    assert "another run is at work here; wait for it, or end it" in result.stdout + result.stderr
    assert not (workflow.folder / "results/report.pdf").exists()


def test_snakemakes_own_report_has_the_figures(workflow: Workflow) -> None:
    result = workflow.run("report_zip")
    assert result.returncode == 0, result.stdout + result.stderr
    with zipfile.ZipFile(workflow.folder / "results/report.zip") as packed:
        names = {Path(name).name for name in packed.namelist()}
    for folder in ("results/figures", "results"):
        for path in (workflow.folder / folder).iterdir():
            if path.suffix in (".png", ".gif", ".pdf"):
                assert path.name in names
