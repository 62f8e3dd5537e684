"""Configuration files: what is read, what is refused."""

import json
import re
from pathlib import Path

import pytest
from snakemake.common.configfile import load_configfile
from superposition_atlas.config import read
from superposition_atlas.errors import ConfigError

from .config_samples import SMOKE, TALK


def assert_refused(path: Path, content: str, named: list[str]) -> None:
    """In one line, with the file and all of these."""
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    for part in named:
        assert part in text


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (
            "experiments:\n  a:\n    cases:\n      one: {}\n      one: {}\n",
            ["line 5", "'one'", "given twice", "line 4"],
        ),
        ("a: {b: 1, b: 2}\n", ["line 1", "'b'", "given twice"]),
        ("experiments: [1, 2\nfoo: 3\n", ["line 2"]),
        ("\ta: 1\n", ["line 1"]),
        ("", ["a mapping", "nothing"]),
        ("- 1\n", ["a mapping", "list"]),
        ("a: !!python/object:os.system {}\n", ["line 1", "python/object"]),
        ("--- 1\n--- 2\n", ["line 2"]),
        ("a: 2024-13-01\n", ["not YAML", "month must be in 1..12"]),
        ("? [1]\n: 2\n", ["line 1", "unhashable"]),
    ],
)
def test_an_unreadable_file_is_named_with_its_line(tmp_path: Path, content: str, named: list[str]) -> None:
    assert_refused(tmp_path / "mine.yaml", content, named)


def test_missing_folder_and_binary_files_are_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(bytes(range(256)))
    for path in (tmp_path / "none.yaml", tmp_path, binary):
        with pytest.raises(ConfigError, match=re.escape(str(path))) as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_anchors_and_merge_keys_may_repeat_a_key(tmp_path: Path) -> None:
    path = tmp_path / "anchors.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}}


@pytest.mark.parametrize("path", [TALK, SMOKE], ids=["config", "smoke"])
def test_we_read_what_snakemake_reads(path: Path) -> None:
    assert read(path) == load_configfile(path)


def test_a_long_list_without_aliases_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("seeds:\n" + "".join(f"- {seed}\n" for seed in range(100_001)))
    assert read(path) == {"seeds": list(range(100_001))}


def test_json_is_read_as_json(tmp_path: Path) -> None:
    raw = {"rate": 5e-05, "large": 1e16, "title": "\N{GRINNING FACE}", "n": [1, True, None, {"é": 1.5}]}
    path = tmp_path / "mine.json"
    for ensure_ascii in (True, False):
        path.write_text(json.dumps(raw, ensure_ascii=ensure_ascii), encoding="utf-8")
        assert read(path) == raw


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('{"a": 1,\n "a": 2}', ["line 2", "'a'", "given twice, first on line 1"]),
        ('{"a": {"b": 1, "b": 2}}', ["line 1", "'b'", "given twice"]),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", ["nested too deeply"]),
        ('{"a": ' + "9" * 5000 + "}", ["not YAML", "4300"]),
        ("[1]", ["a mapping", "list"]),
    ],
    ids=["twice", "twice inside", "deep", "digits", "list"],
)
def test_what_json_can_not_be_is_said_as_of_yaml(tmp_path: Path, content: str, named: list[str]) -> None:
    assert_refused(tmp_path / "mine.json", content, named)


def test_a_few_lines_that_stand_for_billions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    for text in ("\n".join(lines), "a: &a [*a]"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="aliases stand for too much, allowed are 100000 values"):
            read(path)
