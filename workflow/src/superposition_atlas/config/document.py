"""The tables of config/README.md, made from the schema so that the two cannot drift apart.

python -m superposition_atlas.config.document config/README.md
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from superposition_atlas.config.schema import allowed, definition, resolved, schema
from superposition_atlas.errors import ConfigError

_TABLE = re.compile(r"(<!-- table: (?P<name>\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
_WIDEST = 10_000


def with_tables(text: str) -> str:
    """A document with what stands between `<!-- table: NAME -->` and `<!-- end of table -->` made anew.

    NAME is `configuration`, `families`, `kinds` (of points), or a part of the schema: `experiment`, `case`,
    `training`, `sae`, `map`, `range`, `network`, `attention`.

    Raises:
        ConfigError: if the schema has no part of a table's name.
    """
    return _TABLE.sub(lambda match: match[1] + _table(match["name"]) + match[3], text)


def _table(name: str) -> str:
    if name == "families":
        return _alternatives("Family", name, "family")
    if name == "kinds":
        return _alternatives("Kind", name, "kind")
    parts = {"configuration": schema()} | {part: definition(part) for part in schema()["$defs"]}
    if "properties" not in parts.get(name, {}):
        raise ConfigError(f"the schema has no part {name!r} to make a table of")
    part = parts[name]
    rows = [
        (f"`{key}`", _sentence(inner), allowed(inner), _default(key, part))
        for key, inner in ((key, resolved(inner)) for key, inner in part["properties"].items())
    ]
    return _markdown(("Key", "Meaning", "Allowed", "Default"), rows)


def _alternatives(heading: str, name: str, named_by: str) -> str:
    """What a mapping may hold, depending on the value of one of its keys."""
    rows = []
    for alternative, part in schema()["$defs"][name].items():
        rows.append((f"**`{alternative}`**", "", _sentence(part), ""))
        for key, inner in ((key, resolved(inner)) for key, inner in part["properties"].items()):
            if key != named_by:
                needed = "required" if key in part["required"] else "optional"
                if "default" in inner:
                    needed = f"default {_default(key, part)}"
                rows.append(("", f"`{key}`", _sentence(inner), f"{allowed(inner)}; {needed}"))
    return _markdown((heading, "Key", "Meaning", "Allowed"), rows)


def _sentence(part: Mapping[str, Any]) -> str:
    return " ".join(str(part["description"]).split())


def _default(key: str, part: Mapping[str, Any]) -> str:
    if key in part.get("required", ()):
        return "(required)"
    default = resolved(part["properties"][key])["default"]
    if default == "" or default == {} or default == []:
        return "none"
    written = yaml.safe_dump(default, default_flow_style=True, sort_keys=False, width=_WIDEST)
    return f"`{written.splitlines()[0]}`"


def _markdown(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)


def main() -> None:
    """Make the tables of the documents named on the command line anew."""
    for path in map(Path, sys.argv[1:]):
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
