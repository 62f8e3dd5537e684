"""The words of messages: where a value stands, what it is, what is allowed, and what YAML made of it."""

import difflib
import math
import re
import sys
from collections.abc import Iterable

import yaml

from superposition_atlas.errors import ConfigError, SettingError, value_text
from superposition_atlas.settings.rules import (
    Boolean,
    ByName,
    Choice,
    Either,
    Integer,
    Keys,
    ListOf,
    Number,
    OneOf,
    Range,
    Rule,
)

Key = tuple[str | int, ...]

_CLOSE = 0.75  # gpu is not meant to be cpu


def key_text(path: Iterable[str | int]) -> str:
    """A key as users write it, experiments.talk.seeds[2], on one line whatever the names in it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[\w-]{1,64}", part) else value_text(part))
    return text or "the configuration"


def refused(path: Iterable[str | int], value: object, allowed_text: str, hint: str = "") -> ConfigError:
    """The error for a value that is not allowed: key, value and what is, in one line."""
    return ConfigError(f"{key_text(path)}: got {value_text(value)}, allowed is {allowed_text}{hint}")


def refused_setting(group: Iterable[str | int], error: SettingError, hint: str = "") -> ConfigError:
    """The error for a setting that the library refuses, as one of the configuration.

    Args:
        group: key of the mapping that holds the setting.
        error: the library's.
        hint: what the user may have meant, at the end of the line.
    """
    return refused((*group, error.name), error.value, error.allowed, hint)


def allowed(rule: Rule) -> str:
    """The values that a rule allows, in words: "an integer ≥ 1", "auto, cpu or cuda"."""
    if rule.words:
        return rule.words
    match rule:
        case Boolean():
            return "true or false"
        case Integer(range=limits):
            return f"an integer{_limits(limits)}"
        case Number(range=limits):
            return f"a number{_limits(limits)}"
        case Choice(names=(only,)):
            return only
        case Choice(names=names):
            words = [name or "an empty text" for name in names]
            return f"{', '.join(words[:-1])} or {words[-1]}"
        case Either(alternatives=alternatives):
            return ", or ".join(allowed(one) for one in alternatives)
        case ListOf(item=item, length=length, distinct=distinct):
            a_list = "a list" if length.least else "a list, which may be empty,"
            number = f"{length.least} to {length.most} " if length.most else ""
            return f"{a_list} of {number}{'distinct ' if distinct else ''}{_plural(item)}"
        case Keys(name=name):
            return f"a mapping with the keys of {name}"
        case ByName():
            return "a mapping"
        case OneOf(key=key):
            return f"a mapping with the key {key}"
    return "text"


def _plural(item: Rule) -> str:
    match item:
        case Integer(range=limits):
            return f"integers{_limits(limits)}"
        case Number(range=limits):
            return f"numbers{_limits(limits)}"
    return allowed(item)


def _limits(limits: Range) -> str:
    signs = {"≥": limits.least, ">": limits.above, "≤": limits.most}
    texts = [f"{sign} {limit}" for sign, limit in signs.items() if limit is not None]
    return f" {' and '.join(texts)}" if texts else ""


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word that is closest to a misspelled one, or nothing."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)), "")


def hint(value: object, rule: Rule) -> str:
    """A trap of YAML that explains the value, or a similar allowed word."""
    if isinstance(value, bool):
        return " (YAML reads yes, no, on and off as true and false)"
    if isinstance(value, str) and isinstance(rule, Choice):
        close = did_you_mean(value, rule.names, _CLOSE)
        return f" (did you mean {close}?)" if close else ""
    alternatives = rule.alternatives if isinstance(rule, Either) else (rule,)
    if isinstance(value, (int, float)) and any(isinstance(one, Number) for one in alternatives):
        return "" if is_finite(value) else " (finite)"
    if isinstance(value, str) and any(isinstance(one, (Integer, Number)) for one in alternatives):
        try:
            number = float(value)
        except ValueError:
            return ""
        if math.isfinite(number):
            return f" (YAML reads this as text: write {_as_yaml_number(number)})"
    return ""


def is_finite(number: int | float) -> bool:
    """Whether a float can hold it."""
    # Comparing, unlike math.isfinite, also works for an integer of a thousand digits.
    return abs(number) <= sys.float_info.max


def _as_yaml_number(number: float) -> str:
    """The number as YAML wants it: unquoted, and with a dot and a sign where there is an exponent."""
    is_short_integer = number.is_integer() and abs(number) < 1e15
    return str(int(number)) if is_short_integer else str(yaml.safe_dump(number).split()[0])
