"""A job asks the fork server of its run for a process that has imported everything, and waits for it.

It imports little: that is what it is for. It passes signals on, and ends as the process that works for it.
"""

import contextlib
import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from superposition_atlas.backends.process import FORK_SERVER

LENGTH = struct.Struct("!I")
"""The number of bytes of a request, before it."""
ENDING = struct.Struct("!i")
"""How the process ended: its exit status, or less than 0, the signal that ended it."""
ACCEPTED = 1 << 16
"""In place of an ending, before it: a fork works for this process."""
SIGNAL = struct.Struct("!B")
"""A signal for the process."""

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_STREAMS = (0, 1, 2)


def identity() -> list[str]:
    """What a process and its fork server have in common: the Python, its environment, and the package."""
    return [os.path.realpath(sys.executable), sys.prefix, str(Path(__file__).parents[1])]


def ending_of_fork() -> int | None:
    """Lets the fork server run this command; gives its exit status, or None where it is to be run here.

    Ends by the signal that ended the process that worked for it.
    """
    address = os.environ.get(FORK_SERVER, "no")
    if address == "no":
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        for stream in _STREAMS:
            os.fstat(stream)
        connection.connect(address)
    except OSError:  # no server any more, or a container that does not see it, or a closed stream
        connection.close()
        return None
    with connection, _Signals(connection) as signals:
        ending = _ending(connection, signals)
    if ending is None:
        return None
    if ending < 0:
        if -ending != signal.SIGKILL:
            signal.signal(-ending, signal.SIG_DFL)
        os.kill(os.getpid(), -ending)
    return ending


class _Signals:
    """Passes signals on to the process that works for this one, from the moment that there is one."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._pending: list[int] | None = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_Signals":
        for number in _PASSED_ON:
            # What a parent ignores (a shell's background jobs, nohup) stays ignored.
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *failure: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for number in self._pending or ():
            os.kill(os.getpid(), number)

    def begin(self) -> None:
        """Passes on what came before the request was sent."""
        pending, self._pending = self._pending or (), None
        for number in pending:
            self._pass_on(number)

    def _take(self, number: int, frame: Any) -> None:
        if self._pending is None:
            self._pass_on(number)
        else:
            self._pending.append(number)

    def _pass_on(self, number: int) -> None:
        with contextlib.suppress(OSError):
            self._connection.sendall(SIGNAL.pack(number))


def _ending(connection: socket.socket, signals: _Signals) -> int | None:
    """The ending of the fork; None if there was none."""
    request = {
        "identity": identity(),
        "argv": sys.argv,
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "client": os.getpid(),
    }
    body = json.dumps(request).encode()
    try:
        socket.send_fds(connection, [LENGTH.pack(len(body))], list(_STREAMS))
        connection.sendall(body)
        if _answer(connection) != ACCEPTED:
            return None
    except OSError:
        return None
    signals.begin()
    with contextlib.suppress(OSError):
        ending = _answer(connection)
        if ending is not None:
            return ending
    print("error: the run's fork server ended before this job; run the same command again", file=sys.stderr)
    return 1


def _answer(connection: socket.socket) -> int | None:
    answer = connection.recv(ENDING.size, socket.MSG_WAITALL)
    return int(ENDING.unpack(answer)[0]) if len(answer) == ENDING.size else None
