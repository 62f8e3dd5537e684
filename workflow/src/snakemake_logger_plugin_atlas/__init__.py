"""A logger plugin for Snakemake: on a terminal, one line says how far a run is and how long it will take.

Snakemake finds it by the name of this package; `logger: atlas` in `profiles/default` chooses it. Warnings and
errors are printed in full, and `.snakemake/log` has every job. Where the output is no terminal, and of a dry
run, it is Snakemake's usual one, in which long lists of files are cut short.
"""

import re
import shutil
import sys
import time
from collections import Counter, defaultdict
from logging import INFO, LogRecord
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

_ERRORS = (LogEvent.JOB_ERROR, LogEvent.GROUP_ERROR, LogEvent.ERROR)
_CLEAR = "\r\033[K"
_NO_TARGET = "MissingRuleException"
_TARGETS = "python -m superposition_atlas targets [FILES OF --configfile] lists all targets, a sentence each"
_LISTED = 300
"""Letters of a list of files that are printed; the whole list is in `.snakemake/log`."""


class LogHandler(LogHandlerBase):
    """What Snakemake calls for each message."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self.stream = sys.stdout if self.common_settings.stdout else sys.stderr
        self._is_compact = self.stream.isatty() and not self.common_settings.dryrun
        self._progress: Progress | None = None

    def emit(self, record: LogRecord) -> None:
        """Prints a message or redraws the line."""
        if not self._is_compact:
            self._print(record)
            return
        event = getattr(record, "event", None)
        fields: Any = record  # of each event its own
        if event == LogEvent.RUN_INFO:
            self._progress = Progress(fields.stats)
        elif record.levelno > INFO or event in _ERRORS or (self._progress is None and _is_last_word(record)):
            self._print(record)
        elif self._progress and event == LogEvent.JOB_INFO:
            self._progress.start(fields.jobid, fields.rule_name, dict(fields.wildcards or {}))
        elif self._progress and event == LogEvent.JOB_FINISHED:
            self._progress.finish(fields.job_id)
        else:
            return
        if self._progress:
            width = shutil.get_terminal_size().columns - 1
            end = "\n" if self._progress.is_complete else ""
            self.stream.write(_CLEAR + self._progress.line()[:width] + end)
            self.stream.flush()

    def _print(self, record: LogRecord) -> None:
        text = self.format(record)
        if record.levelno <= INFO and getattr(record, "event", None) not in _ERRORS:
            text = "\n".join(map(shortened, text.split("\n")))
        if text and text != "None":
            if text.lstrip().startswith(_NO_TARGET):
                text += f"\n{_TARGETS}"
            self.stream.write((_CLEAR if self._is_compact else "") + text + "\n")
            self.stream.flush()


def _is_last_word(record: LogRecord) -> bool:
    return record.getMessage().startswith("Nothing to be done")


def shortened(line: str) -> str:
    """The line, without most files of a long list of inputs or reasons. Outputs and commands stay whole."""
    if len(line) <= _LISTED + 100 or not re.match(r"(\033\[[\d;]*m)*(    (input|reason): | {8}\w)", line):
        return line
    beginning = line[:_LISTED].rpartition(", ")[0]
    more = line[len(beginning) :].count(", ")
    return f"{beginning}, … and {more} more" + ("\033[0m" if "\033" in line else "")


class Progress:
    """Which jobs of a run are done, and how long the rest will take.

    A job that is to come is expected to take as long as the finished ones of its rule on average, or as all
    finished ones if there is none.
    """

    def __init__(self, jobs: dict[str, int], now: float | None = None) -> None:
        """Takes the number of jobs of each rule, with their sum as `total`."""
        self._left = Counter({_kind(rule): 0 for rule in jobs})
        for rule, count in jobs.items():
            if rule not in ("total", "all"):
                self._left[_kind(rule)] += count
        self._total = sum(self._left.values())
        self._began = _now(now)
        self._running: dict[int, tuple[str, str, float]] = {}
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._latest = ""

    def start(self, job: int, rule: str, wildcards: dict[str, str], now: float | None = None) -> None:
        """Notes that a job has begun."""
        if rule != "all":
            self._latest = " ".join([rule, "/".join(wildcards.values())]).strip()
            self._running[job] = (_kind(rule), self._latest, _now(now))

    def finish(self, job: int, now: float | None = None) -> None:
        """Notes that a job has ended."""
        if job in self._running:
            kind, _, began = self._running.pop(job)
            self._seconds[kind].append(_now(now) - began)
            self._left[kind] -= 1

    @property
    def is_complete(self) -> bool:
        """Whether all jobs are done."""
        return not self._total - self._n_done

    @property
    def _n_done(self) -> int:
        return sum(map(len, self._seconds.values()))

    def seconds_left(self, now: float | None = None) -> float | None:
        """An estimate; None before a twentieth of the jobs is done."""
        done = [seconds for of_kind in self._seconds.values() for seconds in of_kind]
        if len(done) < max(self._total / 20, 1):
            return None
        mean = sum(done) / len(done)
        to_do = sum(
            left * (sum(self._seconds[kind]) / len(self._seconds[kind]) if self._seconds[kind] else mean)
            for kind, left in self._left.items()
        )
        return (_now(now) - self._began) * to_do / max(sum(done), 1e-9)

    def line(self, now: float | None = None) -> str:
        """Share and number of jobs done, time since the start, time to go, and the job that began last."""
        left = self.seconds_left(now)
        times = f"{_clock(_now(now) - self._began)} so far"
        if left is not None and not self.is_complete:
            times += f", about {_clock(left)} to go"
        share = 100 * self._n_done // max(self._total, 1)
        parts = [f"{share:3d} %", f"{self._n_done} of {self._total} jobs", times]
        return " | ".join(parts if self.is_complete else [*parts, self._latest])


def _kind(rule: str) -> str:
    """Rules whose jobs take about as long: each figure has its own rule."""
    return "figure" if rule.startswith(("figure_", "animation_")) else rule


def _now(now: float | None) -> float:
    return time.monotonic() if now is None else now


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
