"""The chain on a real Slurm of one node: what it asks for, and what happens when that was too little."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from superposition_atlas.storage.model_files import read_models

from .cluster import ACCOUNT, Cluster, missing, running_cluster
from .conftest import Workflow

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.slurm,
    pytest.mark.xdist_group("slurm"),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]

WITHOUT_ACCOUNTS = "--slurm-status-command squeue --slurm-no-account"
# It may be asked every second.
SOON = "--slurm-init-seconds-before-status-checks 8 --seconds-between-status-checks 1 --latency-wait 5"
# The least that ends in a report: a job takes longer to start than to run.
LEAST = """
maps: null
playground: null
attention: null
experiments:
  least:
    n_features: 4
    n_hidden: 2
    seeds: 4
    shown_seeds: 2
    training: {steps: 50, batch_size: 64, learning_rate: 0.01}
    claims: true
    cases: {only: {}}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    keeps_accounts = getattr(request, "param", "") == "accounts"
    with running_cluster(tmp_path_factory.mktemp("slurm"), keeps_accounts) as cluster:
        yield cluster


@pytest.fixture
def least(unbuilt: Workflow) -> Workflow:
    """A checkout without results, and with one small experiment alone."""
    configured = yaml.safe_load((unbuilt.folder / "config/config.yaml").read_text())["experiments"]
    nothing_else = "".join(f"  {name}: null\n" for name in configured)
    (unbuilt.folder / "least.yaml").write_text(LEAST + nothing_else)
    return unbuilt


def submitted(
    workflow: Workflow, profile: str, arguments: str, timeout: int = 240, site: str = WITHOUT_ACCOUNTS
) -> str:
    """Makes targets on the cluster; gives what Snakemake says."""
    command = f"{sys.executable} -m snakemake --workflow-profile profiles/{profile} {site} {SOON} {arguments}"
    # A run that hangs is ended with its jobs' watcher, by force after a while.
    process = subprocess.Popen(
        ["timeout", "-k", "10", str(timeout), *shlex.split(command)],
        cwd=workflow.folder,
        env=workflow.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate()
    finally:
        if process.poll() is None:  # the tests are interrupted
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, said
    return said


def jobs_of(cluster: Cluster, rule: str, before: int) -> list[dict[str, str]]:
    """The jobs of a rule, but for as many as there were before, the oldest first."""
    named = re.compile(rf"rule_{rule}(_wildcards_.*)?")
    return [job for job in cluster.jobs()[before:] if named.fullmatch(job["Comment"])]


def megabytes_of(job: dict[str, str]) -> int:
    """What it asked for."""
    found = re.fullmatch(r"([0-9.]+)([MG])", job["MinMemory"])
    assert found
    return round(float(found[1]) * {"M": 1, "G": 1024}[found[2]])


def test_training_asks_for_a_gpu(cluster: Cluster, least: Workflow) -> None:
    before = len(cluster.jobs())
    models = "results/models/least/only.safetensors"
    submitted(least, "slurm-gpu", f"--configfile least.yaml -- {models}")
    (job,) = cluster.jobs()[before:]
    assert (job["State"], job["tres-per-job"], megabytes_of(job)) == ("COMPLETED", "gres:gpu:1", 8000)
    assert len(read_models(least.folder / models)) == 4


def test_a_job_that_took_too_much_memory_gets_more(cluster: Cluster, least: Workflow) -> None:
    before = len(cluster.jobs())
    # Less than Python with numpy takes; then four times, and nine times as much.
    asked = "--set-resources features:mem_mb=attempt*attempt*90"
    figure = "results/figures/least_all_cases.svg"
    submitted(least, "slurm", f"--configfile least.yaml {asked} -- {figure}")
    jobs = {rule: jobs_of(cluster, rule, before) for rule in ("train", "features", "figure_all_cases")}
    first, *others = jobs["features"]
    assert (first["State"], megabytes_of(first)) == ("FAILED", 90)
    assert (others[-1]["State"], megabytes_of(others[-1])) == ("COMPLETED", 90 * (1 + len(others)) ** 2)
    (log, *_) = (least.folder / ".snakemake/slurm_logs/rule_features").rglob(f"{first['JobID']}.log")
    assert "exceeded memory limit" in log.read_text()
    # The others took no more than they had asked for, and for no GPU.
    for (job,) in (jobs["train"], jobs["figure_all_cases"]):
        assert (job["State"], job["tres-per-job"]) == ("COMPLETED", "N/A")
    assert (least.folder / figure).read_text().startswith("<?xml")


@pytest.mark.slow
def test_the_chain_ends_in_a_report(cluster: Cluster, least: Workflow) -> None:
    before = len(cluster.jobs())
    submitted(least, "slurm", "--configfile least.yaml -- all", timeout=540)
    assert (least.folder / "results/report.pdf").read_bytes().startswith(b"%PDF")
    assert {job["State"] for job in cluster.jobs()[before:]} == {"COMPLETED"}


@pytest.mark.slow
def test_a_job_that_took_too_long_gets_longer_and_goes_on(cluster: Cluster, least: Workflow) -> None:
    before = len(cluster.jobs())
    # Slurm counts in minutes: training of about two. However slow the machine is, it gets there.
    (least.folder / "long.yaml").write_text(
        "experiments: {least: {seeds: 256, shards: 1, training: {steps: 500000, batch_size: 1024}}}"
    )
    asked = "--set-resources train:runtime=attempt --retries 6"
    models = "results/models/least/only.safetensors"
    submitted(least, "slurm", f"--configfile least.yaml long.yaml {asked} -- {models}", timeout=1800)
    jobs = jobs_of(cluster, "train", before)
    assert [job["State"] for job in jobs] == ["TIMEOUT"] * (len(jobs) - 1) + ["COMPLETED"]
    assert [job["TimeLimit"] for job in jobs] == [f"{1 + number}:00" for number in range(len(jobs))]
    assert len(jobs) > 1
    assert "going on from step" in (least.folder / "results/logs/train/least/only.log").read_text()


@pytest.mark.slow
def test_a_cluster_makes_what_one_machine_makes(cluster: Cluster, built: Workflow, unbuilt: Workflow) -> None:
    submitted(unbuilt, "slurm", "--configfile tiny.yaml -- all", timeout=1200)
    made, expected = (
        {path.relative_to(folder): path.read_bytes() for path in artefacts_in(folder)}
        for folder in (unbuilt.folder / "results", built.folder / "results")
    )
    assert made.keys() == expected.keys()
    different = {str(path) for path, content in made.items() if content != expected[path]}
    assert different <= {"report.pdf", "report.json"}  # they say how long it took


@pytest.mark.slow
@pytest.mark.skipif(bool(missing(accounting=True)), reason=missing(accounting=True))
@pytest.mark.parametrize("cluster", ["accounts"], indirect=True)
def test_where_accounts_are_kept_nothing_need_be_said(cluster: Cluster, least: Workflow) -> None:
    asked = "--set-resources features:mem_mb=attempt*attempt*90"
    figure = "results/figures/least_all_cases.svg"
    said = submitted(least, "slurm", f"--configfile least.yaml {asked} -- {figure}", site="")
    assert "sacct" in said
    assert (least.folder / figure).is_file()
    jobs = cluster.asked("sacct --allocations --noheader --parsable2 --format=Account,State").splitlines()
    assert {job.split("|")[0] for job in jobs} == {ACCOUNT}
    states = [job.split("|")[1] for job in jobs]
    # And what was ended for taking too much memory.
    assert states.count("COMPLETED") == 3
    assert len(states) > 3


def artefacts_in(results: Path) -> list[Path]:
    """All but logs, benchmarks and what is kept for the next run."""
    aside = ("logs", "benchmarks", "checkpoints")
    return [
        path
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.relative_to(results).parts[0] not in aside
    ]
