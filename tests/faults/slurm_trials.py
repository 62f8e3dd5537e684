"""Faults on a Slurm of one node: its jobs are cancelled, its daemon is killed."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.trials import WRONG, Outcome, Place, again, own_traceback
from tests.workflow.cluster import Cluster, comes_true, running_cluster
from tests.workflow.conftest import Workflow

_ARGUMENTS = (
    "--workflow-profile profiles/slurm --configfile tiny.yaml --slurm-status-command squeue"
    " --slurm-no-account --slurm-init-seconds-before-status-checks 8 --seconds-between-status-checks 1"
    " --latency-wait 5 --nocolor -- all"
)
_AT_MOST = 400
"""Seconds of one run."""
_RUNS = 4
"""So many of the same command: the one that meets the fault, and those that go on."""
_END_SECONDS = 60
"""Slurm takes half of it to kill a job that does not end when it is told to."""

Fault = Callable[[Cluster, dict[str, str]], str]
"""Does it to a cluster and one of its running jobs, and says when; empty if that job ended before."""


def cancel_job(place: Place, index: int) -> Outcome:
    """`scancel` to a running job at a random moment."""

    def fault(cluster: Cluster, job: dict[str, str]) -> str:
        after = place.dice.uniform(0.0, 8.0)
        if not _runs_for(cluster, job, after):
            return ""
        # The job may end just now, and Slurm may refuse; the state tells.
        with contextlib.suppress(subprocess.CalledProcessError):
            cluster.asked(f"scancel {job['JobID']}")
        return f"{job['Comment']} after {after:.1f} s" if _end_of(cluster, job) == "CANCELLED" else ""

    return _trial(place, fault)


def kill_slurmd(place: Place, index: int) -> Outcome:
    """SIGKILL to the daemon of the node while a job runs there; it is started again after some seconds."""

    def fault(cluster: Cluster, job: dict[str, str]) -> str:
        after, gone = place.dice.uniform(0.0, 5.0), place.dice.uniform(1.0, 10.0)
        if not _runs_for(cluster, job, after):
            return ""
        os.kill(cluster.daemon("slurmd"), signal.SIGKILL)
        hit = _state(cluster, job) == "RUNNING"
        time.sleep(gone)  # the fault itself: so long there is no daemon
        cluster.start_slurmd()
        return f"{job['Comment']} after {after:.1f} s, for {gone:.1f} s" if hit else ""

    return _trial(place, fault)


def _state(cluster: Cluster, job: dict[str, str]) -> str:
    (state,) = [other["State"] for other in cluster.jobs() if other["JobID"] == job["JobID"]]
    return state


def _runs_for(cluster: Cluster, job: dict[str, str], seconds: float) -> bool:
    """Waits so long, but only while the job runs; whether it still does."""
    return not comes_true(lambda: _state(cluster, job) != "RUNNING", seconds)


def _end_of(cluster: Cluster, job: dict[str, str]) -> str:
    """The state that a job ends in; the last one, if it does not end."""
    comes_true(lambda: _state(cluster, job) not in ("RUNNING", "COMPLETING"), _END_SECONDS)
    return _state(cluster, job)


def _trial(place: Place, fault: Fault) -> Outcome:
    """One fault while a job runs, and the same command until it ends well; all must be as undisturbed."""
    workflow, scratch = place.unbuilt(), place.folder / "slurm"
    scratch.mkdir()
    wanted = place.dice.randrange(3)  # any of the first jobs
    what, status, runs = "", 1, 0
    with running_cluster(scratch) as cluster:
        while status and runs < _RUNS:
            log = place.folder / f"log-{runs}"
            process = _submit(workflow, log)
            try:
                what = what or _met(cluster, process, wanted, fault)
                status = process.wait()
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
            runs += 1
            said = log.read_text()
            if status not in (0, 1):  # 124 and 137: `timeout` has ended it
                return Outcome(what, WRONG, f"run {runs} ends with status {status}: {said[-600:]}")
            if found := [str(path) for path in _logs(workflow, log) if own_traceback(path.read_text())]:
                return Outcome(what, WRONG, f"run {runs} has a traceback: {found}")
            if not what:
                return Outcome("no job was met", WRONG, f"exit {status}: {said[-600:]}" if status else "")
    if status:
        return Outcome(what, WRONG, f"the same command fails: {said[-600:]}")
    what += f"; {runs} runs" if runs > 1 else ""
    # What the cluster left undone would be made here, by the run that follows.
    if planned := workflow.planned("all"):
        return Outcome(what, WRONG, f"exit 0, but there is more to do: {sorted(planned)}")
    return again(workflow, place, what)


def _met(cluster: Cluster, process: subprocess.Popen[bytes], wanted: int, fault: Fault) -> str:
    """Does it to the first running job after so many others that it hits; empty if it hits none."""
    seen: list[str] = []
    while process.poll() is None:
        for job in cluster.jobs():
            if job["State"] == "RUNNING" and job["JobID"] not in seen:
                seen.append(job["JobID"])
                if len(seen) > wanted and (what := fault(cluster, job)):
                    return what
                break  # what the others do may have changed by now
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.2)
    return ""


def _logs(workflow: Workflow, log: Path) -> list[Path]:
    """What one run, and the jobs whose logs are there, have said."""
    of_jobs = [
        path
        for folder in (".snakemake/slurm_logs", "results/logs")
        for path in sorted((workflow.folder / folder).rglob("*.log"))
    ]
    return [log, *of_jobs]


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
