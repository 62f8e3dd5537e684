"""The whole workflow: CPU and wall seconds by stage, and memory, of commits that take turns on one machine.

    python benchmarks/whole.py 946ed18 HEAD --json benchmarks/results/whole-cpu.json   # an hour
    python benchmarks/whole.py HEAD --kinds warm again --configfile config/smoke.yaml   # one commit, a part
    python benchmarks/whole.py --table --json benchmarks/results/whole-cpu.json         # what was measured

*cold*: a clone without results and without caches, so kernels are compiled. *warm*: without results, with the
caches of the run before it. *again*: with results, so there is nothing to do.

All commits run with the packages of the environment that runs this. A run that the JSON file has already is
left out: an interrupted measurement continues where it was. Compare CPU seconds; wall seconds are of an idle
machine only if it is one.

CPU is that of each process when it ends (a module that Python imports at start notes it): Snakemake's
benchmark files take samples, and a job of a second has none.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import measuring
import psutil

ROOT = Path(__file__).parents[1]
KINDS = ("cold", "warm", "again")
_NOTE = """
import atexit, json, os, resource, sys, time

def since_start():
    with open("/proc/self/stat") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")

def note():
    used = resource.getrusage(resource.RUSAGE_SELF)
    is_job = os.path.basename(os.path.dirname(sys.argv[0])) == "superposition_atlas"
    name = sys.argv[1] if is_job and sys.argv[1:] else os.path.basename(sys.argv[0])
    if name in ("__main__.py", "snakemake"):
        name = "snakemake"
    package = "superposition_atlas.cli"
    is_client = package + ".fork_request" in sys.modules and package + ".main" not in sys.modules
    if name == "fork_server.py" or is_client:
        name = "fork server"
    line = [name, used.ru_utime + used.ru_stime, since_start(), used.ru_maxrss / 1024]
    with open(os.environ["WHOLE_NOTES"], "a") as file:
        file.write(json.dumps(line) + "\\n")

atexit.register(note)
"""
"""As sitecustomize.py: each Python process notes command, CPU and wall seconds, and largest memory in MB.

`fork server`: the server of forks, and the processes that wait for a fork.
"""


def clone(repository: Path, commit: str, folder: Path) -> Path:
    """A clone of the repository at a commit; one that exists is used again."""
    path = folder / commit
    if not path.exists():
        subprocess.run(["git", "clone", "--quiet", "--shared", str(repository), str(path)], check=True)
        subprocess.run(["git", "-C", str(path), "checkout", "--quiet", "--detach", commit], check=True)
    return path


def measure(checkout: Path, kind: str, snakemake: Sequence[str], folder: Path) -> dict[str, Any]:
    """One run of Snakemake.

    Args:
        checkout: where.
        kind: of `KINDS`.
        snakemake: its arguments.
        folder: of caches and notes.

    Raises:
        SystemExit: if Snakemake fails.
    """
    caches, notes = folder / f"{checkout.name}-caches", folder / "notes"
    if kind == "cold":
        shutil.rmtree(caches, ignore_errors=True)
    if kind != "again":
        for name in ("results", ".snakemake"):
            shutil.rmtree(checkout / name, ignore_errors=True)
    notes.unlink(missing_ok=True)
    (folder / "sitecustomize.py").write_text(_NOTE)
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"} | {
        "PYTHONPATH": os.pathsep.join([str(checkout / "workflow/src"), str(folder)]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "XDG_CACHE_HOME": str(caches),
        "WHOLE_NOTES": str(notes),
    }
    log = folder / f"{checkout.name}-{kind}.log"
    command = [sys.executable, "-m", "snakemake", *snakemake]
    before, start, began = _cpu_of_children(), time.perf_counter(), time.time()
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=checkout, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            with _PeakMemory(process.pid) as peak:
                failed = process.wait()
        finally:
            process.terminate()  # else it would go on, and slow what is measured next
    if failed:
        sys.exit(f"error: {' '.join(command)} failed in {checkout}; see {log}")
    drawn = [path.stat().st_mtime - began for path in (checkout / "results/figures").glob("slide*.png")]
    return {
        "wall_seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(_cpu_of_children() - before, 1),
        "first_slide_seconds": round(min(drawn), 1) if drawn and kind != "again" else None,
        "peak_memory_mb": round(max(peak)),
        "stages": _stages(notes),
    }


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class _PeakMemory:
    """Samples of the memory of a process and all below it, twice a second, in MB.

    What processes share counts once: each has its part of it (the proportional set size).
    """

    def __init__(self, pid: int) -> None:
        self._root, self._ended, self._samples = psutil.Process(pid), threading.Event(), [0.0]

    def __enter__(self) -> list[float]:
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self._samples

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(0.5):
            self._samples.append(sum(self._sizes()) / 2**20)

    def _sizes(self) -> Iterator[int]:
        try:
            for process in [self._root, *self._root.children(recursive=True)]:
                yield process.memory_full_info().pss
        except psutil.NoSuchProcess:
            return


def _stages(notes: Path) -> dict[str, dict[str, float]]:
    """Number of processes, CPU and wall seconds of all, and largest memory, by command."""
    stages: dict[str, dict[str, float]] = {}
    for line in notes.read_text().splitlines():
        name, cpu, wall, megabytes = json.loads(line)
        stage = stages.setdefault(name, {"jobs": 0, "cpu_seconds": 0, "wall_seconds": 0, "largest_mb": 0})
        stage["jobs"] += 1
        stage["cpu_seconds"] += cpu
        stage["wall_seconds"] += wall
        stage["largest_mb"] = max(stage["largest_mb"], megabytes)
    return {
        name: {key: round(value, 1) for key, value in stage.items()}
        for name, stage in sorted(stages.items(), key=lambda item: -item[1]["cpu_seconds"])
    }


def table(record: Mapping[str, Any]) -> str:
    """Markdown: totals of each run, and CPU seconds of each command in the first run of each commit."""
    runs = record["runs"]
    lines = ["| commit | run | CPU s | wall s | first slide s | memory MB |", "|" + " --- |" * 6]
    lines += [
        f"| {run['commit']} | {run['kind']} | {run['cpu_seconds']} | {run['wall_seconds']} "
        f"| {run['first_slide_seconds'] or ''} | {run['peak_memory_mb']} |"
        for run in runs
    ]
    firsts = {(run["commit"], run["kind"]): run["stages"] for run in reversed(runs) if run["kind"] != "again"}
    columns = sorted(firsts, key=lambda key: [run["commit"] for run in runs].index(key[0]))
    names = sorted(
        {name for stages in firsts.values() for name in stages},
        key=lambda name: -max(stages.get(name, {}).get("cpu_seconds", 0) for stages in firsts.values()),
    )
    lines += ["", f"| CPU s of | {' | '.join(' '.join(key) for key in columns)} |"]
    lines.append("| --- |" + " ---: |" * len(columns))
    for name in names:
        cells = (firsts[key].get(name) for key in columns)
        texts = (f"{cell['cpu_seconds']} ({cell['jobs']:g})" if cell else "" for cell in cells)
        lines.append(f"| {name} | {' | '.join(texts)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU, wall seconds and memory of whole runs of commits.")
    parser.add_argument("commits", nargs="*", default=[], help="they take turns, in this order and back")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--configfile", nargs="+", default=[], help="as Snakemake takes them, in each clone")
    parser.add_argument("--targets", nargs="+", default=["all"])
    parser.add_argument("--repository", type=Path, default=ROOT)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "superposition-atlas-whole"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", action="store_true", help="print what the JSON file has, and run nothing")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: ended by SIGTERM"))
    path = arguments.json
    record: dict[str, Any] = (
        json.loads(path.read_text()) if path and path.exists() else measuring.machine(arguments.cores)
    )
    runs = record.setdefault("runs", [])
    if not arguments.table:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        options = ["--cores", str(arguments.cores)]
        options += ["--configfile", *arguments.configfile] if arguments.configfile else []
        named = [_short(arguments.repository, commit) for commit in arguments.commits]
        for turn in range(arguments.turns):
            for commit in named if turn % 2 == 0 else named[::-1]:
                for kind in arguments.kinds:
                    asked = {
                        "commit": commit,
                        "kind": kind,
                        "turn": turn,
                        "configfile": arguments.configfile,
                        "targets": arguments.targets,
                    }
                    if any(asked.items() <= run.items() for run in runs):
                        continue
                    checkout = clone(arguments.repository, commit, arguments.folder)
                    measured = measure(checkout, kind, [*options, "--", *arguments.targets], arguments.folder)
                    runs.append(asked | measured)
                    if path:
                        measuring.write(record, path)
    print(table(record))


def _short(repository: Path, commit: str) -> str:
    found = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "--short=7", f"{commit}^{{commit}}"],
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() or sys.exit(f"error: {commit}: no such commit in {repository}")


if __name__ == "__main__":
    main()
