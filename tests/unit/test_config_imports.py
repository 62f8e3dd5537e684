"""What the configuration imports: nothing that imports it, at any depth, lazily or for type checkers."""

import ast
from pathlib import Path

import superposition_atlas

SOURCE = Path(superposition_atlas.__file__).parent
PACKAGE = "superposition_atlas"


def modules() -> dict[str, Path]:
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join((PACKAGE, *(parts[:-1] if parts[-1] == "__init__" else parts)))] = path
    return found


def imports() -> dict[str, set[str]]:
    """The package's modules that each module names in an import, wherever the import stands."""
    known = modules()
    graph = {}
    for name, path in known.items():
        named: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        graph[name] = (named & known.keys()) - {PACKAGE}  # which offers the public API, lazily
    return graph


def test_the_configuration_and_the_settings_are_in_no_circle() -> None:
    graph = imports()
    ours = {name for name in graph if name.split(".")[1:2] in (["config"], ["settings"])}
    assert len(ours) > 10
    for start in ours:
        reached: set[str] = set()
        waiting = list(graph[start])
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting.extend(graph[name])
        assert start not in reached, f"{start} imports itself"
        rooms = {name.split(".")[1] for name in reached}
        above = {"figures", "maps", "report", "observations", "metrics", "training", "cli"}
        assert rooms.isdisjoint(above), start
