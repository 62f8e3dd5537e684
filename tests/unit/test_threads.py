"""Threads: how many there may be, instances shared among them, and processes that were forked."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.backends import threads
from superposition_atlas.backends.threads import available_threads, cpu_quota, run_in_groups


def control_groups(folder: Path, membership: str, files: dict[str, str]) -> tuple[Path, Path]:
    """What a kernel shows of control groups."""
    (folder / "membership").write_text(membership)
    (folder / "groups").mkdir()
    for name, content in files.items():
        path = folder / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder / "membership", folder / "groups"


V1 = "12:cpuset:/docker/a\n5:cpu,cpuacct:/docker/a\n1:name=systemd:/docker/a\n"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        (
            "0::/a/b\n",
            {"a/cpu.max": "50000 100000", "a/b/cpu.max": "400000 100000", "cpu.max": "max 100000"},
            0.5,
        ),
        ("0::/../../host/path\n", {"cpu.max": "300000 100000"}, 3.0),
        ("0::/of/the/host\n", {"cpu.max": "200000 100000"}, 2.0),
        (V1, {"cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.5),
        (
            V1,
            {"cpu,cpuacct/docker/a/cpu.cfs_quota_us": "-1", "cpu,cpuacct/docker/a/cpu.cfs_period_us": "1"},
            None,
        ),
        ("not a line\n", {"cpu.max": "150000 100000\n"}, None),
        ("0::/\n", {"cpu.max": "a lot\n"}, None),
    ],
)
def test_the_quota_of_a_container_is_read(
    tmp_path: Path, membership: str, files: dict[str, str], expected: float | None
) -> None:
    assert cpu_quota(*control_groups(tmp_path, membership, files)) == expected


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "missing", tmp_path) is None


@pytest.mark.parametrize(("quota", "expected"), [(None, 8), (1.5, 2), (0.1, 1), (3.0, 3), (64.0, 8)])
def test_a_process_has_the_threads_that_affinity_and_quota_allow(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    assert available_threads() == expected


@given(n_instances=st.integers(0, 60), n_threads=st.integers(1, 5))
def test_every_instance_is_worked_on_once(n_instances: int, n_threads: int) -> None:
    counts = np.zeros(n_instances, dtype=int)
    seen = set()

    def work(first: int, end: int) -> None:
        seen.add(threading.get_ident())
        counts[first:end] += 1

    run_in_groups(work, n_instances, n_threads)
    assert (counts == 1).all()
    assert len(seen) <= n_threads


def test_the_first_failure_is_raised_and_the_rest_left() -> None:
    begun = []

    def work(first: int, end: int) -> None:
        begun.append(first)
        raise ArithmeticError(str(first))

    with pytest.raises(ArithmeticError, match=r"^0$"):
        run_in_groups(work, 1000, 1)
    assert len(begun) < 4


FORKED = """
import os, sys
import numpy as np, torch
import superposition_atlas as sa
from superposition_atlas.attention.train_attention import train_attention

torch.ones(3000, 300) @ torch.ones(300, 300)  # starts threads, if there are any to start
schedule = sa.schedules.uniform(40, 0.5)
options = {"threads": 2, "progress": False}

def work():
    models = sa.train(schedule, 10, range(4), steps=2, engine="torch", **options)
    saes = sa.train_saes(models, n_latents=40, steps=2, engine="torch", **options)
    attention = train_attention(models, n_heads=2, steps=2)
    return [models.W, models.loss, saes.W_enc, attention.W_Q, attention.loss]

here = work()
process = os.fork()
if process == 0:
    there = work()
    os._exit(0 if all(np.array_equal(a, b) for a, b in zip(here, there)) else 3)
print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_trains_to_the_same_bits() -> None:
    """OpenMP's threads stay with the parent: a child that needs them waits for ever."""
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.strip() == "0", done.stderr


def test_torch_has_one_thread_inside_and_as_many_as_before_outside() -> None:
    import torch

    before = torch.get_num_threads()
    found: list[int] = []

    def note(first: int, end: int) -> None:
        found.append(torch.get_num_threads())

    with threads.one_torch_thread():
        run_in_groups(note, 8, 2)
        assert torch.get_num_threads() == 1
    assert set(found) == {1}
    assert torch.get_num_threads() == before
