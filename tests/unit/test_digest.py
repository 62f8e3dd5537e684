"""The digest of a command's code: what must move it, what must not, on a copy of the package."""

import ast
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import superposition_atlas
from superposition_atlas.cli.main import COMMANDS
from superposition_atlas.storage.code_digest import code_digest as code_digest_here

SOURCE = Path(superposition_atlas.__file__).parent
COMMAND_MODULES = {name: f"superposition_atlas.cli.commands.{name.replace('-', '_')}" for name in COMMANDS}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package that a test may change."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(SOURCE, tmp_path / "superposition_atlas", ignore=ignored))


def code_digests(package: Path, *roots: tuple[str, ...]) -> list[str]:
    """`code_digest` of a copy, by the copy's own module: nothing is remembered from one call to the next."""
    spec = importlib.util.spec_from_file_location("digest_of_a_copy", package / "storage/code_digest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [module.code_digest(*root) for root in roots]


def code_digest(package: Path, *modules: str) -> str:
    return code_digests(package, modules)[0]


def digests(package: Path) -> dict[str, str]:
    values = code_digests(package, *((module,) for module in COMMAND_MODULES.values()))
    return dict(zip(COMMANDS, values, strict=True))


def moved_by(package: Path, change: Callable[[], None]) -> set[str]:
    """The commands whose digest a change moves."""
    before = digests(package)
    change()
    after = digests(package)
    return {command for command in COMMANDS if before[command] != after[command]}


def append(package: Path, module: str, text: str = "\nADDED = 1\n") -> None:
    path = package / module
    path.write_text(path.read_text() + text)


def small_package(folder: Path, modules: dict[str, str]) -> Path:
    """A package with this project's digest module and nothing else of it."""
    root = folder / "superposition_atlas"
    for name, text in {"__init__.py": "", **modules}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for parent in path.relative_to(root).parents:
            (root / parent / "__init__.py").touch()
    (root / "storage").mkdir(exist_ok=True)
    (root / "storage/__init__.py").touch()
    shutil.copy(SOURCE / "storage/code_digest.py", root / "storage")
    return root


# --- this package ------------------------------------------------------------------------------------------


def test_every_command_has_a_module_and_a_digest_of_its_own() -> None:
    found = {path.stem for path in (SOURCE / "cli/commands").glob("*.py")} - {"__init__"}
    assert found == {name.replace("-", "_") for name in COMMANDS}
    values = {command: code_digest_here(module) for command, module in COMMAND_MODULES.items()}
    assert len(set(values.values())) == len(COMMANDS)
    assert all(len(value) == 16 and int(value, 16) >= 0 for value in values.values())


def test_the_digest_does_not_depend_on_folder_or_process(package: Path) -> None:
    here = code_digest_here("superposition_atlas.cli.commands.train")
    assert code_digest(package, "superposition_atlas.cli.commands.train") == here
    script = (
        "from superposition_atlas.storage.code_digest import code_digest; "
        "print(code_digest('superposition_atlas.cli.commands.train'))"
    )
    # -P: not the working directory, but the copy, comes first.
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=package.parent,
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == here


def test_a_module_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"superposition_atlas\.cli\.commands\.nothing"):
        code_digest_here("superposition_atlas.cli.commands.nothing")


def without_comments_and_layout(text: str) -> str:
    return ast.unparse(ast.parse(text))


def with_comments_everywhere(text: str) -> str:
    """A comment above every statement at the top, and empty lines below."""
    starts = {node.lineno for node in ast.parse(text).body}
    lines = text.splitlines()
    return (
        "\n".join(f"# here\n{line}" if number in starts else line for number, line in enumerate(lines, 1))
        + "\n\n"
    )


class _OtherDocstrings(ast.NodeTransformer):
    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Expr(ast.Constant("Something else."))
        return node


def with_other_docstrings(text: str) -> str:
    return ast.unparse(ast.fix_missing_locations(_OtherDocstrings().visit(ast.parse(text))))


@pytest.mark.parametrize(
    "edit", [without_comments_and_layout, with_comments_everywhere, with_other_docstrings]
)
def test_comments_layout_and_docstrings_do_not_count(package: Path, edit: Callable[[str], str]) -> None:
    before = digests(package)
    for path in package.rglob("*.py"):
        text = path.read_text()
        path.write_text(edit(text))
        ast.parse(path.read_text())
    assert any(
        path.read_text() != (SOURCE / path.relative_to(package)).read_text() for path in package.rglob("*.py")
    )
    assert digests(package) == before


def test_documentation_added_or_taken_away_does_not_count(tmp_path: Path) -> None:
    plain = "class A:\n    x: int = 1\n\ndef f():\n    return 1\n"
    documented = (
        '"""Module."""\n\nclass A:\n    """Class."""\n\n    x: int = 1\n    """Attribute."""\n\n'
        'def f():\n    """Function."""\n    return 1\n'
    )
    root = small_package(tmp_path, {"a.py": plain})
    before = code_digest(root, "superposition_atlas.a")
    (root / "a.py").write_text(documented)
    assert code_digest(root, "superposition_atlas.a") == before


SEARCHING = {"map-solutions", "losses", "pair-phases", "pairs", "paper"}
MATCHING = {"matching", "map-matching", "prospective"}
"""Commands that ask the predictor whether a pentagon pays."""


MOVES = {
    # what is changed: commands that must follow, commands that must not
    "sampling/stream.py": ({"schedules", "train", "saes", "recovery"}, {"collect"}),
    "storage/atomic.py": (set(COMMANDS) - {"check-config", "targets"}, {"check-config"}),
    "schedules/__init__.py": ({"schedules", "train"}, {"collect"}),
    "toy_model.py": ({"train", "features", "saes", "recovery"}, {"collect"}),
    "training": (
        {"train", "map-weights"},
        {
            *("map-points", "map-solutions", "map-measures", "losses"),
            *("schedules", "features", "recovery", "collect", "claims", "figure", "report"),
        },
    ),
    # A configuration is read by the declaration of SAEs' settings, not by what trains them.
    "sae/settings.py": ({"saes", "recovery", "schedules"}, {"train", "features", "collect", "claims"}),
    "sae/train_saes.py": ({"saes"}, {"schedules", "train", "features", "collect", "claims"}),
    "sae/fused": ({"saes"}, {"schedules", "train", "features", "collect", "claims"}),
    "settings": ({"schedules", "train", "saes"}, {"collect"}),
    "metrics/features.py": ({"features", "claims"}, {"schedules", "train", "saes", "collect"}),
    "metrics/recovery.py": ({"recovery"}, {"schedules", "train", "saes", "features", "collect", "claims"}),
    "metrics/sae_history.py": ({"recovery"}, {"schedules", "train", "saes", "features", "collect", "claims"}),
    "observations/claims.py": ({"claims"}, {"schedules", "train", "saes", "features", "recovery", "collect"}),
    "figures": (
        {"figure", "report"},
        {"schedules", "train", "saes", "features", "recovery", "collect", "claims"},
    ),
    "figures/parts/style.py": (
        {"figure"},
        {"schedules", "train", "saes", "features", "recovery", "collect", "claims"},
    ),
    "report": ({"report", "paper"}, set(COMMANDS) - {"report", "paper"}),
    "config": ({"schedules", "check-config", "report"}, {"map-points", "map-weights", "features", "collect"}),
    "maps/points.py": (
        {"map-points", "losses", "report"},
        set(COMMANDS) - {"map-points", "losses", "report", "paper", "check-config", "targets"},
    ),
    "storage/store.py": (
        {"train", "map-weights", "map-solutions"},
        {"schedules", "saes", "features", "recovery", "collect", "claims", "figure", "attention"},
    ),
    "storage/layout.py": (
        {"report"},
        {
            "schedules",
            "train",
            "saes",
            "features",
            "recovery",
            "losses",
            "collect",
            "claims",
            "map-weights",
            "figure",
        },
    ),
    "maps/train_points.py": ({"map-weights"}, set(COMMANDS) - {"map-weights"}),
    "maps/solutions.py": ({"map-solutions", "losses"}, set(COMMANDS) - {"map-solutions", "losses"}),
    "maps/measures.py": (
        {"map-measures", "map-solutions", "losses"},
        set(COMMANDS) - {"map-measures", "map-solutions", "losses"},
    ),
    "theory/best.py": (SEARCHING, set(COMMANDS) - SEARCHING),
    "theory/predictor.py": (SEARCHING | MATCHING, set(COMMANDS) - SEARCHING - MATCHING),
    "theory/exact_loss.py": (
        {"map-solutions", "map-measures", "losses"},
        {"map-points", "map-weights", "train", "saes", "features", "claims", "collect", "figure"},
    ),
    "cli/commands/collect.py": ({"collect"}, set(COMMANDS) - {"collect"}),
    "cli/main.py": (set(), set(COMMANDS)),
}


@pytest.mark.parametrize("changed", MOVES)
def test_code_moves_the_commands_that_reach_it_and_no_other(package: Path, changed: str) -> None:
    must, must_not = MOVES[changed]
    paths = sorted((package / changed).rglob("*.py")) or [package / changed]

    def change() -> None:
        for path in paths:
            path.write_text(path.read_text() + "\nADDED = 1\n")

    moved = moved_by(package, change)
    assert must <= moved
    assert moved.isdisjoint(must_not)


def test_each_training_module_moves_training(package: Path) -> None:
    train = COMMAND_MODULES["train"]
    for path in sorted((package / "training").glob("*.py")):
        before = code_digest(package, train)
        append(package, f"training/{path.name}")
        assert code_digest(package, train) != before, path.name


def test_one_figures_module_moves_that_figure_alone(package: Path) -> None:
    names = ("plane", "bars", "cases")
    command = COMMAND_MODULES["figure"]

    def of_figures() -> dict[str, str]:
        return {
            name: code_digest(package, command, f"superposition_atlas.figures.draw.{name}") for name in names
        }

    before = of_figures()
    append(package, "figures/draw/cases.py")
    after = of_figures()
    assert {name for name in names if before[name] != after[name]} == {"cases"}
    append(package, "figures/parts/style.py")
    last = of_figures()
    assert all(last[name] != after[name] for name in names)


# --- any package -------------------------------------------------------------------------------------------

IMPORTS = {
    "absolute": "from superposition_atlas.sub.target import x",
    "of the module": "import superposition_atlas.sub.target",
    "under another name": "import superposition_atlas.sub.target as t",
    "from the package": "from superposition_atlas.sub import target",
    "relative": "from .sub.target import x",
    "relative, from the package": "from .sub import target",
    "in a function": "def f():\n    from superposition_atlas.sub.target import x\n    return x",
    "in a method": "class A:\n    def f(self):\n        from .sub import target\n        return target",
    "under a condition": "import sys\nif sys.platform:\n    from .sub import target",
    "in a try": "try:\n    from .sub import target\nexcept ImportError:\n    target = None",
    "in the else of TYPE_CHECKING": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    from .sub import target"
    ),
    "through another module": "from . import between",
}

NO_IMPORTS = {
    "none": "x = 1",
    "for type checkers": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .sub.target import x",
    "in a string": 'x = "from superposition_atlas.sub import target"',
    "in a comment": "x = 1  # from superposition_atlas.sub import target",
    "a neighbour": "from .sub import neighbour",
    "another package of a longer name": "import superposition_atlas_extras.sub.target",
}


def digests_around_a_change(folder: Path, imports: str) -> tuple[str, str]:
    root = small_package(
        folder,
        {
            "start.py": imports + "\n",
            "between.py": "def g():\n    from .sub import target\n    return target\n",
            "sub/target.py": "x = 1\n",
            "sub/neighbour.py": "y = 1\n",
        },
    )
    before = code_digest(root, "superposition_atlas.start")
    (root / "sub" / "target.py").write_text("x = 2\n")
    return before, code_digest(root, "superposition_atlas.start")


@pytest.mark.parametrize("how", IMPORTS)
def test_an_import_of_any_kind_is_followed(tmp_path: Path, how: str) -> None:
    before, after = digests_around_a_change(tmp_path, IMPORTS[how])
    assert before != after


@pytest.mark.parametrize("how", NO_IMPORTS)
def test_what_is_not_imported_does_not_count(tmp_path: Path, how: str) -> None:
    before, after = digests_around_a_change(tmp_path, NO_IMPORTS[how])
    assert before == after


def test_relative_imports_climb(tmp_path: Path) -> None:
    modules = {
        "deep/er/start.py": "from ...sub.target import x\nfrom ..beside import y\nfrom . import z\n",
        "deep/er/z.py": "",
        "deep/beside.py": "y = 1\n",
        "sub/target.py": "x = 1\n",
        "deep/target.py": "",
    }
    root = small_package(tmp_path, modules)
    start = "superposition_atlas.deep.er.start"
    for module, counts in {
        "sub/target.py": True,
        "deep/beside.py": True,
        "deep/er/z.py": True,
        "deep/target.py": False,
    }.items():
        before = code_digest(root, start)
        append(root, module)
        assert (code_digest(root, start) != before) is counts, module


def test_packages_run_their_init_and_imports_may_go_in_circles(tmp_path: Path) -> None:
    root = small_package(
        tmp_path,
        {"sub/a.py": "from . import b\n", "sub/b.py": "from . import a\n", "sub/__init__.py": "y = 1\n"},
    )
    start = "superposition_atlas.sub.a"
    for module in ("sub/__init__.py", "__init__.py", "sub/b.py"):
        before = code_digest(root, start)
        append(root, module)
        assert code_digest(root, start) != before, module


def test_a_module_runs_the_init_of_every_package_above_it(tmp_path: Path) -> None:
    root = small_package(tmp_path, {"a.py": "import superposition_atlas.sub.deep.b\n", "sub/deep/b.py": ""})
    for module in ("sub/deep/__init__.py", "sub/__init__.py", "__init__.py"):
        before = code_digest(root, "superposition_atlas.a")
        append(root, module)
        assert code_digest(root, "superposition_atlas.a") != before, module


CHANGES = {
    "a number": ("return 1", "return 2"),
    "a default": ("def f(a=1)", "def f(a=2)"),
    "a name": ("def f(", "def g("),
    "a string that is returned": ("'one'", "'two'"),
    "a decorator": ("def f(a=1)", "@print\ndef f(a=1)"),
    "an operator": ("a + b", "a - b"),
    "an annotation": ("c: int", "c: float"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_the_syntax_tree_counts(tmp_path: Path, change: str) -> None:
    text = "def f(a=1):\n    return 1\n\n\ndef h(a, b):\n    return a + b, 'one'\n\n\nc: int = 3\n"
    root = small_package(tmp_path, {"a.py": text})
    before = code_digest(root, "superposition_atlas.a")
    old, new = CHANGES[change]
    assert old in text
    (root / "a.py").write_text(text.replace(old, new))
    assert code_digest(root, "superposition_atlas.a") != before


# --- what is stored between processes ----------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of this test, empty."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache/superposition-atlas/code"


MODULES = {"a.py": "from superposition_atlas import b\n", "b.py": "B = 1\n", "c.py": "C = 1\n"}


def test_what_was_read_before_gives_the_same_digest(tmp_path: Path, stored: Path) -> None:
    root = small_package(tmp_path, MODULES)
    first = code_digest(root, "superposition_atlas.a")
    entries = {path.name: path.read_bytes() for path in stored.iterdir()}
    assert len(entries) == 3  # a, b, and the empty module of the package
    assert code_digest(root, "superposition_atlas.a") == first
    (root / "b.py").write_text("B = 2\n")
    assert code_digest(root, "superposition_atlas.a") != first
    (root / "b.py").write_text(MODULES["b.py"])
    assert code_digest(root, "superposition_atlas.a") == first
    assert {name: (stored / name).read_bytes() for name in entries} == entries


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-3],
        lambda content: content[:70] + b"0" + content[71:] if content[70:71] != b"0" else content[:70],
        lambda content: b"\xff" + content,
    ],
    ids=["empty", "truncated", "changed", "not text"],
)
def test_a_damaged_entry_is_read_again(
    tmp_path: Path, stored: Path, damage: Callable[[bytes], bytes]
) -> None:
    root = small_package(tmp_path, MODULES)
    first = code_digest(root, "superposition_atlas.a")
    entries = {path: path.read_bytes() for path in stored.iterdir()}
    for path, content in entries.items():
        path.write_bytes(damage(content))
    assert code_digest(root, "superposition_atlas.a") == first
    assert {path: path.read_bytes() for path in entries} == entries


def test_entries_in_each_others_places_are_read_again(tmp_path: Path, stored: Path) -> None:
    root = small_package(tmp_path, MODULES)
    first = [code_digest(root, f"superposition_atlas.{name}") for name in "abc"]
    one, *others = stored.iterdir()
    for path in others:
        path.write_bytes(one.read_bytes())
    assert [code_digest(root, f"superposition_atlas.{name}") for name in "abc"] == first


def test_where_nothing_can_be_stored_digests_are_the_same(
    tmp_path: Path, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small_package(tmp_path, MODULES)
    first = code_digest(root, "superposition_atlas.a")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/dev/null/x")
    assert code_digest(root, "superposition_atlas.a") == first
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert code_digest(root, "superposition_atlas.a") == first
