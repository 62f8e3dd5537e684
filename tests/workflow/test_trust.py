"""The workflow runs nothing that a name, a path or a configuration says, and needs no network."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import Workflow, checkout, without_network

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

HOSTILE = "a b 'c' \"d\" $(touch pwned) `touch pwned` ; touch pwned & {wildcards.case} {{7*7}} é☃"
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
    overlay.write_text(yaml.safe_dump({"experiments": {"talk": {"title": HOSTILE}}}))
    figure = "results/figures/slide11_cases.svg"
    result = workflow.run("--config", f"overlay={overlay.name}", "--", figure, "results/claims.parquet")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (folder / figure).is_file()
    assert not list(tmp_path.rglob("pwned"))


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
