"""The workflow runs nothing that a name, a path or a configuration says, and needs no network."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import Workflow, checkout, without_network

pytestmark = pytest.mark.workflow

HOSTILE = "a b 'c' \"d\" $(touch pwned) `touch pwned` ; touch pwned & \n touch pwned # é☃"
BRACES = "{wildcards.case} {{7*7}}"
CALL = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"


def test_everything_is_built_without_a_network(built: Workflow) -> None:
    if not without_network():
        pytest.skip("unshare --net is not allowed here")
    called = subprocess.run(
        [*without_network(), sys.executable, "-c", CALL], capture_output=True, text=True, check=False
    )
    assert "Network is unreachable" in called.stderr
    assert (built.folder / "results" / "report.pdf").is_file()


def test_a_hostile_folder_and_a_hostile_file_name_are_names(tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    workflow = checkout(folder)
    overlay = folder / f"{HOSTILE}.yaml"
    title = f"{HOSTILE} {BRACES}".replace("\n", "")
    overlay.write_text(yaml.safe_dump({"experiments": {"talk": {"title": title}}}))
    figure = "results/figures/slide11_cases.svg"
    # Snakemake reads values of --config as YAML, in which this name needs quotes and a list.
    name = json.dumps([overlay.name], ensure_ascii=False)
    result = workflow.run("--config", f"overlay={name}", "--", figure, "results/claims.parquet")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (folder / figure).is_file()
    assert not list(tmp_path.rglob("pwned"))


def test_a_folder_with_braces_is_refused_in_a_line(tmp_path: Path) -> None:
    """Snakemake would take them for wildcards."""
    folder = tmp_path / BRACES
    folder.mkdir()
    result = checkout(folder).run("all")
    assert result.returncode != 0
    assert result.stderr.splitlines()[-1].startswith(f"error: {folder}: got a folder with braces")


PYTHON = """
__use_yte__: true
?open("pwned", "w").write("x"):
  engine: fused
"""


@pytest.mark.parametrize(
    "text",
    [
        PYTHON,
        "engine: !!python/object/apply:os.system ['touch pwned']",
        "engine: [",
    ],
)
def test_an_overlay_is_data_and_refused_in_a_line(unbuilt: Workflow, text: str) -> None:
    (unbuilt.folder / "mine.yaml").write_text(text)
    result = unbuilt.run("--config", "overlay=mine.yaml", "--", "all")
    said = result.stdout + result.stderr
    assert result.returncode != 0
    assert len([line for line in said.splitlines() if line.startswith("error: ")]) == 1
    assert "Traceback" not in said
    assert not (unbuilt.folder / "pwned").exists()
    assert not (unbuilt.folder / "results").exists()
