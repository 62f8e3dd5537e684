"""A digest of the code that a command reaches, so that results are rebuilt when it changes, and only then.

Snakemake follows neither imports nor the code behind `python -m`. So every rule carries the digest of its
command as a param. The digest covers the syntax tree of each module of this package that imports reach,
at any depth and also inside functions; comments, layout and docstrings do not count, and neither do other
packages, whose versions are in the provenance of every artefact.

Every job and every start of Snakemake needs digests, and parsing all modules takes about a second. So what
was read from a module is stored in the user's cache folder, under the checksum of the module's source. A
damaged or missing entry is made again, and a folder that cannot be used only costs that second.
"""

import ast
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

PACKAGE = "superposition_atlas"
_ROOT = Path(__file__).parents[1]
_TAKES_USERS_FILES = f"{PACKAGE}.sae.architectures.registry"
_USERS_FILES = "SUPERPOSITION_ATLAS_ARCHITECTURES"
"""The environment variable by which that module finds architectures of users; see there."""
_CHECKSUM_DIGITS = 64


class _Import(NamedTuple):
    """An import statement: `from ..module import name` has level 2."""

    level: int
    module: str
    names: tuple[str, ...]


class _Contents(NamedTuple):
    """What a digest needs to know about one module."""

    digest: str
    """Digest of its syntax tree without docstrings."""
    imports: tuple[_Import, ...]
    """Its imports that may be of this package, wherever they stand, but for type checkers only."""


def code_digest(*modules: str) -> str:
    """Digest of modules (`superposition_atlas.schedules`) and of all modules that they import.

    Raises:
        ModuleNotFoundError: if a module does not exist.
    """
    reached = reached_modules(*modules)
    lines = [f"{name} {_contents(name).digest}" for name in reached]
    if _TAKES_USERS_FILES in reached:
        lines += [_file_digest(Path(path)) for path in _users_files()]
    text = "\n".join(lines)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def reached_modules(*modules: str) -> list[str]:
    """The given modules, all that they import of the package, and the packages above them, in order.

    Raises:
        ModuleNotFoundError: if a module does not exist.
    """
    reached: set[str] = set()
    waiting = [*modules, PACKAGE]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        waiting.extend(_imports(name))
        waiting.append(name.rpartition(".")[0] or PACKAGE)
    return sorted(reached)


def changed_since(moment_ns: int, *modules: str) -> bool:
    """Whether a file of `reached_modules` was written or replaced after a moment (ns since the epoch).

    Then the digest is of other code than what a process has loaded by that moment.
    """
    files = [_file(name) for name in reached_modules(*modules)]
    states = [path.stat() for path in files if path is not None]
    return any(max(state.st_mtime_ns, state.st_ctime_ns) > moment_ns for state in states)


def _users_files() -> list[str]:
    return [path for path in os.environ.get(_USERS_FILES, "").split(os.pathsep) if path]


def _file_digest(path: Path) -> str:
    """Digest of the text of a user's file; an empty one if it can't be read, which its import will report."""
    return hashlib.sha256(path.read_bytes() if path.is_file() else b"").hexdigest()


def cache_root() -> Path:
    """The folder for what can be made again: in NUMBA_CACHE_DIR, else XDG_CACHE_HOME, else ~/.cache.

    Raises:
        RuntimeError: if there is no home folder.
    """
    root = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    return (Path(root).absolute() if root else Path.home() / ".cache") / "superposition-atlas"


@cache
def _file(module: str) -> Path | None:
    path = _ROOT.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _contents(module: str) -> _Contents:
    path = _file(module)
    if path is None:
        raise ModuleNotFoundError(f"no module {module}")
    source = path.read_bytes()
    key = hashlib.sha256(_reader_key() + hashlib.sha256(source).digest()).hexdigest()
    contents = _stored(key)
    if contents is None:
        contents = _read(ast.parse(source, filename=str(path)))
        _store(key, contents)
    return contents


@cache
def _reader_key() -> bytes:
    """Checksum of what decides how a source is read: this file and the version of Python."""
    return hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).digest()


def _stored(key: str) -> _Contents | None:
    """The entry of a key; None if there is none or it is damaged."""
    try:
        text = (cache_root() / "code" / key).read_text("ascii")
        checksum, body = text[:_CHECKSUM_DIGITS], text[_CHECKSUM_DIGITS:]
        if checksum != _checksum(key, body):
            return None
        digest, imports = json.loads(body)
        return _Contents(digest, tuple(_Import(level, name, tuple(names)) for level, name, names in imports))
    except (OSError, RuntimeError, ValueError):
        return None


def _store(key: str, contents: _Contents) -> None:
    body = json.dumps(contents)
    with contextlib.suppress(OSError, RuntimeError):
        path = cache_root() / "code" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{key}.{uuid4().hex}")
        try:
            new.write_text(_checksum(key, body) + body, "ascii")
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def _checksum(key: str, body: str) -> str:
    return hashlib.sha256(f"{key} {body}".encode()).hexdigest()


def _read(tree: ast.Module) -> _Contents:
    """Digest and imports in one walk through a syntax tree."""
    pieces: list[str] = []
    imports: list[_Import] = []
    _walk(tree, True, pieces.append, imports.append)
    return _Contents(hashlib.sha256("".join(pieces).encode()).hexdigest(), tuple(imports))


def _walk(node: ast.AST, runs: bool, write: Callable[[str], None], found: Callable[[_Import], None]) -> None:
    """Writes a tree as text and finds its imports.

    Args:
        node: root of the tree.
        runs: whether it ever runs, unlike what stands under `if TYPE_CHECKING:`.
        write: takes the pieces of the text.
        found: takes the imports that run.
    """
    kind = type(node)
    write(f"{kind.__name__}(")
    # Attribute docstrings are bare strings too: no bare string has an effect.
    documented = kind in (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if runs and kind in (ast.Import, ast.ImportFrom):
        for each in _imports_of(node):
            found(each)
    for field in node._fields:
        value = getattr(node, field, None)
        body_runs = runs and not (field == "body" and _is_for_type_checkers(node))
        if isinstance(value, ast.AST):
            # Whether a name is loaded or stored follows from where it stands.
            if field != "ctx":
                _walk(value, body_runs, write, found)
        elif isinstance(value, list):
            write("[")
            for item in value:
                if not isinstance(item, ast.AST):
                    write(f"{item!r},")
                elif not (documented and field == "body" and _is_bare_string(item)):
                    _walk(item, body_runs, write, found)
            write("]")
        else:
            write(repr(value))
        write(",")
    write(")")


def _is_bare_string(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _imports_of(statement: Any) -> list[_Import]:
    """The imports of one statement that may be of this package."""
    names = tuple(alias.name for alias in statement.names)
    if isinstance(statement, ast.Import):
        found = [_Import(0, name, ()) for name in names]
    else:
        found = [_Import(statement.level, statement.module or "", names)]
    return [each for each in found if each.level or f"{each.module}.".startswith(f"{PACKAGE}.")]


@cache
def _imports(module: str) -> tuple[str, ...]:
    """The package's modules that this one imports."""
    found: set[str] = set()
    for level, base, names in _contents(module).imports:
        if level:
            package = module if _is_package(module) else module.rpartition(".")[0]
            above = package.split(".")[: len(package.split(".")) - level + 1]
            base = ".".join([*above, *([base] if base else [])])
        candidates = [base, *(f"{base}.{name}" for name in names)]
        found.update(
            name for name in candidates if f"{name}.".startswith(f"{PACKAGE}.") and _file(name) is not None
        )
    return tuple(sorted(found))


def _is_package(module: str) -> bool:
    path = _file(module)
    return path is not None and path.name == "__init__.py"
