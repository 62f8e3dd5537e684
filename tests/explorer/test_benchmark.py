"""The benchmark runs and writes what its readers look for. No clock."""

import json
import subprocess
import sys
from pathlib import Path

from tests.explorer.browser import in_chromium

pytestmark = in_chromium


def test_the_benchmark_writes_speeds_and_what_ran_where(tmp_path: Path) -> None:
    script, path = Path(__file__).parents[2] / "benchmarks" / "explorer.py", tmp_path / "explorer.json"
    command = [sys.executable, str(script), "--seconds", ".01", "--turns", "1", "--json", str(path)]
    subprocess.run(command, check=True)
    record = json.loads(path.read_text())
    assert {
        "date",
        "processor",
        "cores",
        "load_average",
        "versions",
        "browser",
        "page_bytes",
    } <= record.keys()
    assert record["steps_a_second"].keys() == {"webassembly", "plain"}
    assert record["first_picture_ms"].keys() == {"median", "least"}
    assert record["eight_seeds"].keys() == {"frames_a_second", "longest_frame_ms", "steps_a_second_of_eight"}
    assert min(*record["steps_a_second"].values(), *record["eight_seeds"].values()) > 0
