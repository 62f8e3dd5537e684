"""Paths below results/: one table knows them all, and a path is recognised however it is typed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from superposition_atlas.cli.main import COMMANDS
from superposition_atlas.config.sections import PAPERS, TABLES
from superposition_atlas.storage import layout

WORKFLOW = Path(__file__).parents[2] / "workflow"
# Names as a configuration may have them; those that look like folders of results/ are the hard ones.
NAMES = st.from_regex("[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True) | st.sampled_from(
    ["results", "cases", "models", "metrics", "points", "shard", "heads_1", "features"]
)
FIELDS = {
    "shard": st.integers(0, 10**6).map(str),
    "part": st.sampled_from(layout.attention_parts([1, 12])),
    "format": st.sampled_from(["svg", "png", "gif"]),
    "paper": st.sampled_from(sorted(PAPERS)),
    "job": st.lists(NAMES, min_size=1, max_size=4).map("/".join),
}


@st.composite
def places(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """An entry, and values of its fields."""
    name = draw(st.sampled_from(sorted(layout.ENTRIES)))
    entry = layout.ENTRIES[name]
    strategies = FIELDS | {"table": st.sampled_from(entry.tables or ("none",))}
    fields = re.findall(r"\{(\w+)\}", entry.template)
    return name, {field: draw(strategies.get(field, NAMES)) for field in fields}


@given(places(), st.sampled_from(["", "./", "x/../", "/data/results/", "/results/a/b/"]))
def test_every_path_is_recognised_as_what_it_is(place: tuple[str, dict[str, str]], start: str) -> None:
    name, fields = place
    below = layout.ENTRIES[name].template.format(**fields)
    found = layout.identify(f"{start}results/{below}")
    assert found is not None
    assert (found.name, found.below, found.fields) == (name, below, fields)


def test_every_entry_has_words_and_a_command_that_exists() -> None:
    for entry in layout.ENTRIES.values():
        assert entry.kind
        assert entry.command is None or entry.command.replace("_", "-") in COMMANDS
        assert ("{table}" in entry.template) == bool(entry.tables)


@pytest.mark.parametrize("path", ["notes.txt", "results", "results/notes.txt", "results/maps/a/b/c.parquet"])
def test_other_files_are_not_recognised(path: str) -> None:
    assert layout.identify(path) is None


def test_a_path_is_recognised_through_links_and_from_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = tmp_path / "scratch" / "of_mine"
    for folder in ("models/talk", "schedules/talk"):
        (stored / folder).mkdir(parents=True)
    (tmp_path / "results").symlink_to(stored)
    (tmp_path / "shortcut").symlink_to(tmp_path / "results")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "results").symlink_to(stored / "models")
    monkeypatch.chdir(tmp_path)
    place = layout.identify(layout.models("talk", "case1"))
    assert place is not None
    assert place.kind == "toy models of a case"
    real = tmp_path / "results.d" / "results"
    (real / "models" / "talk").mkdir(parents=True)
    (tmp_path / "link").symlink_to(real / "models")
    assert layout.identify("link/talk/case1.safetensors") == place
    monkeypatch.chdir(real / "models")
    assert layout.identify("talk/case1.safetensors") == place
    assert layout.identify("../models/./talk/case1.safetensors") == place


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """Strings of a module that are no docstrings, with their lines."""
    tree = ast.parse(path.read_bytes())
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.lineno, node.value


def test_no_other_module_spells_a_path_below_results() -> None:
    package = WORKFLOW / "src" / "superposition_atlas"
    for path in package.rglob("*.py"):
        if path != package / "storage" / "layout.py":
            for line, text in literals(path):
                # A message may speak of the folder, as in "delete all of results/".
                # What measures may not import the layout; `explore` has an argument of that name.
                if path.name in ("checksums.py", "notebook.py") and text == "results":
                    continue
                assert not re.match("results/|results$", text), (path, line, text)
                assert not re.search(r"\bresults/\w", text), (path, line, text)


def test_no_rule_spells_a_path_below_results() -> None:
    for path in [*(WORKFLOW / "rules").glob("*.smk"), WORKFLOW.parent / "Snakefile"]:
        text = re.sub(r'""".*?"""', "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert "results/" not in text, path


def test_every_table_of_a_section_has_a_path_and_a_command() -> None:
    tables = {table for of_section in TABLES.values() for table in of_section}
    assert tables == set(layout.SECTION_TABLES)
    for table in tables:
        place = layout.identify(layout.case_table("one", "case", table))
        assert place is not None
        assert place.command is not None
        joined = layout.identify(layout.experiment_table("one", table))
        assert joined is not None
        assert joined.name == "experiment_table"
