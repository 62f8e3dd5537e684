"""Puts the explorer's page together: one file that needs no network and no server.

The page's program is plain ES modules in `page/`. They become one script: each module a function that returns
what it exports, in the order in which they need each other. What runs in Web Workers is a second such script,
held as text, of which the page makes its workers.

The page's content security policy admits that one script and that one style sheet by their digests, workers
made by the page itself, and nothing else: no network, and no script that a title could bring in.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from superposition_atlas.errors import AtlasError

LARGEST_PAGE = 8 * 2**20
"""Bytes of a page, at most."""

_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function\*?|const|let|class) (\w+)", re.MULTILINE)
_MODULE_SYNTAX = re.compile(r"^\s*(import|export)\b", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_MAIN, _WORKER = "main.js", "engine/worker.js"


class PageError(AtlasError):
    """A page that can't be put together, or would be too large."""


def page(data: Mapping[str, Any]) -> str:
    """The whole page as HTML.

    Args:
        data: what `gather.page_data` returns; plain values, strings among them never read as markup.

    Raises:
        PageError: if the page would have more than LARGEST_PAGE bytes.
    """
    script, style = bundle(_MAIN), _text("style.css")
    parts = {
        "policy": _policy(script, style),
        "style": style,
        "script": script,
        "worker": bundle(_WORKER),
        "data": _as_json(data),
    }
    # One pass: what is filled in may hold braces of its own.
    text = _PLACEHOLDER.sub(lambda match: parts[match[1]], _text("index.html"))
    size = len(text.encode())
    if size > LARGEST_PAGE:
        raise PageError(f"the explorer's page has {size:,} bytes: must have {LARGEST_PAGE:,} at most")
    return text


def bundle(entry: str) -> str:
    """The module at `entry` (below `page/`) and all that it needs, as one script.

    Raises:
        PageError: if modules need each other in a circle, or one has imports or exports of another form than
            `import { a, b as c } from "./module.js";` and `export function`, `class`, `const`.
    """
    numbers: dict[str, int] = {}
    parts: list[str] = []
    _add(entry, numbers, parts, waiting=())
    script = '"use strict";\n' + "\n".join(parts)
    if "</script" in script.lower() or "<!--" in script:
        raise PageError(f"{entry}: its script would end early in HTML")
    return script


def page_folder() -> Path:
    """The folder of the files that pages are put together from."""
    return Path(__file__).parent / "page"


def page_files() -> list[str]:
    """Their names below that folder, sorted."""
    return sorted(path.relative_to(page_folder()).as_posix() for path in page_folder().rglob("*.*"))


def page_digest() -> str:
    """A digest of those files, sixteen hexadecimal digits."""
    program = hashlib.sha256()
    for name in page_files():
        content = (page_folder() / name).read_bytes()
        program.update(f"{name} {len(content)} ".encode() + content)
    return program.hexdigest()[:16]


def _add(path: str, numbers: dict[str, int], parts: list[str], waiting: tuple[str, ...]) -> None:
    if path in waiting:
        raise PageError(f"{path}: its imports lead back to it, by {' and '.join(waiting)}")
    if path in numbers:
        return
    source = _text(path)
    imports = [
        (names, _resolved(path, target)) for names, target in _IMPORT.findall(source)
    ]  # before the module itself, what it needs
    for _, target in imports:
        _add(target, numbers, parts, (*waiting, path))
    body = _EXPORT.sub(r"\1 \2", _IMPORT.sub("", source))
    if found := _MODULE_SYNTAX.search(body):
        line = body[found.start() :].strip().splitlines()[0]
        raise PageError(f"{path}: {line!r} is no import or export of an allowed form")
    taken = "".join(
        f"const {{{names.replace(' as ', ': ')}}} = m{numbers[target]};\n" for names, target in imports
    )
    exports = ", ".join(name for _, name in _EXPORT.findall(source))
    numbers[path] = len(numbers)
    parts.append(
        f"// {path}\nconst m{numbers[path]} = (() => {{\n{taken}{body}\nreturn {{ {exports} }};\n}})();"
    )


def _resolved(path: str, target: str) -> str:
    """The path below `page/` of what a module imports."""
    steps: list[str] = []
    for step in (PurePosixPath(path).parent / target).parts:
        if step == "..":
            steps.pop()
        elif step != ".":
            steps.append(step)
    return "/".join(steps)


def _text(path: str) -> str:
    return page_folder().joinpath(path).read_text("utf-8")


def _policy(script: str, style: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(script)}' 'wasm-unsafe-eval'",  # WebAssembly, and no eval of scripts
            f"style-src '{_digest(style)}'",
            "worker-src blob:",
            "img-src data:",
            "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _as_json(data: Mapping[str, Any]) -> str:
    """JSON that HTML reads as text whatever it says: no character in it can end the element or begin one."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
