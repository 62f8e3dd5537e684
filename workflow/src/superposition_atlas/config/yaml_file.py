"""Reading a YAML file as plain data. A key given twice is an error: YAML would silently keep the last."""

import json
from pathlib import Path
from typing import Any

import yaml

from superposition_atlas.errors import ConfigError

_MOST_VALUES = 100_000
"""Largest number of values that aliases may stand for, beside those written out."""


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, without keys given twice."""


def _mapping_of_distinct_keys(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    first_line: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        # Keys merged in by << come later and may be repeated: that is what << is for.
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value in first_line:
            raise yaml.constructor.ConstructorError(
                problem=f"the key {key.value!r} is given twice, first on line {first_line[key.value]}; "
                "a name may be used once",
                problem_mark=key.start_mark,
            )
        first_line[key.value] = line
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_of_distinct_keys)


def _content(text: bytes) -> Any:
    """Content of a document. JSON is read as JSON, as Snakemake reads it: to YAML 1.1, 5e-05 is text.

    Where that fails, a key given twice and nesting too deep among it, it is for YAML to say what is wrong.
    """
    try:
        return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return _yaml_content(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(pairs) if len(dict(pairs)) == len(pairs) else _no_json("a key given twice")


def _no_json(what: str) -> Any:
    raise ValueError(what)


def _yaml_content(text: bytes) -> Any:
    node = yaml.compose(text, Loader=_Loader)
    if node is not None:
        known: dict[int, int] = {}
        # Without aliases they are as many as are written, and those cost no more than to read them.
        if _values(node, known) - len(known) > _MOST_VALUES:
            problem = f"aliases stand for too much, allowed are {_MOST_VALUES} values"
            raise yaml.MarkedYAMLError(problem=problem)
    return yaml.load(text, Loader=_Loader)


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """Number of values of a document with its aliases written out: a few lines may stand for billions."""
    if id(node) not in known:
        known[id(node)] = 2 * _MOST_VALUES  # of an alias inside what it stands for, which never ends
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        inside = (part for pair in parts for part in (pair if isinstance(pair, tuple) else (pair,)))
        known[id(node)] = 1 + sum(_values(part, known) for part in inside)
    return known[id(node)]


def read(path: str | Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        ConfigError: if the file is missing, unreadable, not YAML, not a mapping, or gives a key twice.
    """
    try:
        content = _content(Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; allowed is a readable YAML file") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply to be a configuration") from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{where}: {error.problem or 'not YAML'}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-01
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        found = "nothing" if content is None else type(content).__name__
        raise ConfigError(f"{path}: allowed is a mapping of keys to values, got {found}")
    return content
