"""The line that shows progress on a terminal."""

import io
import logging
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_atlas import LogHandler, Progress, shortened
from superposition_atlas.backends.progress import notice

JOBS = {"all": 1, "train": 2, "figure_plane": 1, "figure_bars": 1, "total": 5}


def test_what_is_left_takes_as_long_as_the_like_did() -> None:
    progress = Progress(JOBS, now=0.0)
    progress.start(1, "train", {"experiment": "talk", "case": "case1"}, now=0.0)
    assert progress.seconds_left(now=1.0) is None
    progress.finish(1, now=10.0)
    assert progress.seconds_left(now=10.0) == pytest.approx(3 * 10.0)  # figures as long as the mean so far
    progress.start(2, "figure_plane", {"figure": "case1_plane"}, now=10.0)
    progress.finish(2, now=12.0)
    assert progress.seconds_left(now=12.0) == pytest.approx(10.0 + 2.0)
    assert progress.line(now=72.0).startswith(
        " 50 % | 2 of 4 jobs | 1:12 so far, about 1:12 to go | figure_plane"
    )


def test_two_jobs_at_once_halve_the_time() -> None:
    progress = Progress({"train": 4, "total": 4}, now=0.0)
    for job in (1, 2):
        progress.start(job, "train", {}, now=0.0)
    for job in (1, 2):
        progress.finish(job, now=10.0)
    assert progress.seconds_left(now=10.0) == pytest.approx(10.0)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def handler(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> LogHandler:
    monkeypatch.setattr("sys.stderr", stream)
    return LogHandler(SimpleNamespace(stdout=False, dryrun=False), None)


def record(message: str, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("snakemake", level, "", 0, message, None, None)
    made.__dict__ |= extra
    return made


def messages() -> list[logging.LogRecord]:
    job = {"jobid": 7, "rule_name": "train", "wildcards": {"case": "case1"}}
    return [
        record("Building DAG of jobs..."),
        record("Job stats: ..", event=LogEvent.RUN_INFO, stats={"train": 1, "total": 1}),
        record("rule train", event=LogEvent.JOB_INFO, **job),
        record("disk is nearly full", logging.WARNING),
        record("job failed", logging.ERROR, event=LogEvent.JOB_ERROR),
        record("Finished jobid: 7", event=LogEvent.JOB_FINISHED, job_id=7),
    ]


def test_a_terminal_has_one_line_and_what_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    shown = handler(monkeypatch, terminal)
    for message in messages():
        shown.emit(message)
    lines = [line.rpartition("\033[K")[2] for line in terminal.getvalue().rstrip().split("\n")]
    assert lines[:2] == ["disk is nearly full", "job failed"]
    assert len(lines) == 3
    assert lines[2].startswith("100 % | 1 of 1 jobs")
    assert "train case1" in terminal.getvalue()


def test_without_a_terminal_every_message_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    shown = handler(monkeypatch, file)
    for message in messages():
        shown.emit(message)
    assert file.getvalue().splitlines() == [message.getMessage() for message in messages()]


def test_nothing_to_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    handler(monkeypatch, terminal).emit(record("Nothing to be done (all requested files are present)."))
    assert "Nothing to be done" in terminal.getvalue()


def test_a_long_list_of_files_is_cut_short_and_a_command_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [f"results/figures/figure{number}.svg" for number in range(500)]
    listed = f"    input: {', '.join(files)}"
    line = shortened(listed)
    assert len(line) < 400
    n_shown = line.count(".svg")
    assert 0 < n_shown < 20
    assert line.endswith(f", … and {500 - n_shown} more")
    for whole in (f"Shell command: {', '.join(files)}", f"    output: {', '.join(files)}", listed[:390]):
        assert shortened(whole) == whole
    assert shortened(f"\033[33m{listed}\033[0m").endswith(" more\033[0m")
    stream = io.StringIO()
    shown = handler(monkeypatch, stream)
    shown.emit(record(f"rule all:\n{listed}", event=LogEvent.JOB_INFO))
    assert stream.getvalue() == f"rule all:\n{line}\n"
    shown.emit(record(listed, logging.ERROR))
    assert stream.getvalue().endswith(f"{listed}\n")


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_a_notice_is_logged_or_else_printed_on_a_terminal(
    level: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    logger = logging.getLogger("notices")
    caplog.set_level(level, "notices")
    notice(logger, "compiles")
    logged = [made.getMessage() for made in caplog.records]
    assert (logged, terminal.getvalue()) == (
        (["compiles"], "") if level == logging.INFO else ([], "compiles\n")
    )


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_an_unknown_target_leads_to_the_list_of_targets(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = handler(monkeypatch, stream)
    shown.emit(record("MissingRuleException:\nNo rule to produce nope", logging.ERROR, event=LogEvent.ERROR))
    shown.emit(record("another error", logging.ERROR, event=LogEvent.ERROR))
    lines = [line.rpartition("\033[K")[2] for line in stream.getvalue().rstrip().split("\n")]
    assert lines[:2] == ["MissingRuleException:", "No rule to produce nope"]
    assert "python -m superposition_atlas targets" in lines[2]
    assert lines[3:] == ["another error"]
