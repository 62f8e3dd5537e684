"""Starts the fork server of a run on this machine, and counts forks in Snakemake's benchmarks."""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from superposition_atlas.backends.process import FORK_SERVER

_SERVER = "superposition_atlas.cli.fork_server"
_LONGEST_ADDRESS = 100  # Linux has room for 107 bytes


def start_fork_server() -> "subprocess.Popen[bytes] | None":
    """Starts the server that jobs of this process ask for a fork; None where there is none.

    It ends with this process. Without it, jobs import by themselves what they need.
    """
    if sys.platform != "linux" or os.environ.get(FORK_SERVER) == "no":
        return None
    with suppress(OSError), socket.socket(socket.AF_UNIX) as listening:
        # Only this user may enter it.
        folder = tempfile.mkdtemp(prefix="superposition-atlas-")
        address = str(Path(folder, "socket"))
        if len(os.fsencode(address)) > _LONGEST_ADDRESS:
            os.rmdir(folder)
            return None
        listening.bind(address)
        listening.listen(128)
        server = subprocess.Popen(
            [sys.executable, "-m", _SERVER, str(listening.fileno()), folder],
            stdin=subprocess.PIPE,
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )
        os.environ[FORK_SERVER] = address
        atexit.register(_end, server, folder)
        return server
    return None


def _end(server: "subprocess.Popen[bytes]", folder: str) -> None:
    server.communicate()
    shutil.rmtree(folder, ignore_errors=True)  # where the server could not: it was killed


def count_forks(benchmark: Any, server: "subprocess.Popen[bytes]") -> None:
    """Lets Snakemake's benchmarks count what the fork server runs for a job as the job's own.

    Args:
        benchmark: Snakemake's module.
        server: its process.
    """
    make_timer = benchmark.BenchmarkTimer

    def timer(*arguments: Any, **options: Any) -> Any:
        made = make_timer(*arguments, **options)
        made.main = _WithForks(made.main, type(made.main)(server.pid))
        return made

    benchmark.BenchmarkTimer = timer


class _WithForks:
    """A process of psutil's whose children are also the forks that work for it or for one of its own."""

    def __init__(self, process: Any, server: Any) -> None:
        self._process = process
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._process, name)

    def children(self, recursive: bool = False) -> list[Any]:
        own = self._process.children(recursive=recursive)
        names = {f"job {process.pid}" for process in chain([self._process], own)}
        return [*own, *(fork for fork in self._server.children() if _name(fork.pid) in names)]


def _name(process: int) -> str | None:
    """What a process is called; None where it has ended."""
    try:
        return Path(f"/proc/{process}/comm").read_text().rstrip()
    except OSError:
        return None
