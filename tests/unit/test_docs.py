"""The documentation agrees with the code: links, commands, files, diagrams; and it is in plain English."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from superposition_atlas.cli.main import COMMANDS
from superposition_atlas.config import load

from .config_samples import laid_over

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "workflow" / "src" / "superposition_atlas"
RULES = ROOT / "workflow" / "rules"
PAGES = sorted(
    [
        *(
            page
            for folder in (ROOT, ROOT / "docs", ROOT / "config", ROOT / "benchmarks")
            for page in folder.glob("*.md")
        ),
        *(ROOT / ".github").rglob("*.md"),
    ]
)
WIDTH = 120
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


@pages
def test_relative_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith(("http:", "https:")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


@pages
def test_lines_have_one_width(page: Path) -> None:
    """Tables and URLs can't be broken."""
    lines = [line for line in text_of(page).splitlines() if not line.lstrip().startswith("|")]
    assert [line for line in lines if len(line) > WIDTH and "http" not in line] == []


@pages
def test_every_command_exists(page: Path) -> None:
    commands = re.findall(r"python -m superposition_atlas ([a-z][a-z-]*)", text_of(page))
    assert [name for name in commands if name not in COMMANDS] == []
    modules = re.findall(r"python -m (superposition_atlas\.[\w.]+|tests\.[\w.]+)", text_of(page))
    scripts = re.findall(r"python (benchmarks/\w+\.py)", text_of(page))
    sources = [ROOT / "workflow" / "src", ROOT]
    files = [name.replace(".", "/") + ".py" for name in modules] + scripts
    assert [file for file in files if not any((source / file).is_file() for source in sources)] == []


@pages
def test_python_compiles_and_imports_what_exists(page: Path) -> None:
    for block in code_blocks(page, "python"):
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("superposition_atlas"):
                for alias in node.names:
                    assert defined(node.module or "", alias.name), f"{node.module}.{alias.name}"


def defined(module: str, name: str) -> bool:
    """Whether a module of the package, read and not imported, has a name; or it is a module itself."""
    base = PACKAGE.parent / module.replace(".", "/")
    if (base / f"{name}.py").is_file() or (base / name).is_dir():
        return True
    file = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
    return re.search(rf"^(def|class) {name}\b|^{name}\b.*=", text_of(file), re.MULTILINE) is not None


@pages
def test_configurations_are_accepted(page: Path) -> None:
    for block in code_blocks(page, "yaml"):
        load(laid_over(yaml.safe_load(block)))


@pages
def test_files_of_the_package_that_are_named_exist(page: Path) -> None:
    """`theory/matching.py` is in the package, `test_matching.py` a test, other paths are in the checkout."""
    if page.name == "CHANGELOG.md":  # it tells of the past
        return
    tests = {file.name for file in (ROOT / "tests").rglob("*.py")}
    for name in re.findall(r"`([\w/.-]+\.(?:py|smk))`", text_of(page)):
        assert name in tests or any((root / name).is_file() for root in (PACKAGE, ROOT, RULES)), name


@pages
def test_the_post_is_named_where_it_is_first_mentioned(page: Path) -> None:
    """The talk's long form is called "the post": its first mention says so, or leads to the glossary."""
    # The changelog tells of the past; tables are written from the code.
    if page.name in ("CHANGELOG.md", "tables.md") or page.parent.name == "config":
        return
    text = " ".join(text_of(page).split()).replace("*", "")
    mention = re.search(r"\b(the|its) \[?post\b", text, re.IGNORECASE)
    if mention is not None:
        near = text[max(0, mention.start() - 80) : mention.end() + 250]
        assert "long form" in near or "glossary.md#what-is-reproduced" in near


def test_the_readme_promises_counterparts_of_the_talks_pictures() -> None:
    first_screen = text_of(ROOT / "README.md").split("\n1. ")[0]
    assert "counterpart" in first_screen
    assert "our own data" in first_screen
    assert "reproduces every figure" not in text_of(ROOT / "README.md")


def test_the_readmes_numbers_are_those_of_the_tables() -> None:
    text = " ".join(text_of(ROOT / "README.md").split())
    post = pd.read_csv(ROOT / "docs" / "prospective" / "post.csv")
    schedules = post[post["case"] != "case5"]  # the same as post4 up to the names of the features
    near = schedules["jaccard_ceiling"] - schedules["jaccard_rule"] <= 0.05
    assert f"(Jaccard within .05) for {near.sum()} of {len(near)} schedules" in text
    geometric = post[post["probability"] == "geometric"].set_index("case")
    one, two = geometric.loc["case1"], geometric.loc["case2"]
    assert f"{one['n_kept_rule']} features are represented and {one['n_alone_rule']} of them" in text
    assert f"{two['n_kept_rule']} are represented and none is alone" in text
    assert two["n_alone_rule"] == two["n_alone_trained"] == 0
    assert (
        f"{one['n_kept_trained']:.1f} and {one['n_alone_trained']:.1f}, {two['n_kept_trained']:.1f} and 0"
        in text
    )
    summary = pd.read_csv(ROOT / "docs" / "prospective" / "summary.csv")
    below = summary[(summary["n_features"] == 80) & (summary["measure"] == "below_ceiling")]
    for row in below.itertuples():
        assert f"{row.mean:.3f}".removeprefix("0") in text
        assert str(row.n_schedules) in text
    (overall,) = below[below["schedules"] == "all"].itertuples()
    assert f"{overall.ci_low:.3f} to {overall.ci_high:.3f}".replace("0.", ".") in text


# --- diagrams ----------------------------------------------------------------------------------------------


def nodes(diagram: str) -> set[str]:
    return set(re.findall(r"\b(\w+)\[\"", diagram))


CHAIN, ROOMS = code_blocks(ROOT / "docs" / "architecture.md", "mermaid")


def test_every_stage_of_the_chain_is_a_rule_file() -> None:
    assert nodes(CHAIN) == {file.stem for file in RULES.glob("*.smk")} - {"common"}


def test_every_room_is_a_folder() -> None:
    folders = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    assert nodes(ROOMS) == folders


# --- plain English -----------------------------------------------------------------------------------------

RETIRED_STARTS = re.compile(r"(Of|By|As|So many|So are|That|Those|Else|From|With|Beside|Not|There)\b")
RETIRED_NAMES = frozenset(
    [
        "own",
        "described",
        "there",
        "asked",
        "said",
        "looks",
        "several",
        "wrong",
        "dotted",
        "settle",
        "leave",
        "weigh",
        "cut",
        "reach",
    ]
)
STILL_TO_DO = {"figures/parts/sae_series.py", "maps/measures.py", "maps/points.py", "plan/targets.py"}
"""Modules and rooms that the test passes over until they are rewritten."""


def docstrings(tree: ast.AST) -> Iterator[str]:
    """Texts of modules, classes and functions, and those below constants and fields."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value.value.strip()


def public_names(tree: ast.Module) -> Iterator[str]:
    """Functions, classes and their methods and fields, and the parameters of each."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name
            yield from (argument.arg for argument in (*node.args.args, *node.args.kwonlyargs))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
            yield from (
                field.target.id
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            )


MODULES = sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("room", sorted({name.split("/")[0] for name in MODULES}))
def test_docstrings_stand_alone_and_names_say_what_things_are(room: str) -> None:
    found = []
    for module in MODULES:
        if module.split("/")[0] != room or module in STILL_TO_DO or room in STILL_TO_DO:
            continue
        tree = ast.parse(text_of(PACKAGE / module))
        found += [f"{module}: {text[:70]}" for text in docstrings(tree) if RETIRED_STARTS.match(text)]
        found += [f"{module}: {name}" for name in public_names(tree) if name in RETIRED_NAMES]
    assert found == []
