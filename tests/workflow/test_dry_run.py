"""What a dry run prints can be read, and it writes nothing."""

import pytest

from .conftest import Workflow

pytestmark = pytest.mark.workflow


def test_lines_are_short_and_nothing_is_written(unbuilt: Workflow) -> None:
    """Five outputs with long names are 500 letters: no line is longer than those of `recovery`."""
    dry = unbuilt.run("--dry-run", "--printshellcmds", "--", "all")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    lines = [line for line in (dry.stdout + dry.stderr).splitlines() if "recovery" not in line]
    assert sum(line.startswith("Shell command: ") for line in lines) > 50
    assert [line for line in lines if len(line) > 600] == []
    assert not (unbuilt.folder / "results").exists()
    assert not list((unbuilt.folder / ".snakemake").glob("superposition_atlas*"))


def test_a_command_that_was_printed_can_be_run_again_by_hand(built: Workflow) -> None:
    """Its spec is in a file of `.snakemake/`, since the run wrote it."""
    dry = built.run("--dry-run", "--printshellcmds", "--forceall", "--", "all")
    specs = [
        line.rpartition(" < ")[2]
        for line in (dry.stdout + dry.stderr).splitlines()
        if line.startswith("Shell command: ") and " < " in line
    ]
    assert specs
    assert [spec for spec in specs if not (built.folder / spec).is_file()] == []
