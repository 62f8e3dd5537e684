"""Faults on a Slurm of one node: its jobs are cancelled, its daemon is killed."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.faults.trials import WRONG, Outcome, Place, again
from tests.workflow.cluster import Cluster, running_cluster
from tests.workflow.conftest import Workflow

_ARGUMENTS = (
    "--workflow-profile profiles/slurm --configfile tiny.yaml --slurm-status-command squeue"
    " --slurm-no-account --slurm-init-seconds-before-status-checks 8 --seconds-between-status-checks 1"
    " --latency-wait 5 --nocolor -- all"
)
_AT_MOST = 400
"""Seconds of one run."""

Fault = Callable[[Cluster, dict[str, str]], str]
"""Does it to a cluster and one of its running jobs, and says when."""


def cancel_job(place: Place, index: int) -> Outcome:
    """`scancel` to a running job at a random moment."""

    def fault(cluster: Cluster, job: dict[str, str]) -> str:
        after = place.dice.uniform(0.0, 8.0)
        time.sleep(after)
        cluster.asked(f"scancel {job['JobID']}")
        return f"{job['Comment']} after {after:.1f} s"

    return _trial(place, fault)


def kill_slurmd(place: Place, index: int) -> Outcome:
    """SIGKILL to the daemon of the node while a job runs there; it is started again after some seconds."""

    def fault(cluster: Cluster, job: dict[str, str]) -> str:
        after, gone = place.dice.uniform(0.0, 5.0), place.dice.uniform(1.0, 10.0)
        time.sleep(after)
        os.kill(cluster.daemon("slurmd"), signal.SIGKILL)
        time.sleep(gone)
        cluster.start_slurmd()
        return f"after {after:.1f} s, for {gone:.1f} s"

    return _trial(place, fault)


def _trial(place: Place, fault: Fault) -> Outcome:
    """One fault while a job runs, and the same command until it ends well; all must be as undisturbed."""
    workflow, scratch, log = place.unbuilt(), place.folder / "slurm", place.folder / "log"
    scratch.mkdir()
    with running_cluster(scratch) as cluster:
        process = _submit(workflow, log)
        what = ""
        wanted = place.dice.randrange(3)  # any of the first jobs
        seen: list[str] = []
        while process.poll() is None and not what:
            for job in cluster.jobs():
                if job["State"] == "RUNNING" and job["JobID"] not in seen:
                    seen.append(job["JobID"])
                    if len(seen) > wanted:
                        what = fault(cluster, job)
                        break
            time.sleep(0.2)
        for _ in range(3):
            if process.wait() == 0:
                break
            process = _submit(workflow, log)
        if process.wait() != 0:
            return Outcome(what, WRONG, f"the same command fails: {log.read_text()[-600:]}")
    if not what:
        return Outcome("no job was met", WRONG)
    return replace(again(workflow, place, what), faults=1)


def _submit(workflow: Workflow, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream:
        return subprocess.Popen(
            [
                "timeout",
                "-k",
                "10",
                str(_AT_MOST),
                sys.executable,
                "-m",
                "snakemake",
                *shlex.split(_ARGUMENTS),
            ],
            cwd=workflow.folder,
            env=workflow.environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
