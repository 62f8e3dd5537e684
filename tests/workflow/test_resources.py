"""What jobs ask a scheduler for: more than they take, not more than nodes have, and more when tried again."""

import csv
import re

import pytest

from .conftest import Workflow

pytestmark = pytest.mark.workflow

SNAKEMAKE = 400
"""MB of the two Snakemakes around a job's command on a cluster."""

Asked = dict[str, tuple[int, int]]
"""MB and minutes by a job's benchmark file, which every job has."""


def asked(workflow: Workflow, *arguments: str) -> Asked:
    dry = workflow.run("--dry-run", "--forceall", *arguments)
    assert dry.returncode == 0, dry.stdout + dry.stderr
    found, benchmark = {}, ""
    for line in dry.stdout.splitlines() + dry.stderr.splitlines():
        if match := re.match(r" {4}benchmark: (.*)", line):
            benchmark = match[1]
        elif line.startswith("    resources: ") and "mem_mb" in line:
            resources = dict(re.findall(r"\b(mem_mb|runtime)=(\d+)", line))
            found[benchmark] = int(resources["mem_mb"]), int(resources["runtime"])
    assert found
    return found


@pytest.fixture(scope="module")
def first(built: Workflow) -> Asked:
    return asked(built, "--configfile", "tiny.yaml", "--", "all")


def test_every_job_takes_less_memory_than_it_asks_for(built: Workflow, first: Asked) -> None:
    taken = {}
    for benchmark in first:
        with (built.folder / benchmark).open() as file:
            (row,) = csv.DictReader(file, delimiter="\t")
        taken[benchmark] = float(row["max_rss"]) if row["max_rss"] != "NA" else 0.0
    assert {name: rss for name, rss in taken.items() if rss + SNAKEMAKE > first[name][0]} == {}
    assert max(taken.values()) > 100, "else nothing was measured"


def test_every_job_asks_for_as_much_again_at_each_attempt(built: Workflow, first: Asked) -> None:
    second = asked(built, "--attempt", "2", "--configfile", "tiny.yaml", "--", "all")
    assert second == {name: (2 * memory, 2 * minutes) for name, (memory, minutes) in first.items()}


def test_an_ordinary_node_has_what_the_talk_asks_for(unbuilt: Workflow) -> None:
    (unbuilt.folder / "tiny.yaml").write_text("{}")
    most = asked(unbuilt, "--", "all")
    assert max(memory for memory, _ in most.values()) <= 4000
    assert max(minutes for _, minutes in most.values()) <= 60
