"""A digest of the code that a command reaches, so that results are rebuilt when it changes, and only then.

Snakemake follows neither imports nor the code behind `python -m`. So every rule carries the digest of its
command as a param. The digest covers the syntax tree of each module of this package that imports reach,
at any depth and also inside functions; comments, layout and docstrings do not count, and neither do other
packages, whose versions are in the provenance of every artefact.
"""

import ast
import hashlib
import os
from functools import cache
from pathlib import Path

PACKAGE = "superposition_atlas"
_ROOT = Path(__file__).parents[1]
_TAKES_USERS_FILES = f"{PACKAGE}.sae.architectures.registry"
_USERS_FILES = "SUPERPOSITION_ATLAS_ARCHITECTURES"
"""The environment variable by which that module finds architectures of users; see there."""


def code_digest(*modules: str) -> str:
    """Digest of modules (`superposition_atlas.schedules`) and of all modules that they import.

    Raises:
        ModuleNotFoundError: if a module does not exist.
    """
    reached = reached_modules(*modules)
    lines = [f"{name} {_tree_digest(name)}" for name in reached]
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
    """Of a user's file, by its text; an empty one where it can't be read, which its import will say."""
    return hashlib.sha256(path.read_bytes() if path.is_file() else b"").hexdigest()


def _file(module: str) -> Path | None:
    path = _ROOT.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _tree(module: str) -> ast.Module:
    path = _file(module)
    if path is None:
        raise ModuleNotFoundError(f"no module {module}")
    tree = ast.parse(path.read_bytes(), filename=str(path))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            # Attribute docstrings are bare strings too: no bare string has an effect.
            node.body = [statement for statement in node.body if not _is_bare_string(statement)]
    return tree


def _is_bare_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


@cache
def _tree_digest(module: str) -> str:
    return hashlib.sha256(ast.dump(_tree(module)).encode()).hexdigest()


@cache
def _imports(module: str) -> tuple[str, ...]:
    """The package's modules that this one imports, wherever the import stands, but for type checkers only."""
    found: set[str] = set()
    for node in _running_nodes(_tree(module)):
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module if _is_package(module) else module.rpartition(".")[0]
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            candidates = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        found.update(
            name for name in candidates if f"{name}.".startswith(f"{PACKAGE}.") and _file(name) is not None
        )
    return tuple(sorted(found))


def _is_package(module: str) -> bool:
    path = _file(module)
    return path is not None and path.name == "__init__.py"


def _running_nodes(tree: ast.AST) -> list[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`."""
    nodes: list[ast.AST] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting.extend(node.orelse)
            continue
        nodes.append(node)
        waiting.extend(ast.iter_child_nodes(node))
    return nodes
