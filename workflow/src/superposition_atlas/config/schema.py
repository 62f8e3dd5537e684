"""The JSON schema of configuration files, for editors: made from the declarations, shipped as `schema.json`.

A file that begins with `# yaml-language-server: $schema=…` is completed and checked while it is written. The
schema requires no key and allows empty values, since files are laid over one another; whether the whole is
complete, `check-config` says.
"""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from superposition_atlas.config.checking import keys_of_option, plain
from superposition_atlas.config.declaration import CONFIGURATION
from superposition_atlas.config.families import NAME
from superposition_atlas.config.messages import allowed
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
    Range,
    Rule,
    Text,
)

Schema = dict[str, Any]


@cache
def sentences(declaring: type) -> Mapping[str, str]:
    """The docstring below each field of a class, by the field's key, on one line."""
    tree = ast.parse(inspect.getsource(sys.modules[declaring.__module__]))
    (found,) = (
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == declaring.__name__
    )
    texts = {}
    for field, below in zip(found.body, found.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    texts[field.target.id.rstrip("_")] = " ".join(text.split())
    return texts


def sentences_of(keys: Keys) -> dict[str, str]:
    """The sentences of all keys of a mapping."""
    together = {name: text for each in keys.classes for name, text in sentences(each).items()}
    return {name: together[name] for name in keys.fields}


def schema() -> Schema:
    """The schema of a configuration file."""
    definitions: dict[str, Schema] = {}
    top = _mapping(CONFIGURATION.fields, sentences_of(CONFIGURATION), definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of superposition-atlas",
        **top,
        "$defs": dict(sorted(definitions.items())),
    }


def _mapping(fields: Mapping[str, Field], texts: Mapping[str, str], definitions: dict[str, Schema]) -> Schema:
    properties = {}
    for name, field in fields.items():
        part: Schema = {"anyOf": [_part(field.rule, definitions), {"type": "null"}]}
        if name in texts:
            part |= {"description": f"{texts[name]} Allowed: {allowed(field.rule)}."}
        if field.has_default:
            part |= {"default": plain(field.default)}
        properties[name] = part
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _part(rule: Rule, definitions: dict[str, Schema]) -> Schema:
    match rule:
        case Boolean():
            return {"type": "boolean"}
        case Integer(range=limits):
            return {"type": "integer"} | _limits(limits)
        case Number(range=limits):
            return {"type": "number"} | _limits(limits)
        case Choice(names=names):
            return {"enum": list(names)}
        case Text(pattern=pattern):
            return {"type": "string", "pattern": f"^(?:{pattern.removeprefix('(?s)')})$"}
        case ListOf(item=item, length=length, distinct=distinct):
            longest = {"maxItems": length.most} if length.most else {}
            return {
                "type": "array",
                "items": _part(item, definitions),
                "minItems": length.least,
                "uniqueItems": distinct,
            } | longest
        case Either(alternatives=alternatives):
            return {"anyOf": [_part(one, definitions) for one in alternatives]}
        case ByName(item=item):
            inner = {"anyOf": [_part(item, definitions), {"type": "null"}]}
            name_part = _part(NAME, definitions)
            return {"type": "object", "propertyNames": name_part, "additionalProperties": inner}
        case Keys(name=name):
            if name not in definitions:
                definitions[name] = {}  # it may contain itself
                definitions[name] = _mapping(rule.fields, sentences_of(rule), definitions)
            return {"$ref": f"#/$defs/{name}"}
        case OneOf():
            return _one_of(rule, definitions)
    raise TypeError(rule)


def _one_of(rule: OneOf, definitions: dict[str, Schema]) -> Schema:
    """The keys of the kind that is named; where none is, as in a file laid over another, any."""
    name = f"with {rule.key}"
    if name not in definitions:
        definitions[name] = {}
        named = {"type": "object", "properties": {rule.key: {"enum": list(rule.options)}}}
        definitions[name] = named | {
            "allOf": [
                {
                    "if": {"required": [rule.key], "properties": {rule.key: {"const": option}}},
                    "then": _mapping(keys_of_option(rule, option), sentences(declaring), definitions),
                }
                for option, declaring in rule.options.items()
            ]
        }
    return {"$ref": f"#/$defs/{name}"}


def _limits(limits: Range) -> Schema:
    words = {"minimum": limits.least, "exclusiveMinimum": limits.above, "maximum": limits.most}
    return {word: limit for word, limit in words.items() if limit is not None}
