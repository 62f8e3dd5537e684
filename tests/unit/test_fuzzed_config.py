"""Configurations at random: each is accepted, or refused in one line that names the place; nothing else."""

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from superposition_atlas.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
TALK: dict[str, Any] = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))

Path_ = tuple[Any, ...]


def places(tree: Any, above: Path_ = ()) -> Iterator[Path_]:
    """Where there is something: keys of mappings, positions in lists."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*above, key)
        yield from places(value, (*above, key))


PLACES = list(places(TALK))
KEYS = sorted({key for place in PLACES for key in place if isinstance(key, str)})

WORDS = st.one_of(
    st.sampled_from(KEYS),
    st.sampled_from(
        [
            *("", "base", "auto", "1e-3", "null", "yes", "~", "=", "<<", "__use_yte__", "?1+1", "__proto__"),
            *("$(touch pwned)", "`id`", "; rm x", "../up", "/etc/passwd", "a\nb", "a\0b", "{x}", "{{7*7}}"),
            *("\ud7ff", "\ufeff", "\u202e", "é" * 100, "x" * 100_000, "!!python/object/apply:os.system [id]"),
        ]
    ),
    st.text(max_size=20),
)
NUMBERS = st.one_of(
    st.integers(-3, 12),
    st.sampled_from([10**3, 10**6, 10**9, 2**31, 2**63, 2**64, 10**30, 10**400, -(10**400)]),
    st.floats(allow_nan=True, allow_infinity=True),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.dates(), st.binary(max_size=5))
JUNK = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(WORDS, st.integers(), st.booleans(), st.none()), inner, max_size=4),
    ),
    max_leaves=8,
)


def at(tree: Any, place: Path_) -> Any:
    for key in place:
        tree = tree[key]
    return tree


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """The talk's configuration with one to three things wrong, moved, or merely different."""
    tree = deepcopy(TALK)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(PLACES))
        try:
            parent, key = at(tree, place[:-1]), place[-1]
            value = parent[key]
        except (LookupError, TypeError):  # an earlier change took it away
            continue
        how = draw(st.sampled_from(["drop", "replace", "replace", "rename", "wrap", "swap", "add"]))
        if how == "drop":
            del parent[key]
        elif how == "replace":
            parent[key] = draw(JUNK)
        elif how == "rename" and isinstance(parent, dict):
            parent[draw(WORDS)] = parent.pop(key)
        elif how == "wrap":
            parent[key] = draw(st.sampled_from([[value], {key: value}, [value, value], {"family": value}]))
        elif how == "swap":
            parent[key] = deepcopy(at(TALK, draw(st.sampled_from(PLACES))))
        elif isinstance(value, dict):
            value[draw(WORDS)] = draw(JUNK)
        elif isinstance(value, list):
            value.append(draw(JUNK))
    return tree


RUBBISH = [
    *("\t", "\0", "{", "}", "[", "]", ": ", "- ", "\n", "'", '"', "&a ", "*a", "|", ">", "%", "@", "!!set "),
    *("!!python/object/apply:os.system ['touch pwned']", "!!python/name:os.system", "!!binary x", "0x"),
    *("<<: *uniform\n", "? ", "--- ", "...\n", "\u2028", "\x85", "!!timestamp x", "1:99:99", "2024-13-01"),
]


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A YAML file: a mutated configuration, one with rubbish in its very text, or only rubbish."""
    kind = draw(st.sampled_from(["tree", "tree", "tree", "text", "bytes"]))
    if kind == "bytes":
        return draw(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode())))
    text = yaml.safe_dump(draw(mutated()), allow_unicode=True, sort_keys=False)
    if kind == "text":
        for _ in range(draw(st.integers(1, 3))):
            start = draw(st.integers(0, len(text)))
            end = draw(st.integers(start, min(len(text), start + 40)))
            text = text[:start] + draw(st.sampled_from(RUBBISH)) + text[end:]
    return text.encode("utf-8", "surrogatepass")


def checked(content: bytes, folder: Path) -> tuple[int, str]:
    path = folder / "fuzzed.yaml"
    path.write_bytes(content)
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = main(["check-config", str(path)])
    return status, said.getvalue()


def accepted_or_refused_in_one_line(content: bytes, folder: Path) -> None:
    status, said = checked(content, folder)
    if status == 0:
        assert said == ""
        return
    assert status == 1
    assert re.fullmatch(r"error: [^\n]+\n", said), said
    assert len(said) < 2000, said
    # Either a key, with what it has and what is allowed; or the file, where that is no YAML.
    named = re.search(r": (got|unknown key|missing)\b.*allowed ", said) or ", but " in said
    assert named or said.startswith(f"error: {folder}"), said
    assert said.isprintable() or said.rstrip("\n").isprintable(), ascii(said)


def fuzz(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    # Not made smaller: the message that is wrong says where, and a whole configuration takes long to shrink.
    phases = (Phase.generate,)
    return settings(max_examples=examples, suppress_health_check=quiet, database=None, phases=phases)


@fuzz(100)
@given(content=documents())
def test_a_fuzzed_configuration_is_accepted_or_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    accepted_or_refused_in_one_line(content, tmp_path)


@pytest.mark.slow
@fuzz(2000)
@given(content=documents())
def test_two_thousand_fuzzed_configurations(content: bytes, tmp_path: Path) -> None:
    accepted_or_refused_in_one_line(content, tmp_path)
