"""The tables of config/README.md and the schema for editors, made from the declarations of settings.

python -m superposition_atlas.config.document config/README.md
"""

import inspect
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from superposition_atlas.config import declaration
from superposition_atlas.config.checking import plain
from superposition_atlas.config.families import FAMILIES, FORMS
from superposition_atlas.config.messages import allowed
from superposition_atlas.config.schema import schema, sentences, sentences_of
from superposition_atlas.errors import ConfigError
from superposition_atlas.settings.rules import Either, Field, Keys, ListOf, fields_of

SCHEMA_PATH = Path(__file__).with_name("schema.json")

TABLES = {
    "configuration": declaration.CONFIGURATION,
    "experiment": declaration.EXPERIMENT,
    "case": declaration.CASE,
    "training": declaration.TRAINING,
    "sae": declaration.SAE,
    "map": declaration.MAP,
    "range": declaration.AXIS_RANGE,
    "network": declaration.NETWORK,
    "attention": declaration.ATTENTION,
}
_TABLE = re.compile(r"(<!-- table: (?P<name>\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
_WIDEST = 10_000


def with_tables(text: str) -> str:
    """A document with the tables between `<!-- table: NAME -->` and `<!-- end of table -->` up to date.

    NAME is `families`, `forms` (of groups), `kinds` (of points), or a name in `TABLES`.

    Raises:
        ConfigError: if there is no table of that name.
    """
    return _TABLE.sub(lambda match: match[1] + _table(match["name"]) + match[3], text)


def schema_text() -> str:
    """Content of `schema.json`."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _table(name: str) -> str:
    if name == "families":
        return _options("Family", FAMILIES)
    if name == "forms":
        return _options("Form", FORMS)
    if name == "kinds":
        return _options("Kind", declaration.KINDS)
    if name not in TABLES:
        raise ConfigError(f"table {name!r}: unknown, allowed are families, forms, kinds, {', '.join(TABLES)}")
    keys: Keys = TABLES[name]
    texts = sentences_of(keys)
    rows = [
        (f"`{key}`", texts[key], allowed(field.rule), _default(field)) for key, field in keys.fields.items()
    ]
    return _markdown(("Key", "Meaning", "Allowed", "Default"), rows)


def _options(heading: str, options: dict[str, type]) -> str:
    rows = []
    for option, declaring in options.items():
        rows.append((f"**`{option}`**", "", " ".join((inspect.getdoc(declaring) or "").split()), ""))
        texts = sentences(declaring)
        for key, field in fields_of(declaring).items():
            needed = "required" if field.is_required else "optional"
            if field.has_default:
                needed = f"default {_default(field)}"
            rows.append(("", f"`{key}`", texts[key], f"{allowed(field.rule)}; {needed}"))
    return _markdown((heading, "Key", "Meaning", "Allowed"), rows)


def _default(field: Field) -> str:
    if field.is_required:
        return "(required)"
    default: Any = plain(field.default)
    if isinstance(field.rule, Either) and isinstance(field.rule.alternatives[-1], ListOf):
        is_one = (
            isinstance(default, list)
            and len(default) == 1
            and field.rule.alternatives[0] == (field.rule.alternatives[-1].item)
        )
        default = default[0] if is_one else default
    if default == "" or default == {} or default == []:
        return "none"
    written = yaml.safe_dump(default, default_flow_style=True, sort_keys=False, width=_WIDEST)
    return f"`{written.splitlines()[0]}`"


def _markdown(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def main() -> None:
    """Bring the tables of the documents named on the command line up to date, and the schema for editors."""
    for path in map(Path, sys.argv[1:]):
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA_PATH.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
