"""A configuration held against its declaration: the first error in one line, and defaults filled in."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from superposition_atlas.config.declaration import CONFIGURATION
from superposition_atlas.config.families import NAME
from superposition_atlas.config.messages import (
    Key,
    allowed,
    did_you_mean,
    hint,
    is_finite,
    key_text,
    refused,
)
from superposition_atlas.errors import ConfigError, value_text
from superposition_atlas.settings.rules import (
    Boolean,
    ByName,
    Choice,
    Either,
    Field,
    Integer,
    Keys,
    ListOf,
    Number,
    OneOf,
    Rule,
    Text,
)


@dataclass(frozen=True)
class Problem:
    """Something that is not allowed."""

    path: Key
    error: ConfigError
    rank: int = 1
    """Problems of lower rank are told first: whoever misspells a key (0) misses it as well (2)."""
    is_of_content: bool = False
    """Whether the value is of the right type, and what it holds is not allowed."""


def check(raw: Mapping[str, Any], complete: bool) -> None:
    """Hold a configuration against its declaration.

    Args:
        raw: the configuration, keys all text.
        complete: whether required keys must be there, and values may no longer be empty to remove others.

    Raises:
        ConfigError: one line for the first problem; an unknown key comes before all else.
    """
    problems = list(problems_of(CONFIGURATION, raw, (), complete))
    if problems:
        raise min(problems, key=lambda problem: problem.rank).error


def check_names_differ(key: Key, by_name: Mapping[str, Any]) -> None:
    """Raises a ConfigError unless names differ by more than case: not every file system tells a from A."""
    seen: dict[str, str] = {}
    for name in by_name:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            text = f"a name that differs from {other!r} by more than upper and lower case"
            raise ConfigError(f"{key_text(key)}: got the name {name!r}, allowed is {text}")


def problems_of(rule: Rule, value: Any, path: Key, complete: bool) -> Iterator[Problem]:
    """All that a rule does not allow in a value.

    Args:
        rule: what is allowed.
        value: what there is.
        path: key at which it stands.
        complete: as for `check`.
    """
    if value is None and not complete:
        return
    match rule:
        case Either(alternatives=alternatives):
            yield from _problems_of_either(rule, alternatives, value, path, complete)
        case ListOf() if isinstance(value, list):
            yield from _problems_of_list(rule, value, path, complete)
        case ByName() if isinstance(value, Mapping) and len(value) >= rule.least:
            for name in value:
                if list(problems_of(NAME, name, path, complete)):
                    text = f"{key_text(path)}: got the name {value_text(name)}, allowed is {allowed(NAME)}"
                    yield Problem(path, ConfigError(text))
            for name, inner in value.items():
                yield from problems_of(rule.item, inner, (*path, name), complete)
        case Keys() if isinstance(value, Mapping):
            yield from _problems_of_keys(rule.fields, value, path, complete)
        case OneOf() if isinstance(value, Mapping):
            yield from _problems_of_one(rule, value, path, complete)
        case _:
            if not _fits(rule, value) or not _in_range(rule, value):
                yield Problem(path, refused(path, value, allowed(rule), hint(value, rule)))


def _fits(rule: Rule, value: Any) -> bool:
    """Whether the value has the type that a rule asks for."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and is_finite(value)
    match rule:
        case Boolean():
            return isinstance(value, bool)
        case Integer():
            return is_number and isinstance(value, int)
        case Number():
            return is_number
        case Choice(names=names):
            return isinstance(value, str) and value in names
        case Text():
            return isinstance(value, str)
        case ListOf():
            return isinstance(value, list)
        case Either(alternatives=alternatives):
            return any(_fits(one, value) for one in alternatives)
    return isinstance(value, Mapping)


def _in_range(rule: Rule, value: Any) -> bool:
    match rule:
        case Integer(range=limits) | Number(range=limits):
            return not (
                (limits.least is not None and value < limits.least)
                or (limits.above is not None and value <= limits.above)
                or (limits.most is not None and value > limits.most)
            )
        case Text(pattern=pattern):
            return re.fullmatch(pattern, value) is not None
        case ByName(least=least):
            return len(value) >= least
    return True


def _problems_of_either(
    rule: Rule, alternatives: tuple[Rule, ...], value: Any, path: Key, complete: bool
) -> Iterator[Problem]:
    """Told of the one alternative whose type the value has, where its content is the problem."""
    found = [(one, list(problems_of(one, value, path, complete))) for one in alternatives]
    if not all(problems for _, problems in found):
        return
    fitting = [problems for one, problems in found if _fits(one, value)]
    if len(fitting) == 1:
        first = min(fitting[0], key=lambda problem: problem.rank)
        if first.path != path or first.is_of_content:
            yield first
            return
    yield Problem(path, refused(path, value, allowed(rule), hint(value, rule)))


def _problems_of_list(rule: ListOf, value: list[Any], path: Key, complete: bool) -> Iterator[Problem]:
    length = rule.length
    if len(value) < length.least or (length.most is not None and len(value) > length.most):
        yield Problem(path, refused(path, value, allowed(rule)))
    for index, item in enumerate(value):
        yield from problems_of(rule.item, item, (*path, index), complete)
    if rule.distinct and (twice := _given_twice(value)):
        told = f" ({twice[0]!r} is given twice)"
        yield Problem(path, refused(path, value, allowed(rule), told), is_of_content=True)


def _given_twice(items: list[Any]) -> list[Any]:
    """The first item that is given twice, if there is one."""
    seen: set[Any] = set()
    for index, item in enumerate(items):
        try:
            if item in seen:
                return [item]
            seen.add(item)
        except TypeError:  # a list or a mapping
            if item in items[:index]:
                return [item]
    return []


def _problems_of_keys(
    fields: Mapping[str, Field], value: Mapping[str, Any], path: Key, complete: bool
) -> Iterator[Problem]:
    known = sorted(fields)
    for key, inner in value.items():
        if key in fields:
            yield from problems_of(fields[key].rule, inner, (*path, key), complete)
            continue
        close = did_you_mean(key, known)
        meant = f", did you mean {close}?" if close else ","
        text = f"unknown key (its value is {value_text(inner)}){meant} allowed are {', '.join(known)}"
        yield Problem((*path, key), ConfigError(f"{key_text((*path, key))}: {text}"), rank=0)
    for field in fields.values():
        if complete and field.is_required and field.name not in value:
            yield _missing((*path, field.name), field.rule)


def _missing(path: Key, rule: Rule) -> Problem:
    return Problem(path, ConfigError(f"{key_text(path)}: missing, allowed is {allowed(rule)}"), rank=2)


def _problems_of_one(rule: OneOf, value: Mapping[str, Any], path: Key, complete: bool) -> Iterator[Problem]:
    """Told of the kind that is named, and of no other."""
    if rule.key not in value:
        if complete:
            yield _missing((*path, rule.key), rule.choice)
        return
    name = value[rule.key]
    named = list(problems_of(rule.choice, name, (*path, rule.key), complete))
    yield from named
    if not named and name is not None:
        yield from _problems_of_keys(keys_of_option(rule, name), value, path, complete)


def keys_of_option(rule: OneOf, name: str) -> dict[str, Field]:
    """The keys of one kind, the one that names it among them."""
    naming = Field(rule.key, Choice((name,)), default=name)
    return {rule.key: naming} | Keys(name, (rule.options[name],)).fields


# --- defaults ----------------------------------------------------------------------------------------------


def with_defaults(value: Any, rule: Rule = CONFIGURATION) -> Any:
    """A checked value with the defaults for what it leaves out, all the way down."""
    if isinstance(rule, Either):
        fitting = [one for one in rule.alternatives if _fits(one, value)]
        return with_defaults(value, fitting[0]) if len(fitting) == 1 else value
    if not isinstance(value, Mapping):
        return value
    if isinstance(rule, ByName):
        return {key: with_defaults(item, rule.item) for key, item in value.items()}
    if isinstance(rule, Keys):
        fields = rule.fields
    elif isinstance(rule, OneOf):
        fields = keys_of_option(rule, value[rule.key])
    else:
        return value
    defaults = {name: plain(one.default) for name, one in fields.items() if one.has_default}
    return {key: with_defaults(item, fields[key].rule) for key, item in (defaults | dict(value)).items()}


def plain(default: Any) -> Any:
    """A default as YAML would give it."""
    if isinstance(default, Mapping):
        return {key: plain(item) for key, item in default.items()}
    return [plain(item) for item in default] if isinstance(default, tuple) else default


def plain_value(rule: Rule, value: Any) -> Any:
    """A checked value, written in one way: numbers as float, a list where one item may stand for it."""
    match rule:
        case Number():
            return float(value)
        case ListOf(item=item):
            return [plain_value(item, each) for each in value]
        case Either(alternatives=(one, ListOf() as many)) if many.item == one:
            return plain_value(many, value if isinstance(value, list) else [value])
    return value
