"""Checkpoints: an end at any moment costs time and changes no bit of the result."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from superposition_atlas.backends.interruption import deferred_signals
from superposition_atlas.errors import TrainingError
from superposition_atlas.sae import torch_engine
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.schedules import Schedule
from superposition_atlas.storage.model_files import write_models
from superposition_atlas.storage.tensors import read_tensors
from superposition_atlas.training import checkpoint as checkpoint_module
from superposition_atlas.training import pace
from superposition_atlas.training.fused import fused_engine
from superposition_atlas.training.train_toy_models import random_dictionaries, train

SCHEDULE = Schedule(np.array([1.0, 0.5, 0.2]), np.array([0.1, 0.9, 0.4]))
SETTINGS = {"steps": 130, "batch_size": 32, "record_steps": (0, 20, 130), "engine": "fused"}


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


def assert_same_bits(models, other):
    for name in ("W", "b", "loss"):
        np.testing.assert_array_equal(getattr(models, name), getattr(other, name))
    for name in ("steps", "W", "b", "feature_loss"):
        np.testing.assert_array_equal(getattr(models.history, name), getattr(other.history, name))


@pytest.fixture
def many_pauses(monkeypatch):
    monkeypatch.setattr(pace, "_PAUSE_SECONDS", 0.0)  # one step at a time


def train_and_die(monkeypatch, calls_before, **arguments):
    """Trains until the engine has been called so many times, if it is."""
    advance, calls = fused_engine.FusedEngine.advance, iter(range(calls_before))

    def die(*arguments):
        if next(calls, None) is None:
            raise Killed
        advance(*arguments)

    monkeypatch.setattr(fused_engine.FusedEngine, "advance", die)
    with pytest.raises(Killed):
        train(SCHEDULE, 2, range(3), **arguments)
    monkeypatch.setattr(fused_engine.FusedEngine, "advance", advance)


@given(moments=st.lists(st.integers(1, 40), min_size=1, max_size=3))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_killed_at_any_step_it_goes_on_to_the_same_bits(tmp_path, many_pauses, monkeypatch, moments):
    path = tmp_path / "one.safetensors"
    kept = {"checkpoint": path, "checkpoint_seconds": 0, **SETTINGS}
    for moment in moments:
        train_and_die(monkeypatch, moment, **kept)
    whole = train(SCHEDULE, 2, range(3), **SETTINGS)
    assert_same_bits(train(SCHEDULE, 2, range(3), **kept), whole)
    assert_same_bits(train(SCHEDULE, 2, range(3), **kept), whole)  # and from what is complete, at once
    path.unlink()


def test_it_really_goes_on_and_does_not_start_again(tmp_path, many_pauses, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "one.safetensors"
    leave_a_checkpoint(monkeypatch, path, after=100)
    train(SCHEDULE, 2, range(3), checkpoint=path, **SETTINGS)
    assert "going on from step 99 of 130" in caplog.text


def leave_a_checkpoint(monkeypatch, path, after=75, **changed):
    train_and_die(monkeypatch, after, checkpoint=path, checkpoint_seconds=0, **(SETTINGS | changed))
    assert path.exists()


@pytest.mark.parametrize(
    "changed", [{"batch_size": 33}, {"steps": 131}, {"learning_rate": 0.1}, {"record_steps": ()}], ids=str
)
def test_a_checkpoint_of_other_settings_is_of_no_use(tmp_path, many_pauses, monkeypatch, changed):
    path = tmp_path / "one.safetensors"
    leave_a_checkpoint(monkeypatch, path, **changed)
    assert_same_bits(
        train(SCHEDULE, 2, range(3), checkpoint=path, **SETTINGS), train(SCHEDULE, 2, range(3), **SETTINGS)
    )


@pytest.mark.parametrize("other", ["seeds", "importance", "probability", "code"])
def test_a_checkpoint_of_another_ensemble_or_code_is_of_no_use(
    tmp_path, many_pauses, monkeypatch, caplog, other
):
    caplog.set_level(logging.INFO)
    path = tmp_path / "one.safetensors"
    leave_a_checkpoint(monkeypatch, path)
    schedule, seeds = SCHEDULE, range(3)
    if other == "seeds":
        seeds = range(1, 4)
    elif other == "importance":
        schedule = Schedule(SCHEDULE.importance * 2, SCHEDULE.probability)
    elif other == "probability":
        schedule = Schedule(SCHEDULE.importance, SCHEDULE.probability / 2)
    else:
        monkeypatch.setattr(checkpoint_module, "code_digest", lambda *modules: "other")
    models = train(schedule, 2, seeds, checkpoint=path, **SETTINGS)
    assert_same_bits(models, train(schedule, 2, seeds, **SETTINGS))
    assert "belongs to other settings or code" in caplog.text


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_checkpoint_is_said_and_ignored(tmp_path, many_pauses, monkeypatch, caplog, damage):
    path = tmp_path / "one.safetensors"
    leave_a_checkpoint(monkeypatch, path)
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[-5] ^= 4
    path.write_bytes({"truncated": content[:-7], "flipped": bytes(flipped), "empty": b""}[damage])
    models = train(SCHEDULE, 2, range(3), checkpoint=path, **SETTINGS)
    assert_same_bits(models, train(SCHEDULE, 2, range(3), **SETTINGS))
    assert f"checkpoint ignored: {path}" in caplog.text


@pytest.mark.parametrize("what", ["text", "models", "folder"])
def test_what_is_no_checkpoint_is_left_alone(tmp_path, what):
    path = tmp_path / "mine"
    if what == "text":
        path.write_text("my only copy")
    elif what == "models":
        write_models(train(SCHEDULE, 2, range(3), **SETTINGS), path, {}, "code")
    else:
        path.mkdir()
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(TrainingError, match="must be a new file or a checkpoint"):
        train(SCHEDULE, 2, range(3), checkpoint=path, **SETTINGS)
    assert before == (path.read_bytes() if path.is_file() else None)


def test_the_checkpoint_of_another_call_stays_until_there_is_something_to_keep(
    tmp_path, many_pauses, monkeypatch
):
    path = tmp_path / "one.safetensors"
    leave_a_checkpoint(monkeypatch, path)
    before = path.read_bytes()
    train(SCHEDULE, 2, range(5), checkpoint=path, **SETTINGS)
    assert path.read_bytes() == before


def test_what_a_killed_process_was_writing_is_cleared_away(tmp_path):
    (tmp_path / ".one.safetensors.abcdefgh.safetensors").write_bytes(b"half")
    (tmp_path / ".other.safetensors.abcdefgh.safetensors").write_bytes(b"not ours")
    train(SCHEDULE, 2, range(3), checkpoint=tmp_path / "one.safetensors", **SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == [".other.safetensors.abcdefgh.safetensors"]


@pytest.mark.parametrize("moment", ["last chunk", "last record"])
def test_ctrl_c_in_the_last_moment_keeps_all_and_is_not_lost(tmp_path, monkeypatch, moment):
    path = tmp_path / "one.safetensors"
    method = {"last chunk": "advance", "last record": "feature_loss"}[moment]
    original = getattr(fused_engine.FusedEngine, method)

    def interrupted(self, of, *arguments):
        result = original(self, of, *arguments)
        if moment == "last record" or of.step == 130:
            os.kill(os.getpid(), signal.SIGINT)
        return result

    monkeypatch.setattr(fused_engine.FusedEngine, method, interrupted)
    kept = SETTINGS | {"record_steps": (130,), "checkpoint": path}
    with pytest.raises(KeyboardInterrupt, match=f"Ctrl-C at step 130 of 130; {path} keeps what is done"):
        train(SCHEDULE, 2, range(3), **kept)
    monkeypatch.setattr(fused_engine.FusedEngine, method, original)
    whole = train(SCHEDULE, 2, range(3), **(SETTINGS | {"record_steps": (130,)}))
    assert_same_bits(train(SCHEDULE, 2, range(3), **kept), whole)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_to_be_ignored_is_ignored(tmp_path, monkeypatch):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with deferred_signals() as signal_received:
            os.kill(os.getpid(), signal.SIGTERM)
            assert signal_received() is None
    finally:
        signal.signal(signal.SIGTERM, before)


def test_training_goes_on_where_no_checkpoint_can_be_written(tmp_path, many_pauses, caplog):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "one.safetensors"
    models = train(SCHEDULE, 2, range(3), checkpoint=path, checkpoint_seconds=0, **SETTINGS)
    assert_same_bits(models, train(SCHEDULE, 2, range(3), **SETTINGS))
    assert "no checkpoint written" in caplog.text


def test_how_long_it_takes_is_said_before_it_is_over(caplog):
    caplog.set_level(logging.INFO)
    train(SCHEDULE, 2, range(40), steps=2000, engine="fused")
    assert "40 toy models 3 → 2, 2000 steps of 1024 samples (fused): about " in caplog.text


# --- a real process, ended by real signals -----------------------------------------------------------------

PROGRAM = """
import sys
import numpy as np
from superposition_atlas import cli
from superposition_atlas.sae import torch_engine
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.schedules import Schedule
from superposition_atlas.training.train_toy_models import random_dictionaries, train
path, output = sys.argv[1:]
try:
    models = train(
        Schedule(0.9 ** np.arange(20), np.full(20, 0.1)), 5, range(24), steps=2500, engine="fused",
        checkpoint=path, checkpoint_seconds=0, record_steps=(0, 1000),
    )
except KeyboardInterrupt as interrupt:
    sys.exit(f"error: {interrupt}")
arrays = {name: array for name, array in vars(models.history).items() if array is not None}
recorded = {f"recorded_{name}": array for name, array in arrays.items()}
np.savez(output, W=models.W, b=models.b, loss=models.loss, **recorded)
"""


def start(path, output):
    arguments = [sys.executable, "-c", PROGRAM, str(path), str(output)]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def assert_same_results(output: Path, expected: Path):
    with np.load(output) as arrays, np.load(expected) as others:
        assert set(arrays) == set(others)
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], others[name])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    assert start(folder / "kept", folder / "models.npz").wait() == 0
    return folder / "models.npz", time.monotonic() - began


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("at_least", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_sigkill_at_random_moments_changes_no_bit(tmp_path, undisturbed, at_least):
    expected, seconds = undisturbed
    random = np.random.default_rng(0)
    kills = resumed = 0
    while kills < at_least or not resumed:  # else the moments were too early to prove anything
        path, output = tmp_path / "kept", tmp_path / "models.npz"
        output.unlink(missing_ok=True)
        while not output.exists():
            process = start(path, output)
            try:
                process.communicate(timeout=random.uniform(0.1, 0.6) * seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                resumed += path.exists()
        assert_same_results(output, expected)
    assert resumed >= at_least // 5


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_checkpoint_and_one_line(tmp_path, undisturbed, number):
    path, output = tmp_path / "kept", tmp_path / "models.npz"
    process = start(path, output)
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, number)
    said = process.communicate()[1]
    assert process.returncode == 1
    name = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}[number]
    assert said.startswith(f"error: {name} at step ")
    assert said.count("\n") == 1
    assert str(path) in said
    saved = read_tensors(path)[1]["step"]
    assert f"at step {saved} of 2500" in said
    assert not output.exists()
    assert start(path, output).wait() == 0
    assert_same_results(output, undisturbed[0])


# --- SAEs: the same loop -----------------------------------------------------------------------------------

SAE_SETTINGS = {
    "n_latents": 5, "steps": 90, "batch_size": 16, "record_steps": (0, 30, 90), "engine": "torch",
    "resampling": "simple", "resample_every": 20, "dead_window": 5,
}  # fmt: skip


def test_saes_that_were_killed_go_on_to_the_same_bits(tmp_path, many_pauses, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    models = random_dictionaries(SCHEDULE, 2, range(3))
    whole = train_saes(models, **SAE_SETTINGS)
    kept = {"checkpoint": tmp_path / "saes.safetensors", "checkpoint_seconds": 0, **SAE_SETTINGS}
    advance, calls = torch_engine.advance, iter(range(60))

    def die(*arguments):
        if next(calls, None) is None:
            raise Killed
        advance(*arguments)

    monkeypatch.setattr(torch_engine, "advance", die)
    with pytest.raises(Killed):
        train_saes(models, **kept)
    monkeypatch.setattr(torch_engine, "advance", advance)
    resumed = train_saes(models, **kept)
    assert "going on from step 59 of 90" in caplog.text
    for name in whole.parameters:
        np.testing.assert_array_equal(resumed.parameters[name], whole.parameters[name])
        np.testing.assert_array_equal(resumed.history[name], whole.history[name])
    np.testing.assert_array_equal(resumed.resampled, whole.resampled)
    assert whole.resampled.shape[0] > 1


def test_a_checkpoint_of_other_saes_is_of_no_use(tmp_path, many_pauses, caplog):
    kept = {"checkpoint": tmp_path / "saes.safetensors", "checkpoint_seconds": 0}
    models = random_dictionaries(SCHEDULE, 2, range(2))
    train_saes(models, **kept, **SAE_SETTINGS)
    changed = SAE_SETTINGS | {"learning_rate": 0.01}
    saes = train_saes(models, **kept, **changed)
    assert "belongs to other settings or code" in caplog.text
    np.testing.assert_array_equal(saes.W_enc, train_saes(models, **changed).W_enc)
