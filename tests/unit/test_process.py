"""What a command's process does not take from its environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from superposition_atlas.backends.process import make_independent

INLINE = "module://matplotlib_inline.backend_inline"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A notebook's terminal, a matplotlibrc that is no text, a folder that can't be written."""
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe\x00 : nothing\n")
    given = {
        "MPLBACKEND": INLINE,
        "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"),
        "OMP_NUM_THREADS": "7",
        "OPENBLAS_NUM_THREADS": "7",
    }
    return os.environ | given


def test_a_command_draws_in_a_notebooks_terminal(environment: dict[str, str]) -> None:
    """The command of figures imports matplotlib, which reads all of these then."""
    done = subprocess.run(
        [sys.executable, "-m", "superposition_atlas", "figure", "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_without_it_the_same_environment_is_refused(environment: dict[str, str]) -> None:
    """Else the test above would pass whatever the command does."""
    done = subprocess.run(
        [sys.executable, "-c", "import matplotlib"], env=environment, check=False, capture_output=True
    )
    assert done.returncode != 0


def test_products_have_one_thread_whatever_snakemake_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MPLBACKEND", "MATPLOTLIBRC"):
        monkeypatch.setenv(name, "7")
    make_independent()
    assert os.environ["OPENBLAS_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
    assert os.environ["MPLBACKEND"] == "agg"
