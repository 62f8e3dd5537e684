"""A copy of the repository in a folder of its own, with the whole chain built once at the smallest size."""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "Snakefile",
    "workflow",
    "config",
    "profiles",
    "environment.yml",
    "pyproject.toml",
    "CITATION.cff",
    "docs/prospective",
)
TINY = ROOT / "tests" / "workflow" / "tiny.yaml"


@dataclass(frozen=True)
class Workflow:
    """A checkout that Snakemake runs in, with the package imported from there."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        # This very Python first, and the package of this folder before any installed one.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        package = str(self.folder / "workflow" / "src")
        return {**os.environ, "PATH": path, "PYTHONPATH": package}

    def command(self, *arguments: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            "2",
            "--configfile",
            "tiny.yaml",
            "--nocolor",
            *arguments,
        ]

    def run(self, *arguments: str, within: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*within, *self.command(*arguments)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )

    def planned(self, *arguments: str) -> dict[str, set[str]]:
        """What a run would make: rule to output files; empty if there is nothing to do."""
        dry = self.run("--dry-run", *arguments)
        assert dry.returncode == 0, dry.stdout + dry.stderr
        plan: dict[str, set[str]] = {}
        rule = ""
        for line in (dry.stdout + dry.stderr).splitlines():
            if match := re.match(r"(?:local)?rule (\w+):", line):
                rule = match[1]
                plan.setdefault(rule, set())
            elif match := re.match(r" {4}output: (.*)", line):
                plan[rule].update(match[1].split(", "))
        plan.pop("all", None)
        return plan

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1))

    def copy(self, folder: Path) -> "Workflow":
        """Another checkout of the same state, results and Snakemake's memory included, all dates new."""
        shutil.copytree(self.folder, folder, copy_function=shutil.copyfile)
        return Workflow(folder)


def checkout(folder: Path) -> Workflow:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, folder / name)
    shutil.copy(TINY, folder / "tiny.yaml")
    return Workflow(folder)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Workflow:
    """Built once, by whichever of pytest's workers comes first; tests that change it take a `workflow`."""
    mine = tmp_path_factory.getbasetemp()
    folder = (mine if worker_id == "master" else mine.parent) / "built"
    said = folder.with_suffix(".txt")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            folder.mkdir()
            result = checkout(folder).run("all", within=without_network())
            said.write_text("" if result.returncode == 0 else result.stdout + result.stderr or "it failed")
    assert not said.read_text(), said.read_text()
    return Workflow(folder)


def without_network() -> tuple[str, ...]:
    """The start of a command that runs the rest without any network; empty where that is not allowed."""
    for command in (("unshare", "--net"), ("unshare", "--map-root-user", "--net")):
        with contextlib.suppress(OSError):
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
    return ()


@pytest.fixture
def workflow(built: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the built one, to change at will."""
    return built.copy(tmp_path / "clone")


@pytest.fixture
def unbuilt(tmp_path: Path) -> Workflow:
    """A checkout without results."""
    return checkout(tmp_path)
