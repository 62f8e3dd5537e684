"""The fork server of a run: one process imports what commands need, and each job is a fork of it.

    python -m superposition_atlas.cli.fork_server SOCKET FOLDER

SOCKET is the number of an open socket that listens at an address in FOLDER, which the server removes at its
end. Standard input is a pipe, which ends with the run.

Python and its imports take half a second of a job, and most jobs of a small run take no more than that. A
job's process (`fork_request`) sends its arguments, environment, folder and streams. The fork takes them over,
runs the command as `python -m superposition_atlas` does, and ends as it does. Which modules a command imports
the server learns from the first fork that ran it, and imports them before the next.

A fork is in a session of its own, so Ctrl-C reaches it by its job's process alone; it ends with that process,
or with the server. It is named `job PID`, after that process: by the name `plan.forks` finds it.
"""

import atexit
import ctypes
import gc
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from superposition_atlas.backends.process import make_independent
from superposition_atlas.cli.fork_request import ACCEPTED, ENDING, LENGTH, SIGNAL, identity

_PR_SET_PDEATHSIG = 1
_PATIENCE = 10.0
"""Seconds that a request may take to arrive."""
_INTERRUPTED = 130
_TOO_LARGE = ("torch", "triton")
"""Packages that few jobs import, at 200 MB each: every fork would hold them."""


class ForkServer:
    """Listens, forks, and tells each job's process how its fork ended.

    Args:
        listening: the socket that jobs connect to.
        life: a file descriptor that is at its end when the run is.
    """

    def __init__(self, listening: socket.socket, life: int) -> None:
        self._listening = listening
        self._life = life
        self._events = selectors.DefaultSelector()
        self._ended, self._wake_up = os.pipe()
        self._forks: dict[int, tuple[socket.socket, int]] = {}
        """For each fork, whom to tell of its end, and a file in memory in which it says what it imported."""
        self._learned: dict[str, list[str]] = {}
        """Modules by command, that the server has still to import."""

    def serve(self) -> Callable[[], int] | None:
        """Serves until the run ends and no fork is left. In a fork: what it is to run."""
        for descriptor in (self._ended, self._wake_up):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake_up)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._events.register(self._listening, selectors.EVENT_READ)
        self._events.register(self._life, selectors.EVENT_READ)
        self._events.register(self._ended, selectors.EVENT_READ)
        is_over = False
        while not is_over or self._forks:
            for key, _ in self._events.select():
                if key.fileobj is self._listening:
                    command = self._accept()
                    if command is not None:
                        return command
                elif key.fileobj == self._life:
                    is_over = True
                    self._events.unregister(self._life)
                    self._events.unregister(self._listening)
                    self._listening.close()
                elif key.fileobj == self._ended:
                    os.read(self._ended, 4096)
                    self._bury()
                else:
                    self._hear(key.fileobj, key.data)
        return None

    def _accept(self) -> Callable[[], int] | None:
        try:
            connection, _ = self._listening.accept()
        except OSError:
            return None
        connection.settimeout(_PATIENCE)
        try:
            request, streams = _receive(connection)
            connection.settimeout(None)
        except (OSError, ValueError, EOFError):
            connection.close()
            return None
        started = self._prepared_fork(request) if request["identity"] == identity() else None
        if started is not None and started[0] == 0:
            self._leave()
            connection.close()
            return lambda: _run(request, streams, started[1])
        for descriptor in streams:
            os.close(descriptor)
        if started is None:
            connection.close()  # the job runs the command itself
            return None
        process = started[0]
        with suppress(OSError):
            connection.sendall(ENDING.pack(ACCEPTED))
        self._forks[process] = (connection, started[1])
        self._events.register(connection, selectors.EVENT_READ, process)
        return None

    def _prepared_fork(self, request: dict[str, Any]) -> tuple[int, int] | None:
        """The process, 0 in the fork, and the file of its report; None where there can't be one."""
        self._import(next(iter(request["argv"][1:]), ""))
        if not _is_one_thread():
            return None
        try:
            report = os.memfd_create("report")
        except OSError:
            return None
        try:
            return os.fork(), report
        except OSError:
            os.close(report)
            return None

    def _leave(self) -> None:
        """In a fork: gives up what is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._events.close()
        self._listening.close()
        for descriptor in (self._ended, self._wake_up, self._life):
            os.close(descriptor)
        for connection, report in self._forks.values():
            connection.close()
            os.close(report)

    def _hear(self, connection: Any, process: int) -> None:
        """A signal for a fork; or its job's process has ended, and then so does the fork."""
        if process not in self._forks:
            return
        try:
            said = connection.recv(SIGNAL.size)
        except OSError:
            said = b""
        with suppress(ProcessLookupError):
            os.kill(process, SIGNAL.unpack(said)[0] if said else signal.SIGKILL)
        if not said:
            self._events.unregister(connection)

    def _bury(self) -> None:
        """Tells the job's process of each fork that has ended."""
        while self._forks:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                return
            if process not in self._forks:
                continue
            connection, report = self._forks.pop(process)
            with suppress(KeyError):
                self._events.unregister(connection)
            with suppress(OSError):
                connection.sendall(ENDING.pack(os.waitstatus_to_exitcode(status)))
            connection.close()
            with open(report, "rb") as file:
                file.seek(0)
                self._learn(file.read())

    def _learn(self, report: bytes) -> None:
        with suppress(ValueError):
            command, modules = json.loads(report)
            self._learned.setdefault(command, []).extend(modules)

    def _import(self, command: str) -> None:
        modules = [name for name in self._learned.pop(command, ()) if name not in sys.modules]
        for module in modules:
            # A fork that imports it says what is wrong with it.
            with suppress(Exception), warnings.catch_warnings(action="ignore"):
                import_module(module)
        if modules:
            kernels = sys.modules.get("superposition_atlas.backends.numba_cache")
            if kernels is not None:
                kernels.prepare_to_load()  # for all forks at once
            # Objects that no fork's collector looks at stay in memory that all forks share.
            gc.collect()
            gc.freeze()


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, streams, _, _ = socket.recv_fds(connection, LENGTH.size, 3)
    size = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else 0
    body = connection.recv(size, socket.MSG_WAITALL) if size else b""
    if len(streams) < 3 or len(body) < size or not size:
        for stream in streams:
            os.close(stream)
        raise EOFError
    return json.loads(body), streams


def _is_one_thread() -> bool:
    """Whether this process may fork: other threads would leave their locks locked."""
    return len(os.listdir("/proc/self/task")) == 1


def _run(request: dict[str, Any], streams: list[int], report: int) -> int:
    """Runs a command in a fork, and reports what it imported."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for stream, own in zip(streams, (0, 1, 2), strict=True):
        os.dup2(stream, own)
        os.close(stream)
    _renew_streams()
    os.environ.clear()
    os.environ.update(request["environment"])
    make_independent()
    os.chdir(request["folder"])
    tempfile.tempdir = None
    sys.argv[:] = request["argv"]
    with suppress(OSError):
        Path("/proc/self/comm").write_text(f"job {request['client']}")
    before = set(sys.modules)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        from superposition_atlas.cli.main import main

        return main()
    finally:
        new = [name for name in sys.modules if name not in before and name.split(".")[0] not in _TOO_LARGE]
        with suppress(OSError):
            os.write(report, json.dumps([next(iter(sys.argv[1:]), ""), new]).encode())


def _end(command: Callable[[], int]) -> NoReturn:
    """Runs a command and ends as Python does, but frees no memory: that would first copy what forks share."""
    status = 1
    try:
        status = command()
    except KeyboardInterrupt:  # before the command began, which would say so itself
        print("error: the job was interrupted before it began; run the same command again", file=sys.stderr)
        status = _INTERRUPTED
    except SystemExit as ending:  # of argparse
        if ending.code is None or isinstance(ending.code, int):
            status = ending.code or 0
        else:
            print(ending.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


def _renew_streams() -> None:
    """Opens Python's streams anew: those of the server know of its own files whether they can seek."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        old = getattr(sys, name)
        by_line = name == "stderr" or os.isatty(number)
        new = os.fdopen(number, mode, 1 if by_line else -1, old.encoding, old.errors, closefd=False)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def serve(descriptor: int, folder: Path) -> int:
    """Serves until standard input ends; in a fork, runs its command. Gives the exit status."""
    make_independent()
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"  # pyarrow would start a thread
    life = os.dup(0)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    # Its session has no terminal: Ctrl-C reaches the job's process, which passes it on. A fork takes it when
    # it is ready to.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    with socket.socket(fileno=descriptor) as listening:
        command = ForkServer(listening, life).serve()
    if command is not None:
        _end(command)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(serve(int(sys.argv[1]), Path(sys.argv[2])))
