"""Rules for settings, read off the annotations of the class that declares them.

In `steps: Annotated[int, Range(0, 2**32 - 1)] = 10_000`, type and range make the rule, the value is the
default, and the docstring below is the sentence that documentation shows. The classes that hold settings
check themselves with `hold`; the configuration, its JSON schema and its documentation are made from the same
declarations (`superposition_atlas.config`).
"""

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from enum import Enum
from functools import cache
from inspect import get_annotations
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np

from superposition_atlas import arguments
from superposition_atlas.errors import SettingError

# --- what an annotation may hold beside a type -------------------------------------------------------------


@dataclass(frozen=True)
class Range:
    """Limits of a number, both included; `above` is a lower limit that is not."""

    least: float | None = None
    most: float | None = None
    above: float | None = None


@dataclass(frozen=True)
class Length:
    """Limits of the number of items in a list, both included."""

    least: int = 0
    most: int | None = None


@dataclass(frozen=True)
class Pattern:
    """A regular expression that a text matches as a whole."""

    text: str


@dataclass(frozen=True)
class Worded:
    """Words for the allowed values, where those of the rule itself would be unclear."""

    text: str


class Mark(Enum):
    """Properties of a list."""

    DISTINCT = "no item is given twice"
    OR_ONE = "one item may stand for the list of it"


DISTINCT, OR_ONE = Mark.DISTINCT, Mark.OR_ONE


# --- rules -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Values that a setting allows."""

    words: str = ""
    """The words of `Worded`; empty if the rule needs none."""


@dataclass(frozen=True)
class Integer(Rule):
    """An integer within limits."""

    range: Range


@dataclass(frozen=True)
class Number(Rule):
    """A finite number within limits."""

    range: Range


@dataclass(frozen=True)
class Boolean(Rule):
    """True or false."""


@dataclass(frozen=True)
class Choice(Rule):
    """One of these names."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Text(Rule):
    """Text that matches a pattern as a whole."""

    pattern: str


@dataclass(frozen=True)
class ListOf(Rule):
    """A list."""

    item: Rule
    length: Length
    distinct: bool


@dataclass(frozen=True)
class Either(Rule):
    """Whatever one of these rules allows."""

    alternatives: tuple[Rule, ...]


@dataclass(frozen=True)
class ByName(Rule):
    """A mapping whose keys are names chosen by the user."""

    item: Rule
    least: int = 0


@dataclass(frozen=True)
class Keys(Rule):
    """A mapping with the fields of these classes as keys, but for those that are `without`."""

    name: str
    """What documentation and schema call this mapping."""
    classes: tuple[type, ...]
    without: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, "Field"]:
        """Its keys, in the order in which they are declared."""
        together = {name: one for each in self.classes for name, one in fields_of(each).items()}
        return {name: one for name, one in together.items() if name not in self.without}


@dataclass(frozen=True, eq=False)
class OneOf(Rule):
    """A mapping that names its kind in one of its keys, and has that kind's keys beside it."""

    __eq__, __hash__ = object.__eq__, object.__hash__

    key: str
    options: Mapping[str, type]
    """Filled in after the classes are defined, since they may contain one another."""

    @property
    def choice(self) -> Choice:
        """The rule for the name of the kind."""
        return Choice(tuple(self.options))


@dataclass(frozen=True)
class Field:
    """One setting."""

    name: str
    rule: Rule
    default: Any
    """`dataclasses.MISSING` where a value is required, None where it may be left out without a default."""

    @property
    def is_required(self) -> bool:
        """Whether there is no default."""
        return self.default is MISSING

    @property
    def has_default(self) -> bool:
        """Whether a value is filled in where none is given."""
        return not self.is_required and self.default is not None


@cache
def fields_of(declaring: type) -> dict[str, Field]:
    """The settings that a class declares, by name; `from_` declares `from`, a word of Python's."""
    fields = {}
    for attribute, annotation in get_annotations(declaring).items():
        name = attribute.rstrip("_")
        fields[name] = Field(name, rule_of(annotation), getattr(declaring, attribute, MISSING))
    return fields


def rule_of(annotation: Any) -> Rule:
    """The rule that an annotation stands for."""
    extra: tuple[Any, ...] = ()
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
        extra = tuple(metadata)
        if given := [one for one in extra if isinstance(one, Rule)]:
            return given[0]

    def note(kind: Any, default: Any) -> Any:
        return next((one for one in extra if isinstance(one, kind)), default)

    words, origin = note(Worded, Worded("")).text, get_origin(annotation)
    if origin is Literal:
        return Choice(get_args(annotation), words=words)
    if origin in (Union, types.UnionType):
        rules = tuple(rule_of(one) for one in get_args(annotation) if one is not types.NoneType)
        return Either(rules, words=words) if len(rules) > 1 else rules[0]
    if origin is tuple:
        item = rule_of(get_args(annotation)[0])
        items = ListOf(item, note(Length, Length()), DISTINCT in extra, words=words)
        return Either((item, items)) if OR_ONE in extra else items
    if annotation is bool:
        return Boolean(words=words)
    if annotation in (int, float):
        return (Integer if annotation is int else Number)(note(Range, Range()), words=words)
    return Text(note(Pattern, Pattern(r"(?s).*")).text, words=words)


# --- settings hold themselves to their declaration ---------------------------------------------------------


def hold(settings: object) -> None:
    """Hold every field of a frozen dataclass to its declaration.

    Numbers become plain int and float, lists become tuples.

    Raises:
        SettingError: for the first field whose value is not allowed.
    """
    declaring: Any = type(settings)
    for name, field in fields_of(declaring).items():
        object.__setattr__(settings, name, _held(name, field.rule, getattr(settings, name)))


def _held(name: str, rule: Rule, value: Any) -> Any:
    match rule:
        case Integer(range=limits):
            least, most = (None if limit is None else int(limit) for limit in (limits.least, limits.most))
            return arguments.integer(name, value, least=0 if least is None else least, most=most)
        case Number(range=limits):
            return arguments.number(name, value, above=limits.above, least=limits.least, most=limits.most)
        case Boolean():
            if not isinstance(value, bool | np.bool_):
                raise SettingError(name, value, "True or False")
            return bool(value)
        case Choice(names=names):
            arguments.choice(name, value, names)
            return value
        case ListOf():
            return _held_list(name, rule, value)
        case Either(alternatives=(one, ListOf() as many)) if many.item == one:
            value = arguments.scalar(value)
            is_one = isinstance(value, int | float | str | np.generic)
            return _held_list(name, many, [value] if is_one else value, item=name)
        case Either(alternatives=alternatives):
            return _held_either(name, alternatives, value)
    return value


def _held_either(name: str, alternatives: tuple[Rule, ...], value: Any) -> Any:
    """A text is held to be one of the names, anything else to the other rule."""
    (names,) = (one for one in alternatives if isinstance(one, Choice))
    (other,) = (one for one in alternatives if one is not names)
    try:
        return _held(name, names if isinstance(value, str) else other, value)
    except SettingError as error:
        if error.item:
            raise
        noun = "a list" if isinstance(other, ListOf) else "a number"
        also = noun if isinstance(value, str) else " or ".join(names.names)
        raise SettingError(name, error.value, f"{error.allowed}, or {also}") from None


def _held_list(name: str, rule: ListOf, value: Any, item: str = "") -> tuple[Any, ...]:
    values = []
    for each in arguments.listed(name, value):
        try:
            values.append(_held(name, rule.item, each))
        except SettingError as error:
            raise SettingError(name, error.value, error.allowed, item or f"a value of {name}") from None
    length = rule.length
    if len(values) < length.least:
        raise SettingError(name, tuple(values), f"a list of at least {length.least}")
    if length.most is not None and len(values) > length.most:
        raise SettingError(name, tuple(values), f"a list of at most {length.most}")
    return tuple(values)
