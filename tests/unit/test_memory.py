"""A million toy models go through every command in less than a gigabyte."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "million.py"
LIMIT = 1000.0
"""MB."""


def measured(path: Path, *arguments: str) -> dict[str, float]:
    """The largest memory of each command."""
    subprocess.run([sys.executable, BENCHMARK, "--json", path, *arguments], check=True, capture_output=True)
    record = json.loads(path.read_text())
    rows = [row for way in ("map", "case") for row in record.get(way, ()) if "jobs" in row]
    return {row["command"]: row["largest_memory_mb"] for row in rows}


def test_every_command_is_measured(tmp_path: Path) -> None:
    memory = measured(tmp_path / "few.json", "--schedules", "4", "--seeds", "2", "--shards", "2")
    map_commands = {"map-points", "map-weights", "map-solutions", "map-measures"}
    case_commands = {
        "schedules",
        "train",
        "join-models",
        "features",
        "collect (models)",
        "collect (features)",
    }
    assert memory.keys() == map_commands | case_commands
    assert min(memory.values()) > 20.0  # what Python alone takes


@pytest.mark.slow
def test_a_million_toy_models_take_less_than_a_gigabyte(tmp_path: Path) -> None:
    memory = measured(tmp_path / "million.json")
    assert {command: most for command, most in memory.items() if most >= LIMIT} == {}
