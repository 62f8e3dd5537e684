"""Injects faults, counts what comes of them, and writes the table of docs/faults.md.

    python -m tests.faults.inject --folder /tmp/faults                      # everything: an hour on two cores
    python -m tests.faults.inject --folder /tmp/faults --cases damage --count 6
    python -m tests.faults.inject --folder /tmp/faults --count 0 --table docs/faults.md

Outcomes are kept in FOLDER/outcomes.jsonl: what has been tried is not tried again. Small disks are mounted,
which takes root. Exit status 1 if an outcome is wrong; the folder of that trial is kept.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from superposition_atlas.errors import AtlasError
from superposition_atlas.storage.lock import lock_folder

from tests.faults.folders import configured_checkout
from tests.faults.slurm_trials import cancel_job, kill_slurmd
from tests.faults.trials import CASES as ON_ONE_MACHINE
from tests.faults.trials import FOREIGN, MESSAGE, SAME, WRONG, Outcome, Place
from tests.workflow.cluster import missing
from tests.workflow.conftest import Workflow

ON_SLURM = {
    "cancel_job": (cancel_job, 4, "short", "a job of Slurm's is cancelled (scancel) at a random moment"),
    "kill_slurmd": (
        kill_slurmd,
        4,
        "short",
        "slurmd is killed (SIGKILL) while a job runs, and comes back",
    ),
}
CASES = ON_ONE_MACHINE | ON_SLURM
_NOT_COUNTED = "not counted"
_START, _END = "<!-- table: faults -->\n", "<!-- end of table -->"


def main() -> int:
    parser = argparse.ArgumentParser(description="Injects faults and counts what comes of them.")
    parser.add_argument("--folder", required=True, type=Path, help="a scratch folder, kept")
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--count", type=int, help="how many of each case; by default as the table has them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no new trial after so long")
    parser.add_argument("--table", type=Path, help="the page whose table is written")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: ended; the same command goes on"))
    names = arguments.cases.split(",")
    if unknown := set(names) - set(CASES):
        parser.error(f"--cases {unknown.pop()}: allowed is one of {', '.join(CASES)}")
    if os.geteuid() != 0:
        parser.error("small disks can be mounted by root only")
    try:
        lock_folder(arguments.folder)
    except AtlasError as error:
        sys.exit(f"error: {error}")
    begun = time.monotonic()
    outcomes = arguments.folder / "outcomes.jsonl"
    kept = [json.loads(line) for line in outcomes.read_text().splitlines()] if outcomes.exists() else []
    tried = {(row["case"], row["index"]) for row in kept}
    for name in names:
        if name in ON_SLURM and (reason := missing()):
            print(f"{name} is left out: {reason}", file=sys.stderr)
            continue
        trial, count, configuration, _ = CASES[name]
        reference, seconds = undisturbed(arguments.folder, configuration)
        for index in range(count if arguments.count is None else arguments.count):
            if (name, index) in tried or time.monotonic() - begun > arguments.seconds:
                continue
            folder = emptied(arguments.folder / "trial")
            dice = random.Random(f"{arguments.seed} {name} {index}")
            place = Place(reference, folder, seconds, dice)
            today, started = date.today(), time.monotonic()
            try:
                outcome = trial(place, index)
            except Exception:
                # Whatever it is counts as wrong, and ends in exit status 1; the other trials, an hour of them
                # that nobody watches, go on.
                outcome = Outcome("the trial itself failed", WRONG, traceback.format_exc()[-1500:])
            row = {"case": name, "index": index, "date": str(today)}
            row |= {"seconds": round(time.monotonic() - started, 1)} | asdict(outcome)
            kept.append(row)
            with outcomes.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            print(json.dumps(row, ensure_ascii=False), flush=True)
            if outcome.outcome == WRONG:
                folder.rename(arguments.folder / f"wrong-{name}-{index}-{time.time():.0f}")
    if arguments.table:
        text = arguments.table.read_text(encoding="utf-8")
        head, _, rest = text.partition(_START)
        arguments.table.write_text(head + _START + table(kept) + _END + rest.partition(_END)[2], "utf-8")
    return int(any(row["outcome"] == WRONG for row in kept))


def undisturbed(scratch: Path, configuration: str) -> tuple[Workflow, float]:
    """The reference, built once for the code as it is now; and what that took, in seconds."""
    folder = scratch / f"undisturbed-{configuration}"
    took, made_of = folder / "seconds", folder / "digest"
    workflow = configured_checkout(emptied(scratch / "trial") / "checkout", configuration)
    digest = digest_of(workflow.folder)
    if not took.exists() or not made_of.exists() or made_of.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
        # Kills are spread over the time of a run whose kernels are compiled already.
        for _ in range(2 if configuration == "short" else 1):
            for name in ("results", ".snakemake"):
                shutil.rmtree(workflow.folder / name, ignore_errors=True)
            started = time.monotonic()
            result = workflow.run("all")
            if result.returncode:
                sys.exit(f"error: the undisturbed run fails: {result.stdout}{result.stderr}")
        (workflow.folder / "seconds").write_text(str(time.monotonic() - started))
        (workflow.folder / "digest").write_text(digest)
        workflow.folder.rename(folder)
    return Workflow(folder), float(took.read_text())


def digest_of(folder: Path) -> str:
    """Of all files and their names: the code under test and its configuration."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name} {hashlib.sha256(files[name].read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def table(rows: list[dict[str, Any]]) -> str:
    """What was tried, how often, and what came of it, as Markdown."""
    lines = [
        "| fault | tried | the same command went on | one message, then the same command "
        "| Snakemake's own error, then the same command | wrong |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    total: Counter[str] = Counter()
    for name, (_, _, _, description) in CASES.items():
        found: Counter[str] = Counter()
        for row in rows:
            if row["case"] == name:
                faults = row.get("faults", 1)
                # What is wrong counts, whether or not a fault had been made by then.
                found[row["outcome"]] += max(faults, 1) if row["outcome"] == WRONG else faults
                found[_NOT_COUNTED] += faults == 0 and row["outcome"] != WRONG
        total += found
        lines.append(row_of(description, found))
    lines.append(row_of("all", total))
    packages = ("snakemake", "numpy", "numba", "torch", "pyarrow", "matplotlib", "typst")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    lines.append("")
    lines.append(
        f"*Counted {days_of(rows)} on {platform.system()} ({os.cpu_count()} cores), "
        f"Python {platform.python_version()}, {versions}.*"
    )
    return "\n".join([*lines, "", ""])


def row_of(name: str, found: Counter[str]) -> str:
    counts = [found[outcome] for outcome in (SAME, MESSAGE, FOREIGN, WRONG)]
    if late := found[_NOT_COUNTED]:
        name += f" ({late} more not counted: over before the fault)"
    return f"| {name} | {' | '.join(map(str, [sum(counts), *counts]))} |"


def days_of(rows: list[dict[str, Any]]) -> str:
    """When the trials were, from the first to the last."""
    ours = [row for row in rows if row["case"] in CASES]
    days = sorted({row["date"] for row in ours if "date" in row})
    if not days:
        return "on days not kept"
    span = " to ".join(dict.fromkeys((days[0], days[-1])))
    return span if all("date" in row for row in ours) else f"{span} and on days not kept"


if __name__ == "__main__":
    sys.exit(main())
