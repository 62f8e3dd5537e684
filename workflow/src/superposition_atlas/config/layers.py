"""A configuration put together: files laid over one another, `like`, and empty values that remove keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from superposition_atlas.config.checking import check
from superposition_atlas.config.messages import Key, key_text, refused
from superposition_atlas.errors import ConfigError, value_text

_DEEPEST = 20
"""No key lies deeper, but a YAML anchor may contain itself."""

_NOT_TAKEN_OVER = ("title", "role")
"""Keys that an experiment has for itself alone, whatever it is like."""

_MOST_BITS = 2048
"""Largest number of bits of an integer: twice those of the largest float."""


def laid_over(base: Mapping[str, Any], *layers: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with others laid over it, in this order.

    Mappings merge key by key, everything else replaces, and so does a schedule that names its family or the
    points of a map that name their kind.
    """
    result = dict(base)
    for layer in layers:
        result = _merged(result, layer)
    return result


def whole(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The checked document with the keys that experiments take from `like`, and without null values."""
    written = _plain(raw, ())
    # What is written is checked first, so that a message names the place where it stands; only what is
    # then put together can be held to be complete.
    check(written, complete=False)
    experiments = written.get("experiments")
    if experiments:
        written["experiments"] = _with_inherited(experiments)
    complete = _without_empty(written)
    check(complete, complete=True)
    return dict(complete)


def _plain(value: Any, key: Key) -> Any:
    """A copy with all mappings as dict, all keys text."""
    if len(key) > _DEEPEST:
        raise refused(key[:3], value, f"at most {_DEEPEST} levels (does a YAML anchor contain itself?)")
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                hint = "; YAML reads yes, no, on, off, null and numbers as other things: put it in quotes"
                raise ConfigError(f"{key_text(key)}: got the name {value_text(name)}, allowed is text{hint}")
        return {name: _plain(item, (*key, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, (*key, index)) for index, item in enumerate(value)]
    # What comes next writes values out, and Python refuses to write out integers of thousands of digits.
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise refused(key, value, "a number of at most 308 digits")
    return value


def _with_inherited(experiments: Mapping[str, Any]) -> dict[str, Any]:
    """The experiments, each with the keys of the one that it is `like`, of what that is like, and so on."""
    whole: dict[str, Any] = {}
    for first in experiments:
        # No recursion: a line may be longer than Python's stack.
        name, heirs = first, []
        while name not in whole and (origin := (experiments[name] or {}).get("like")):
            heirs.append(name)
            _check_origin(experiments, heirs, origin)
            name = origin
        whole.setdefault(name, experiments[name])
        for heir in reversed(heirs):
            taken_over = {key: value for key, value in whole[name].items() if key not in _NOT_TAKEN_OVER}
            whole[heir] = _merged(taken_over, experiments[heir])
            name = heir
    return {name: whole[name] for name in experiments}


def _check_origin(experiments: Mapping[str, Any], line: Sequence[str], origin: str) -> None:
    """Raises a ConfigError unless the last experiment of a line may be like `origin`."""
    key = ("experiments", line[-1], "like")
    if origin in line:
        circle = " → ".join((*line[line.index(origin) :], origin))
        raise refused(key, origin, f"an experiment that does not start from this one ({circle})")
    if experiments.get(origin) is None:
        others = [
            other for other, content in experiments.items() if content is not None and other not in line
        ]
        raise refused(key, origin, f"the name of another experiment: {', '.join(others) or 'there is none'}")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge, everything else replaces; so does what names its family or kind."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        is_group = isinstance(value, Mapping) and not any(
            isinstance(value.get(name), str) for name in ("family", "kind")
        )
        result[key] = _merged(before, value) if is_group and isinstance(before, Mapping) else value
    return result


def _without_empty(value: Any) -> Any:
    """Without the keys whose value is empty (null)."""
    if not isinstance(value, Mapping):
        return value
    return {key: _without_empty(item) for key, item in value.items() if item is not None}
