"""Jobs that are forks of a process that has imported everything: they do what commands of their own do."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from superposition_atlas.backends.process import FORK_SERVER
from superposition_atlas.plan import forks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks of a large process are safe on Linux")

COMMAND = [sys.executable, "-m", "superposition_atlas"]
WRITE = ("schedules", "--experiment", "small", "--spec", "-", "--output")
SCHEDULES = [*COMMAND, *WRITE, "schedules.parquet"]  # waits for standard input
TRAINING = {"steps": 1, "batch_size": 1, "learning_rate": 0.1}
SMALL = {
    "n_features": 2,
    "n_hidden": 1,
    "seeds": 1,
    "importance": {"family": "constant", "value": 1.0},
    "probability": {"family": "constant", "value": 0.1},
    "training": TRAINING,
    "cases": {"even": {}},
}
SPEC = json.dumps({"experiments": {"small": SMALL}})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Iterator[subprocess.Popen[bytes]]":
    monkeypatch.setenv(FORK_SERVER, "to be restored")
    monkeypatch.chdir(tmp_path)
    started = forks.start_fork_server()
    assert started is not None
    folder = Path(os.environ[FORK_SERVER]).parent
    yield started
    started.kill()
    started.communicate()
    shutil.rmtree(folder, ignore_errors=True)


def run(*arguments: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def begun(server: "subprocess.Popen[bytes]") -> "tuple[subprocess.Popen[str], psutil.Process]":
    """A job that waits for its standard input, and its fork."""
    job = subprocess.Popen(
        SCHEDULES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    return job, until(lambda: fork_of(job, server))


def fork_of(job: "subprocess.Popen[Any]", server: "subprocess.Popen[bytes]") -> psutil.Process | None:
    found = [fork for fork in psutil.Process(server.pid).children() if fork.name() == f"job {job.pid}"]
    return found[0] if found else None


def listens(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(address) == 0


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (result := condition()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return result


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["--help"], ""),
        (["targets"], ""),
        ([*WRITE, "a.parquet"], SPEC),
        ([*WRITE, "a.parquet"], "no JSON"),
        (["schedules", "--no-such-option"], ""),
        (["no-such-command"], ""),
        (["explain", "absent.parquet"], ""),
    ],
)
def test_a_fork_says_and_ends_as_a_command_of_its_own(
    server: "subprocess.Popen[bytes]", arguments: list[str], stdin: str
) -> None:
    alone = run(*arguments, stdin=stdin, **{FORK_SERVER: "no"})
    for _ in range(2):  # before and after the server has imported what the command imports
        forked = run(*arguments, stdin=stdin)
        assert (forked.returncode, forked.stdout, forked.stderr) == (
            alone.returncode,
            alone.stdout,
            alone.stderr,
        )


def test_a_fork_works_in_its_job_s_folder_with_its_environment(
    server: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    job = subprocess.Popen(
        SCHEDULES, stdin=subprocess.PIPE, cwd="elsewhere", env=os.environ | {"LIKE": "this"}
    )
    fork = until(lambda: fork_of(job, server))
    assert (fork.cwd(), psutil.Process(job.pid).cwd()) == (str(tmp_path / "elsewhere"),) * 2
    job.communicate(SPEC.encode())
    assert job.returncode == 0
    assert (tmp_path / "elsewhere" / "schedules.parquet").is_file()


def test_files_are_the_same_to_the_last_bit(server: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    for name, environment in (("forked", {}), ("again", {}), ("alone", {FORK_SERVER: "no"})):
        run(*WRITE, f"{name}.parquet", stdin=SPEC, **environment)
    assert len({(tmp_path / f"{name}.parquet").read_bytes() for name in ("forked", "again", "alone")}) == 1


def test_the_server_imports_what_a_command_imported(server: "subprocess.Popen[bytes]") -> None:
    libraries = Path(f"/proc/{server.pid}/maps")
    assert "pyarrow" not in libraries.read_text()
    job, _ = begun(server)
    job.communicate(SPEC)
    job, _ = begun(server)
    assert "pyarrow" in libraries.read_text()
    assert len(os.listdir(f"/proc/{server.pid}/task")) == 1
    job.communicate(SPEC)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_fork_as_it_ends_a_command(server: "subprocess.Popen[bytes]", number: int) -> None:
    job, fork = begun(server)
    job.send_signal(number)
    job.wait(60)  # before its input ends
    _, said = job.communicate()
    assert job.returncode in (130, -number)
    assert "Traceback" not in said
    until(lambda: not fork.is_running())


def test_a_fork_ends_with_its_job(server: "subprocess.Popen[bytes]") -> None:
    job, fork = begun(server)
    job.kill()
    job.communicate()
    until(lambda: not fork.is_running())
    assert run("--help").returncode == 0


def test_a_job_ends_by_what_ended_its_fork(server: "subprocess.Popen[bytes]") -> None:
    job, fork = begun(server)
    fork.kill()
    job.communicate()
    assert job.returncode == -signal.SIGKILL


def test_without_its_server_a_job_fails_and_nothing_goes_on(server: "subprocess.Popen[bytes]") -> None:
    job, fork = begun(server)
    server.kill()
    _, said = job.communicate()
    assert (job.returncode, said) == (
        1,
        "error: the run's fork server ended before this job; run the same command again\n",
    )
    until(lambda: not fork.is_running())
    # Those that begin now import by themselves what they need.
    assert run("--help").returncode == 0


def test_a_job_with_another_package_runs_by_itself(server: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    package = Path(forks.__file__).parents[2]
    (tmp_path / "copy").symlink_to(package)
    job = subprocess.Popen(
        SCHEDULES, stdin=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(tmp_path / "copy")}, text=True
    )
    # It imports by itself what forks have from the server.
    until(lambda: "numpy" in Path(f"/proc/{job.pid}/maps").read_text())
    assert psutil.Process(server.pid).children() == []
    job.communicate(SPEC)
    assert job.returncode == 0


def test_the_server_ends_with_the_run_after_its_last_fork(server: "subprocess.Popen[bytes]") -> None:
    folder = Path(os.environ[FORK_SERVER]).parent
    assert folder.stat().st_mode & 0o077 == 0
    job, fork = begun(server)
    assert server.stdin is not None
    server.stdin.close()
    until(lambda: not listens(os.environ[FORK_SERVER]))
    assert server.poll() is None
    assert fork.is_running()
    job.communicate(SPEC)
    assert (job.returncode, server.wait(60)) == (0, 0)
    assert not folder.exists()


def test_none_is_started_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FORK_SERVER, "no")
    assert forks.start_fork_server() is None
    monkeypatch.delenv(FORK_SERVER)
    long = tmp_path / ("a" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert forks.start_fork_server() is None
    assert list(long.iterdir()) == []


def test_benchmarks_count_forks(server: "subprocess.Popen[bytes]") -> None:
    class BenchmarkTimer:
        def __init__(self, pid: int) -> None:
            self.main = psutil.Process(pid)

    benchmark = SimpleNamespace(BenchmarkTimer=BenchmarkTimer)
    forks.count_forks(benchmark, server)
    job, fork = begun(server)
    other, _ = begun(server)
    timer = benchmark.BenchmarkTimer(job.pid)
    assert timer.main.children(recursive=True) == [fork]
    assert timer.main.pid == job.pid
    for each in (job, other):
        each.communicate(SPEC)
