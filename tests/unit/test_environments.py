"""Environments as users have them: settings of pip, folders that were moved, conda."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with spaces that has its environment, as the Makefile sees it."""
    folder = tmp_path / "a checkout"
    scripts = folder / ".venv/bin"
    scripts.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    (scripts / "snakemake").write_text(f"#!/bin/sh\n'''exec' '{scripts}/python' \"$0\" \"$@\"\n")
    (folder / ".venv/.installed").touch()
    return folder


def planned(folder: Path, **environment: str) -> str:
    result = subprocess.run(
        ["make", "--dry-run", "all"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_an_environment_that_is_there_is_taken(checkout: Path) -> None:
    assert "pip install" not in planned(checkout)
    assert "snakemake --cores" in planned(checkout)


def test_a_moved_or_copied_checkout_makes_an_environment_of_its_own(checkout: Path) -> None:
    copied = shutil.copytree(checkout, checkout.parent / "copied")
    for folder in (copied, checkout.rename(checkout.parent / "moved")):
        plan = planned(folder)
        assert plan.index("rm -rf .venv") < plan.index("-m venv .venv") < plan.index("pip install")


def test_settings_of_pip_do_not_install_elsewhere(checkout: Path) -> None:
    with (checkout / "Makefile").open("a") as file:
        file.write("\nshow:\n\t@env\n")
    elsewhere = dict.fromkeys(("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONHOME"), "/elsewhere")
    result = subprocess.run(
        ["make", "--silent", "show"],
        cwd=checkout,
        env={**os.environ, **elsewhere, "PIP_USER": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)
    assert seen["PIP_USER"] == "0"
    assert not elsewhere.keys() & seen.keys()


def test_environments_that_snakemake_makes_get_the_package(tmp_path: Path) -> None:
    """As Snakemake does: the script beside environment.yml, in the environment, in the working directory."""
    (tmp_path / "python").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "python").chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SUPERPOSITION_ATLAS_CHECKOUT": "/some where",
    }
    script = ROOT / "environment.post-deploy.sh"
    assert script.with_name("environment.yml").is_file()
    result = subprocess.run(
        ["bash", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("-m pip install --no-deps")
    assert result.stdout.endswith("--editable /some where\n")
