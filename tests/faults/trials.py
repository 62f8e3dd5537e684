"""The faults: each does its damage to one folder, runs the same command again, and says what came of it."""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from tests.faults.folders import copied, differences
from tests.workflow.conftest import Workflow

SAME = "same"
MESSAGE = "message"
FOREIGN = "foreign"
"""Snakemake's own error, which names the reason."""
WRONG = "wrong"

TRAINING = ("train", "map-weights", "map-solutions")
STAGES = {
    "train": "models",
    "map-weights": "maps",
    "features": "metrics",
    "claims": "claims.parquet",
    "figure": "figures",
    "report": "report.pdf",
}
"""A command, and the artefacts that are taken away so that it runs."""
KEEPING = ("train", "map-weights")
"""Commands that would find all that they should train among what was kept, and train nothing."""
KEPT = {
    "checkpoints/experiments/own/falling/*.safetensors": ("models/own", "train/own/falling.log"),
    "checkpoints/maps/own/weights/*/*.parquet": ("maps/own/weights", "map_weights/own/*.log"),
    "checkpoints/maps/own/solutions/*.parquet": ("maps/own/solutions", "map_solutions/own/*.log"),
}
"""What training keeps, the artefacts that are made of it, and the logs of the jobs that read it."""
DAMAGED = {
    "schedules of a case": "schedules/*/*.parquet",
    "schedules": "schedules/*.parquet",
    "toy models": "models/*/*.safetensors",
    "a shard of toy models": "models/*/*/shard=*.safetensors",
    "SAEs": "saes/*/*/*.safetensors",
    "metrics of a case": "metrics/*/cases/*/latents.parquet",
    "metrics": "metrics/*/models.parquet",
    "losses": "metrics/*/losses.parquet",
    "claims": "claims.parquet",
    "answer": "answer.parquet",
    "effects": "effects.parquet",
    "norms": "norms/*.parquet",
    "a map's points": "maps/*/points/*/part.parquet",
    "a map's weights": "maps/*/weights/*/part.parquet",
    "a map's solutions": "maps/*/solutions/*/part.parquet",
    "a map's table of toy models": "maps/*/models.parquet",
    "a map's table of solutions": "maps/*/solutions.parquet",
    "a map's table of points": "maps/*/points.parquet",
    "a map's table of features": "maps/*/features.parquet",
    "a map's predictions": "maps/*/predictions.parquet",
    "a map's branches": "maps/*/branches.parquet",
    "attention": "attention/*/heads_*.safetensors",
    "a table of attention": "attention/cells.parquet",
    "playground": "playground/weights.parquet",
    "a figure (SVG)": "figures/*.svg",
    "a figure (PNG)": "figures/*.png",
    "a figure (GIF)": "figures/*.gif",
    "report.json": "report.json",
    "report.pdf": "report.pdf",
}
CHAIN = 5
"""So many kills, each of the run that goes on from the last."""
HOW = ("truncated", "bit-flipped", "empty")
FULL = "No space left on device"
READ_ONLY = "Read-only file system"
NOT_WHOLE = "not a whole .* file|written as another file of results"


@dataclass(frozen=True)
class Place:
    """Where a trial may do as it likes."""

    reference: Workflow
    """Built, undisturbed."""
    folder: Path
    """Empty, and the same for all: compiled code is kept by the folder of its source."""
    seconds: float
    """What the undisturbed run took."""
    dice: random.Random

    def unbuilt(self) -> Workflow:
        return copied(self.reference, self.folder / "checkout", built=False)

    def built(self) -> Workflow:
        return copied(self.reference, self.folder / "checkout", built=True)


@dataclass(frozen=True)
class Outcome:
    """What came of one trial."""

    what: str
    outcome: str
    said: str = ""
    faults: int = 1
    """How many faults at once; none if it was over before anything was done to it."""


Trial = Callable[[Place, int], Outcome]


# --- running -----------------------------------------------------------------------------------------------


def start(workflow: Workflow, log: Path, **environment: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream:
        return subprocess.Popen(
            workflow.command("all"),
            cwd=workflow.folder,
            env=workflow.environment | environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def jobs_of(process: subprocess.Popen[bytes], commands: Sequence[str]) -> list[psutil.Process]:
    """Running jobs of these commands, below one run of Snakemake."""
    found = []
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                line = child.cmdline()
                if line[1:3] == ["-m", "superposition_atlas"] and line[3] in commands:
                    found.append(child)
    return found


def wait_for_job(process: subprocess.Popen[bytes], commands: Sequence[str]) -> psutil.Process | None:
    while process.poll() is None:
        if jobs := jobs_of(process, commands):
            return jobs[0]
        time.sleep(0.01)
    return None


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("error: ")]


def unclear(line: str, workflow: Workflow, reason: str) -> bool:
    """Whether an error names no path of this folder, or not this reason (a pattern)."""
    named = re.match(f"error: (.+?): .*({reason})", line)
    if named is None:
        return True
    path = Path(named[1])
    return not (path.is_relative_to(workflow.folder) or path.parts[0] == "results")


def own_traceback(text: str) -> bool:
    """Whether there is a traceback that goes through this package, not through Snakemake alone."""
    return "Traceback" in text and re.search('File ".*/workflow/src/superposition_atlas/', text) is not None


def uncounted(outcome: Outcome) -> Outcome:
    """No fault was made; what is wrong is wrong nevertheless."""
    return outcome if outcome.outcome == WRONG else replace(outcome, faults=0)


def again(workflow: Workflow, place: Place, what: str, said: str = "") -> Outcome:
    """The same command once more; it must end well, and with the same bytes."""
    result = workflow.run("all")
    output = result.stdout + result.stderr
    if result.returncode:
        return Outcome(what, WRONG, f"the same command fails: {errors(output) or output[-600:]}")
    if found := differences(workflow, place.reference):
        return Outcome(what, WRONG, "; ".join(found[:5]))
    return Outcome(what, MESSAGE if said else SAME, said)


def refused(
    workflow: Workflow,
    place: Place,
    what: str,
    status: int,
    log: str,
    reason: str,
    mend: Callable[[], object],
) -> Outcome:
    """A run that failed: each job that did must have said why, in one line; then `mend` does as it says."""
    lines = list(dict.fromkeys(errors(log)))
    mend()
    if status != 1:
        return Outcome(what, WRONG, f"exit {status}: {log[-600:]}")
    if vague := [line for line in lines if unclear(line, workflow, reason)]:
        return Outcome(what, WRONG, f"names no file, or not the reason: {vague}")
    if own_traceback(log):
        return Outcome(what, WRONG, f"a traceback: {log[-1500:]}")
    if lines and "Traceback" not in log:
        return again(workflow, place, what, lines[0])
    foreign = re.search(f"OSError: .*({FULL}|{READ_ONLY}).*", log)
    if foreign is None or reason not in (FULL, READ_ONLY):
        return Outcome(what, WRONG, f"no clear message: {log[-1500:]}")
    outcome = again(workflow, place, what, lines[0] if lines else foreign[0])
    return outcome if outcome.outcome == WRONG else replace(outcome, outcome=FOREIGN)


# --- killed ------------------------------------------------------------------------------------------------


def kill_job(place: Place, index: int) -> Outcome:
    """SIGKILL to jobs that train, one after the other, at random moments of their lives."""
    workflow, log, done = place.unbuilt(), place.folder / "log", []
    for _ in range(CHAIN):
        process = start(workflow, log)
        job = wait_for_job(process, TRAINING)
        if job is None:
            break  # all that trains has been done by now
        command = job.cmdline()[3]
        after = place.dice.uniform(0.0, 1.5)
        with contextlib.suppress(psutil.Error):
            job.wait(timeout=after)
        if not job.is_running():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            continue
        job.kill()
        process.wait()
        done.append(f"{command} after {after:.2f} s")
        if process.returncode == 0 or "Traceback" in log.read_text():
            return Outcome(", ".join(done), WRONG, f"exit {process.returncode}: {log.read_text()[-600:]}")
    return replace(again(workflow, place, ", ".join(done) or "no job was met"), faults=len(done))


def kill_snakemake(place: Place, index: int) -> Outcome:
    """SIGKILL to Snakemake at random moments, alone, so that its jobs go on, or with all its jobs."""
    workflow, log, done, left = place.unbuilt(), place.folder / "log", [], []
    for number in range(CHAIN):
        process = start(workflow, log)
        after = place.dice.uniform(0.5, place.seconds * 0.6)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=after)
        if process.poll() is not None:
            break
        alone = (index + number) % 2 == 0
        left += psutil.Process(process.pid).children(recursive=True)
        (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
        process.wait()
        done.append(f"{'alone' if alone else 'with its jobs'} after {after:.1f} s")
    outcome = replace(again(workflow, place, ", ".join(done) or "it had ended"), faults=len(done))
    for job in left:
        with contextlib.suppress(psutil.Error):
            job.kill()
    return outcome


# --- disks -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Puts what a folder holds on a small disk of its own, and back."""
    aside = folder.with_name(f"{folder.name}-aside")
    shutil.copytree(folder, aside, symlinks=True)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) // 2**20 + 48
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", folder], check=True)
    try:
        shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(aside)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, leave: int = 0) -> None:
    """Takes all space but so many bytes."""
    with (disk / ".filler").open("ab", buffering=0) as stream, contextlib.suppress(OSError):
        while shutil.disk_usage(disk).free > leave:
            stream.write(bytes(min(2**16, max(1, shutil.disk_usage(disk).free - leave))))


def full_disk(place: Place, index: int) -> Outcome:
    """The disk is full as soon as a job of some stage runs: that of results/, or of the whole folder."""
    workflow, log = place.built(), place.folder / "log"
    stages = list(STAGES)
    stage, whole = stages[index % len(stages)], index // len(stages) % 2 == 1
    disk = workflow.folder if whole else workflow.folder / "results"
    what = f"{stage}, {'the whole folder' if whole else 'results/'}"
    with small_disk(disk):
        take_away_all_of(workflow, stage)
        fill(disk, leave=4 * 2**20)
        process = start(workflow, log)
        if wait_for_job(process, [stage]) is None:
            return Outcome(what, WRONG, f"not met: {log.read_text()[-600:]}")
        full = threading.Event()

        def keep_full() -> None:
            while not full.wait(0.005):
                fill(disk)

        filler = threading.Thread(target=keep_full)
        filler.start()
        process.wait()
        full.set()
        filler.join()
        mend = (disk / ".filler").unlink
        if process.returncode == 0:
            mend()
            return uncounted(again(workflow, place, f"{what}; it was done before the disk was full"))
        return refused(workflow, place, what, process.returncode, log.read_text(), FULL, mend)


def take_away_all_of(workflow: Workflow, stage: str) -> None:
    """What a stage makes, and what it has kept: else there would be nothing to train."""
    take_away(workflow, STAGES[stage])
    if stage in KEEPING:
        take_away(workflow, "checkpoints")


def take_away(workflow: Workflow, name: str) -> None:
    path = workflow.folder / "results" / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def full_before(place: Place, index: int) -> Outcome:
    """The disk is full before the run starts: that of results/, or of the whole folder."""
    workflow, log = place.built(), place.folder / "log"
    disk = workflow.folder if index % 2 else workflow.folder / "results"
    what = "the whole folder" if index % 2 else "results/"
    with small_disk(disk):
        take_away(workflow, "figures")
        fill(disk)
        status = start(workflow, log).wait()
        return refused(workflow, place, what, status, log.read_text(), FULL, (disk / ".filler").unlink)


def read_only(place: Place, index: int) -> Outcome:
    """results/, or the whole folder, is mounted read-only."""
    workflow, log = place.built(), place.folder / "log"
    stages = list(STAGES)
    stage, whole = stages[index % len(stages)], index % 2 == 1
    disk = workflow.folder if whole else workflow.folder / "results"
    take_away_all_of(workflow, stage)
    subprocess.run(["mount", "--bind", disk, disk], check=True)
    mounted = True

    def mend() -> None:
        nonlocal mounted
        if mounted:
            subprocess.run(["umount", "--lazy", disk], check=True)
            mounted = False

    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
        process = start(workflow, log)
        process.wait()
        what = f"{STAGES[stage]} missing, {'the whole folder' if whole else 'results/'}"
        if process.returncode == 0:
            return Outcome(what, WRONG, "the run did not notice")
        return refused(workflow, place, what, process.returncode, log.read_text(), READ_ONLY, mend)
    finally:
        mend()


# --- damage ------------------------------------------------------------------------------------------------


def damage(place: Place, index: int) -> Outcome:
    """Every other kind of artefact is truncated, bit-flipped or empty; its date is new, or as it was."""
    workflow = place.built()
    harmed = {}
    for number, (kind, pattern) in enumerate(DAMAGED.items()):
        if number % 2 != index % 2:
            continue
        how = HOW[(number // 2 + index // 2) % len(HOW)]
        path = sorted((workflow.folder / "results").glob(pattern))[0]
        harm(path, how, place.dice, keeps_date=place.dice.random() < 0.5)
        harmed[path] = f"{kind} {how}"
    result = workflow.run("all")
    log = result.stdout + result.stderr
    what = ", ".join(harmed.values())
    lines = errors(log)
    unnamed = [path for path in harmed if not lines or str(path.relative_to(workflow.folder)) not in lines[0]]
    if result.returncode == 0 or unnamed:
        return Outcome(what, WRONG, f"not named: {unnamed}; {log[-600:]}", len(harmed))

    def mend() -> None:
        for path in harmed:
            path.unlink()

    outcome = refused(workflow, place, what, result.returncode, log, NOT_WHOLE, mend)
    return replace(outcome, faults=len(harmed))


def harm(path: Path, how: str, dice: random.Random, keeps_date: bool) -> None:
    before, content = path.stat(), bytearray(path.read_bytes())
    if how == "truncated":
        content = content[: dice.randrange(1, len(content))]
    elif how == "empty":
        content = bytearray()
    else:
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)
    if keeps_date:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def damage_kept(place: Place, index: int) -> Outcome:
    """What training keeps for a run that is ended is damaged, and then needed."""
    workflow = place.built()
    results = workflow.folder / "results"
    # A few trials in a row meet every kind and every damage; nine meet each kind with each.
    kept, (artefacts, logs) = list(KEPT.items())[index % len(KEPT)]
    how = HOW[(index + index // len(KEPT)) % len(HOW)]
    path = place.dice.choice(sorted(results.glob(kept)))
    harm(path, how, place.dice, False)
    take_away(workflow, artefacts)
    name = path.relative_to(workflow.folder)
    outcome = again(workflow, place, f"{name.relative_to('results')} {how}")
    said = [line for log in results.glob(f"logs/{logs}") for line in log.read_text().splitlines()]
    ignored = f"what was kept is ignored, and removed: {name}: "
    if outcome.outcome != WRONG and not any(line.startswith(ignored) for line in said):
        return replace(outcome, outcome=WRONG, said=f"nobody has noticed: {said[-5:]}")
    return outcome


# --- two at once -------------------------------------------------------------------------------------------


def two_runs(place: Place, index: int) -> Outcome:
    """A second run of the same command, at the same time or a little later."""
    workflow = place.unbuilt()
    logs = [place.folder / "first", place.folder / "second"]
    after = 0.0 if index % 3 == 0 else place.dice.uniform(0.0, 8.0)
    first = start(workflow, logs[0])
    time.sleep(after)
    second = start(workflow, logs[1])
    codes = [process.wait() for process in (first, second)]
    what = f"{after:.1f} s apart"
    said = [log.read_text() for log in logs]
    if sorted(map(bool, codes)) == [False, True]:
        refusal = errors(said[codes.index(0) ^ 1])
        if refusal and "another run is at work here" in refusal[0]:
            return again(workflow, place, what, refusal[0])
    return Outcome(what, WRONG, f"exit {codes}: {errors(said[0])} {errors(said[1])}")


# --- the clock ---------------------------------------------------------------------------------------------

DAY = 24 * 3600.0
YEARS = 365 * DAY


def dates(place: Place, index: int) -> Outcome:
    """All files carry dates of the future, of the past, or any; then some results are deleted."""
    workflow = place.built()
    which = ("the future", "the past", "any order")[index % 3]
    for path in sorted(workflow.folder.rglob("*")):
        shift = {"the future": 5, "the past": -20, "any order": place.dice.uniform(-20, 5)}[which] * YEARS
        os.utime(path, (time.time() + shift,) * 2)
    planned = workflow.planned("all")
    if planned:
        return Outcome(f"dates in {which}", WRONG, f"makes again: {sorted(planned)}")
    if index >= 3:
        there = [name for name in STAGES.values() if (workflow.folder / "results" / name).exists()]
        take_away(workflow, there[index % len(there)])
    return again(workflow, place, f"dates in {which}" + (", something is missing" if index >= 3 else ""))


def clock_set_back(place: Place, index: int) -> Outcome:
    """As if the clock were set back two days during a run: all that it has written is of the future then.

    Every other run is killed a little later. (Python's own sleep fails under libfaketime.)
    """
    workflow, log = place.unbuilt(), place.folder / "log"
    process = start(workflow, log)
    after = place.dice.uniform(2.0, place.seconds)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=after)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGSTOP)
    if process.poll() is not None:  # one that has not ended by now can't, until it goes on
        what = f"it had ended before {after:.1f} s"
        if process.returncode:
            return Outcome(what, WRONG, log.read_text()[-600:])
        return uncounted(again(workflow, place, what))
    made = 0
    for folder in ("results", ".snakemake"):
        for path in (workflow.folder / folder).rglob("*"):
            if path.is_file():
                os.utime(path, (path.stat().st_mtime + 2 * DAY,) * 2)
                made += folder == "results" and "logs" not in path.parts
    os.killpg(process.pid, signal.SIGCONT)
    what = f"after {after:.1f} s"
    killed = False
    if index % 2 == 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=place.dice.uniform(0.5, place.seconds / 2))
        if killed := process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            what += ", then killed"
    if process.wait() and not killed and "clock skew" not in log.read_text():
        return Outcome(what, WRONG, log.read_text()[-600:])
    outcome = again(workflow, place, what)
    return outcome if made else uncounted(replace(outcome, what=f"{what}, when nothing was made yet"))


CASES: dict[str, tuple[Trial, int, str, str]] = {
    "kill_job": (kill_job, 6, "short", "a job that trains is killed (SIGKILL) at a random moment"),
    "kill_snakemake": (kill_snakemake, 6, "short", "Snakemake is killed (SIGKILL) at a random moment"),
    "full_disk": (full_disk, 2 * len(STAGES), "small", "the disk gets full while a stage runs"),
    "full_before": (full_before, 2, "small", "the disk is full before the run"),
    "read_only": (read_only, 4, "small", "results/ or the whole folder is read-only"),
    "damage": (damage, 2 * len(HOW), "every", "an artefact is truncated, bit-flipped or empty"),
    "damage_kept": (
        damage_kept,
        len(KEPT) * len(HOW),
        "short",
        "what training has kept is damaged, and then needed",
    ),
    "two_runs": (two_runs, 6, "short", "two runs at once in one folder"),
    "dates": (dates, 6, "short", "all files carry wrong dates"),
    "clock_set_back": (clock_set_back, 6, "short", "the clock is set back during a run"),
}
"""What each does, how often, in which configuration, and how the table calls it."""
