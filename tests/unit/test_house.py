"""The house rules that no linter knows: sizes, names that mean one thing, and no import circle.

Each rule has a list of what still breaks it. A name comes off its list with the change that mends it; none is
added.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "workflow/src/superposition_atlas"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

LINES_A_FILE = 400
LINES_A_FUNCTION = 80
LINES_A_KERNEL = 150
LINES_OF_ADAPTERS = 80
MODULES_AT_THE_ROOT = 6

LONG_FILES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
CIRCLES = {
    # For type checkers only: settings look an architecture up by its name.
    frozenset({"sae/architecture.py", "sae/ensemble.py", "sae/settings.py"}),
}
NAMED_BY_ROLE = ("cli/commands/", "config/", "figures/catalogue/", "figures/draw/")
"""Folders whose modules are named after the command, section or figure that they are for."""
REPEATED_MODULES = {
    "__init__",
    "torch_engine",  # an engine of toy models and one of SAEs
    "cuda_engine",
    "inputs",  # of the page and of jobs
    "ensemble",  # what ensembles share, and the ensemble of SAEs
}
REPEATED_NAMES = {
    "evaluate",
    "load",
    "plain",
    "philox_quad",  # one generator, in numba and in Triton
    # Of a toy model and of an SAE; of the fused kernel and of Triton.
    "draw",
    "encode",
    "reconstruct",
}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def module_named(dotted: str) -> str | None:
    """The file of a dotted name, None if it names no module of the package."""
    parts = dotted.split(".")
    if parts[0] != PACKAGE.name:
        return None
    for name in ("/".join([*parts[1:], "__init__.py"]), "/".join(parts[1:]) + ".py"):
        if name in MODULES:
            return name
    return None


def imported(module: str) -> Iterator[tuple[str, str | None]]:
    """Modules that a module imports, wherever the import stands, each with the bare name taken from it."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if (file := module_named(alias.name)) is not None:
                    yield file, None
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            for alias in node.names:
                if (file := module_named(f"{node.module}.{alias.name}")) is not None:
                    yield file, None
                elif (file := module_named(str(node.module))) is not None:
                    yield file, alias.name


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, which says what arguments are and may be long."""
    first = node.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    documented = (first.end_lineno or first.lineno) - first.lineno + 1 if is_docstring else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - documented


def is_kernel(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is compiled: by Triton, numba or our cache of compiled code."""
    decorators = " ".join(map(ast.unparse, node.decorator_list))
    return "jit" in decorators or "compile" in decorators


def circles(edges: dict[str, set[str]]) -> set[frozenset[str]]:
    """Groups of modules each of which leads to every other."""
    reach: dict[str, set[str]] = {}
    for start in edges:
        seen: set[str] = set()
        waiting = list(edges[start])
        while waiting:
            if (module := waiting.pop()) not in seen:
                seen.add(module)
                waiting += edges[module]
        reach[start] = seen
    return {
        frozenset(other for other in reach[module] if module in reach[other])
        for module in edges
        if module in reach[module]
    }


def test_no_file_is_long() -> None:
    lines = {module: len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) for module in MODULES}
    assert {module for module, n in lines.items() if n > LINES_A_FILE} == LONG_FILES


def test_no_function_is_long() -> None:
    long = set()
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                most = LINES_A_KERNEL if is_kernel(node) else LINES_A_FUNCTION
                if length(node) > most:
                    long.add(f"{module}: {node.name}")
    assert long == LONG_FUNCTIONS


def test_no_import_leads_back() -> None:
    edges: dict[str, set[str]] = {module: set() for module in MODULES}
    for module in MODULES:
        # The root says for type checkers where each public name stands, and imports none of them.
        if module != "__init__.py":
            edges[module] = {file for file, _ in imported(module)} - {module}
    assert circles(edges) == CIRCLES


def test_circles_are_found() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}, "e": {"e"}}
    assert circles(edges) == {frozenset("bc"), frozenset("e")}


def test_modules_are_named_once() -> None:
    named = defaultdict(list)
    for module in MODULES:
        if not module.startswith(NAMED_BY_ROLE):
            named[Path(module).stem].append(module)
    assert {name for name, modules in named.items() if len(modules) > 1} == REPEATED_MODULES


def test_a_bare_name_means_one_function() -> None:
    """`layout.claims()` says whose it is; `from … import claims` does not, so no other module may have it."""
    owners = defaultdict(set)
    for module in MODULES:
        for file, name in imported(module):
            functions = {node.name for node in tree(file).body if isinstance(node, ast.FunctionDef)}
            if name in functions:
                owners[name].add(file)
    assert {name for name, files in owners.items() if len(files) > 1} == REPEATED_NAMES


def test_the_root_holds_only_what_every_room_stands_on() -> None:
    names = {path.name for path in PACKAGE.glob("*.py")}
    assert len(names) <= MODULES_AT_THE_ROOT


def test_rules_share_adapters_only() -> None:
    lines = (ROOT / "workflow/rules/common.smk").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LINES_OF_ADAPTERS
