"""Kernels give the same bits in the process that compiles them and in those that find them compiled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TRAINED = """
schedule = sa.schedules.geometric(5, 1.0, 0.02, 0.9)
models = sa.train(schedule, 2, range(8), steps=1500, learning_rate=0.005, **QUIET)
tell("toy models", models.W, models.b, models.loss)
"""
SAES = """
for architecture, options in {architectures}.items():
    saes = sa.train_saes(
        models, architecture=architecture, n_latents=5, steps=1500, dead_window=100, **options, **QUIET
    )
    tell(architecture, *saes.parameters.values())
"""
SELECTING = {
    "topk": {"k": [1, 2]},  # latents of an SAE with k = 1 die, and AuxK calls on them
    "batch_topk": {"k": [1, 2]},
    "matryoshka": {"k": [1, 2], "prefixes": [2]},
}
OTHERS: dict[str, dict[str, object]] = {
    "relu": {"resampling": "advanced", "resample_every": 500},
    "gated": {},
    "jumprelu": {"sparsity_coefficient": 0.01},
    "frozen": {},
}
SOLVED = """
found = sa.best_solutions([1.0, 0.9, 0.8, 0.7, 0.6], [0.5, 0.3, 0.1, 0.05, 0.02], 2, n_starts=4)
tell("best solutions", *(minimum.W for minimum in found), *(minimum.b for minimum in found))
"""
WIDE = """
wide = sa.train(sa.schedules.linear(20, 0.5, 0.02, 0.9), 6, range(4), steps=200, **QUIET)
tell("wide", wide.W, wide.b, wide.loss)
rare = sa.train(sa.schedules.uniform(40, 0.01), 10, range(4), steps=200, **QUIET)
tell("rare", rare.W, rare.b, rare.loss)
"""
FRAME = """
import hashlib
import numpy as np
import superposition_atlas as sa

QUIET = {"progress": None, "threads": 1}

def tell(name, *arrays):
    content = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    print(name, hashlib.sha256(content).hexdigest())
"""


def told(cache: Path, code: str) -> str:
    """What a process of its own prints, whose machine code is kept in a folder."""
    done = subprocess.run(
        [sys.executable, "-c", FRAME + code],
        env=os.environ | {"NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(TRAINED + SAES.format(architectures={"topk": SELECTING["topk"]}), id="topk"),
        pytest.param(SOLVED, id="solutions", marks=pytest.mark.slow),
        pytest.param(TRAINED + SAES.format(architectures=SELECTING), id="selecting", marks=pytest.mark.slow),
        pytest.param(TRAINED + SAES.format(architectures=OTHERS), id="others", marks=pytest.mark.slow),
        pytest.param(WIDE, id="wide", marks=pytest.mark.slow),
    ],
)
def test_the_first_run_gives_the_same_bits_as_the_next(tmp_path: Path, code: str) -> None:
    first = told(tmp_path, code)
    assert any(tmp_path.rglob("*.nbc"))
    assert first.splitlines()
    assert told(tmp_path, code) == first
