"""The schema at work: one readable line for what is wrong, defaults, and the words for what is allowed."""

import difflib
import math
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from jsonschema.exceptions import ValidationError

from superposition_atlas.config.yaml_file import read
from superposition_atlas.errors import ConfigError, TrainingError

Key = tuple[str | int, ...]
Schema = Mapping[str, Any]

SCHEMA_PATH = Path(__file__).with_name("config.schema.yaml")
_LONGEST_VALUE = 60
_CLOSE = 0.75  # gpu is not meant to be cpu
_DECIDES_TYPE = {"type", "const", "enum"}
_SPEAKS_OF_CONTENT = {"additionalProperties", "required", "uniqueItems"}


@cache
def schema() -> dict[str, Any]:
    """The schema of a configuration, as `config.schema.yaml` beside this module has it."""
    return read(SCHEMA_PATH)


def definition(name: str) -> dict[str, Any]:
    """One of the schema's named parts: experiment, case, training, sae, …"""
    return resolved({"$ref": f"#/$defs/{name}"})


def resolved(part: Schema) -> dict[str, Any]:
    """A part of the schema with its reference, if any, put in."""
    if "$ref" not in part:
        return dict(part)
    target: Any = schema()
    for name in part["$ref"].removeprefix("#/").split("/"):
        target = target[name]
    return resolved(target) | {key: value for key, value in part.items() if key != "$ref"}


# --- messages ----------------------------------------------------------------------------------------------


def dotted(path: Iterable[str | int]) -> str:
    """A key as users write it, experiments.talk.seeds[2], on one line whatever the names in it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[\w-]{1,64}", part) else shown(part))
    return text or "the configuration"


def shown(value: object) -> str:
    """A value on one line, cut short where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than some thousand digits
        text = "a number of too many digits"
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def wrong(path: Iterable[str | int], value: object, allowed_text: str, hint: str = "") -> ConfigError:
    """The error for a value that is not allowed: key, value and what is, in one line."""
    return ConfigError(f"{dotted(path)}: got {shown(value)}, allowed is {allowed_text}{hint}")


def wrong_to_the_library(path: Iterable[str | int], error: TrainingError) -> ConfigError:
    """What the library says of its arguments, said of the configuration: key, value and what is allowed."""
    said = re.fullmatch("(?:an? [a-z]+ of )?([a-z_]+) is (.*): must be (.*)", str(error))
    if said is None:
        return ConfigError(f"{dotted(path)}: {str(error).replace(': must be ', ', allowed is ')}")
    allows = said[3].replace("left out", "to leave it out", 1)
    return ConfigError(f"{dotted((*path, said[1]))}: got {said[2]}, allowed is {allows}")


def allowed(part: Schema) -> str:
    """What a part of the schema allows, in words: "an integer ≥ 1", "auto, cpu or cuda"."""
    part = resolved(part)
    if "title" in part:
        return str(part["title"])
    if "anyOf" in part:
        return ", or ".join(allowed(alternative) for alternative in part["anyOf"])
    if "const" in part:
        return str(part["const"])
    if "enum" in part:
        *others, last = part["enum"]
        return f"{', '.join(others)} or {last}" if others else str(last)
    if part["type"] == "boolean":
        return "true or false"
    if part["type"] == "array":
        at_least = "a list" if part.get("minItems") else "a list, which may be empty,"
        distinct = "distinct " if part.get("uniqueItems") else ""
        item = resolved(part["items"])
        return f"{at_least} of {distinct}{item['type']}s{_range(item)}"
    noun = {"integer": "an integer", "number": "a number", "string": "text", "object": "a mapping"}
    return noun[part["type"]] + _range(part)


def _range(part: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤"}
    limits = [f"{sign} {part[keyword]}" for keyword, sign in signs.items() if keyword in part]
    return f" {' and '.join(limits)}" if limits else ""


# --- checking ----------------------------------------------------------------------------------------------


def _is_finite_number(_: object, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    # Comparing, unlike math.isfinite, also works for an integer of a thousand digits.
    return abs(value) <= sys.float_info.max


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and _is_finite_number(_, value)


def _full_match(_: object, pattern: str, value: object, __: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield ValidationError(f"{value!r} does not match")


# JSON Schema takes 5.0 for an integer, NaN for a number above 0, and a part of a text for a match of it.
_extend: Any = jsonschema.validators.extend  # its package leaves it without types
_Complete = _extend(
    jsonschema.Draft202012Validator,
    validators={"pattern": _full_match},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_finite_number}
    ),
)


def _unless_empty(rule: Any) -> Any:
    def holds(validator: Any, argument: Any, value: Any, part: Any) -> Iterable[ValidationError]:
        return () if value is None else rule(validator, argument, value, part) or ()

    return holds


# An empty value removes a key, and may stand for any but a family's name.
_Incomplete = _extend(
    _Complete,
    validators={
        keyword: _unless_empty(rule) for keyword, rule in _Complete.VALIDATORS.items() if keyword != "const"
    },
)


def _without_required(part: Any) -> Any:
    """The schema for what is not whole yet; only the choice of a family or kind still needs its name."""
    if not isinstance(part, Mapping):
        return part
    return {
        key: inner if key in ("is", "is_kind") else _without_required(inner)
        for key, inner in part.items()
        if key != "required"
    }


def check(raw: Mapping[str, Any], complete: bool) -> None:
    """Hold a configuration against the schema.

    Args:
        raw: the configuration, keys all text.
        complete: whether keys may no longer be missing, or empty so as to remove others.

    Raises:
        ConfigError: one line for the first thing that is wrong; an unknown key comes before all else, since
            whoever misspells a key misses it as well.
    """
    validator = _Complete(schema()) if complete else _Incomplete(_without_required(schema()))
    errors = list(validator.iter_errors(raw))
    if errors:
        raise _as_config_error(min(errors, key=_rank))


def check_names_differ(key: Key, by_name: Mapping[str, Any]) -> None:
    """Raises a ConfigError unless names differ by more than case: not every file system tells a from A."""
    seen: dict[str, str] = {}
    for name in by_name:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            allowed = f"a name that differs from {other!r} by more than upper and lower case"
            raise ConfigError(f"{dotted(key)}: got the name {name!r}, allowed is {allowed}")


def _rank(error: ValidationError) -> int:
    return {"additionalProperties": 0, "required": 2}.get(str(error.validator), 1)


def _as_config_error(error: ValidationError) -> ConfigError:
    path: Key = tuple(error.absolute_path)
    value: Any = error.instance
    part: Any = error.schema
    if error.validator == "additionalProperties":
        key = next(key for key in value if key not in part["properties"])
        known = sorted(part["properties"])
        close = difflib.get_close_matches(key, known, n=1)
        meant = f", did you mean {close[0]}?" if close else ","
        return ConfigError(
            f"{dotted((*path, key))}: unknown key (its value is {shown(value[key])}){meant} "
            f"allowed are {', '.join(known)}"
        )
    if error.validator == "required":
        key = next(key for key in part["required"] if key not in value)
        return ConfigError(f"{dotted((*path, key))}: missing, allowed is {allowed(part['properties'][key])}")
    if "propertyNames" in error.absolute_schema_path:
        return ConfigError(f"{dotted(path)}: got the name {shown(value)}, allowed is {allowed(part)}")
    if error.validator == "anyOf":
        deeper = _meant_alternative(error)
        return _as_config_error(deeper) if deeper else wrong(path, value, allowed(part), _hint(value, part))
    if error.validator == "uniqueItems":
        twice = _given_twice(value)
        return wrong(path, value, allowed(part), f" ({twice!r} is given twice)")
    return wrong(path, value, allowed(part), _hint(value, part))


def _given_twice(items: list[Any]) -> Any:
    try:
        return next(item for item, count in Counter(items).items() if count > 1)
    except TypeError:  # lists or mappings among them
        return next(item for item in items if items.count(item) > 1)


def _meant_alternative(error: ValidationError) -> ValidationError | None:
    """The error inside the one alternative whose type the value has, if it is about the value's content."""
    alternatives: dict[str | int, list[ValidationError]] = {}
    for inner in error.context or ():
        alternatives.setdefault(inner.relative_schema_path[0], []).append(inner)
    fitting = [
        errors
        for errors in alternatives.values()
        if not any(inner.validator in _DECIDES_TYPE and not inner.relative_path for inner in errors)
    ]
    if len(fitting) != 1:
        return None
    inner = min(fitting[0], key=_rank)
    is_about_content = bool(inner.relative_path) or inner.validator in _SPEAKS_OF_CONTENT
    return inner if is_about_content else None


def _hint(value: object, part: Schema) -> str:
    """What the user may not know of YAML."""
    if isinstance(value, bool):
        return " (YAML reads yes, no, on and off as true and false)"
    if isinstance(value, str) and "enum" in part:
        close = difflib.get_close_matches(value, part["enum"], n=1, cutoff=_CLOSE)
        return f" (did you mean {close[0]}?)" if close else ""
    wants = {resolved(alternative).get("type") for alternative in part.get("anyOf", [part])}
    if isinstance(value, (int, float)) and "number" in wants and not _is_finite_number(None, value):
        return " (finite)"
    if isinstance(value, str) and wants & {"integer", "number"}:
        try:
            number = float(value)
        except ValueError:
            return ""
        if math.isfinite(number):
            return f" (YAML reads this as text: write {_as_yaml_number(number)})"
    return ""


def _as_yaml_number(number: float) -> str:
    """The number as YAML wants it: unquoted, and with a dot and a sign where there is an exponent."""
    is_short_integer = number.is_integer() and abs(number) < 1e15
    return str(int(number)) if is_short_integer else str(yaml.safe_dump(number).split()[0])


# --- defaults ----------------------------------------------------------------------------------------------


def with_defaults(value: Any, part: Schema) -> Any:
    """A checked value with the schema's defaults for what it leaves out, all the way down."""
    part = resolved(part)
    if not isinstance(value, Mapping) or "additionalProperties" not in part:
        return value  # a plain value, or a schedule: families have no defaults
    if "properties" not in part:
        return {key: with_defaults(item, part["additionalProperties"]) for key, item in value.items()}
    properties = {key: resolved(inner) for key, inner in part["properties"].items()}
    filled = {key: inner["default"] for key, inner in properties.items() if "default" in inner} | dict(value)
    return {key: with_defaults(item, properties[key]) for key, item in filled.items()}
