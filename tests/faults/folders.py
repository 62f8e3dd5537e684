"""Folders that faults are let loose on, and whether what comes out is what an undisturbed run has made."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from superposition_atlas.figures import catalogue
from superposition_atlas.storage import checksums

from tests.workflow.conftest import Workflow, checkout

_NO_ARTEFACTS = ("logs", "benchmarks", "checkpoints")
_REPORT = ("report.pdf", "report.json")  # they show how long each stage took


def configured_checkout(folder: Path, name: str) -> Workflow:
    """A checkout with one of the configurations beside this module, unbuilt.

    `every` is that of the workflow's tests, in which every kind of artefact comes up.
    """
    folder.mkdir(parents=True)
    workflow = checkout(folder)
    if name == "every":
        workflow.edit("tiny.yaml", "    seeds: 4\n", "    seeds: 4\n    shards: 2\n")
    else:
        shutil.copyfile(Path(__file__).with_name(f"{name}.yaml"), folder / "tiny.yaml")
    # By default a minute lies between two checkpoints: no run here is as long.
    checkpoint = "--checkpoint {params.checkpoint:q} --output"
    workflow.edit("workflow/rules/train.smk", checkpoint, f"--checkpoint-seconds 0.1 {checkpoint}")
    return workflow


def copied(reference: Workflow, folder: Path, built: bool) -> Workflow:
    """A copy of a checkout, dates and compiled code included, with or without what was built there."""
    left_out = shutil.ignore_patterns(*(() if built else ("results", ".snakemake")))
    shutil.copytree(reference.folder, folder, ignore=left_out)
    return Workflow(folder)


def artefacts(workflow: Workflow) -> dict[str, bytes]:
    """All files of results/ but logs, measured times, checkpoints and the report."""
    results = workflow.folder / "results"
    found = {}
    for path in sorted(results.rglob("*")):
        place = path.relative_to(results)
        if path.is_file() and place.parts[0] not in _NO_ARTEFACTS and place.name not in _REPORT:
            found[str(place)] = path.read_bytes()
    return found


def set_report(workflow: Workflow, reference: Workflow) -> dict[str, bytes]:
    """The report set again with the times of the reference, which are all that may differ."""
    spec = _report_spec(reference)
    folder = workflow.folder / "report-set-again"
    if folder.exists() and workflow.folder == reference.folder:
        return {name: (folder / name).read_bytes() for name in _REPORT}
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "superposition_atlas", "report", "--spec", spec),
            *("--template", "workflow/report/report.typ", "--captions", "workflow/report/captions"),
            *("--published", catalogue.PUBLISHED_NORMS, "--prospective", "docs/prospective/summary.csv"),
            *("--citation", "CITATION.cff", "--results", "results"),
            *("--benchmarks", str(reference.folder / "results" / "benchmarks")),
            *("--output", str(folder / "report.pdf")),
        ],
        cwd=workflow.folder,
        env=workflow.environment,
        check=True,
        capture_output=True,
    )
    return {name: (folder / name).read_bytes() for name in _REPORT}


def _report_spec(reference: Workflow) -> str:
    document = json.loads((reference.folder / "results" / "report.json").read_text(encoding="utf-8"))
    return json.dumps(document["superposition_atlas"]["spec"])


def differences(workflow: Workflow, reference: Workflow) -> list[str]:
    """What is not as the undisturbed run has it, a line each; empty if all is the same, byte for byte."""
    here, there = artefacts(workflow), artefacts(reference)
    found = [f"{name}: missing" for name in there.keys() - here.keys()]
    found += [f"{name}: too many" for name in here.keys() - there.keys()]
    found += [f"{name}: differs" for name in here.keys() & there.keys() if here[name] != there[name]]
    for name in _REPORT:
        path = workflow.folder / "results" / name
        reason = checksums.flaw(path) if path.is_file() else "missing"
        found += [f"{name}: {reason}"] if reason else []
    if not found and set_report(workflow, reference) != set_report(reference, reference):
        found.append("the report: differs in more than times")
    return sorted(found)
