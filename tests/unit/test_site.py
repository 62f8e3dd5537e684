"""The site's navigation names every page, its links lead somewhere, and its generated pages fit the code."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import superposition_atlas as sa
import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
GENERATED = {"configuration.md", "benchmarks.md", "contributing.md"}


def pages_of(navigation: Any) -> list[str]:
    if isinstance(navigation, str):
        return [navigation]
    values = navigation.values() if isinstance(navigation, dict) else navigation
    return [page for value in values for page in pages_of(value)]


def test_the_navigation_has_every_page_once() -> None:
    pages = pages_of(SITE["nav"])
    assert len(pages) == len(set(pages))
    written = {path.name for path in DOCS.glob("*.md")} | {path.name for path in DOCS.glob("*.ipynb")}
    assert set(pages) == written | GENERATED


def test_the_pages_beside_docs_are_there_and_the_site_loads_nothing_from_elsewhere() -> None:
    hooks = (DOCS / "_site.py").read_text(encoding="utf-8")
    beside = dict(re.findall(r'"(\w+\.md)": "([\w/]+\.md)"', hooks))
    assert set(beside) == GENERATED
    assert all((ROOT / path).is_file() for path in beside.values())
    assert SITE["theme"]["font"] is False
    assert SITE["strict"] is True
    assert not any("http" in str(SITE.get(key, "")) for key in ("extra_css", "extra_javascript"))


def test_the_python_reference_names_what_exists() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: (superposition_atlas[\w.]*)$", text, re.MULTILINE)
    for name in named:
        module, _, last = name.rpartition(".")
        found = importlib.util.find_spec(name) if module == "superposition_atlas" else None
        if found is None and module != "superposition_atlas.figures":
            assert hasattr(importlib.import_module(module), last), name
    reachable = {name.rpartition(".")[2] for name in named}
    missing = set(sa.__all__) - reachable - {"__version__", "AtlasError", "errors", "metrics", "SAESettings"}
    assert missing <= {"Prediction", "import_toy_model"}


def test_the_page_of_tables_has_the_columns_that_are_computed() -> None:
    spec = importlib.util.spec_from_file_location("tables_page", DOCS / "_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (DOCS / "tables.md").read_text(encoding="utf-8")
    assert text == module.page(), "python docs/_tables.py"
    assert {"`saes.parquet`", "`features.parquet`"} <= set(re.findall(r"^## (.*)$", text, re.MULTILINE))


def test_the_tutorial_has_been_run_from_top_to_bottom() -> None:
    notebook = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] in ("error", "stream")]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 5
    text = "".join("".join(cell["source"]) for cell in cells)
    assert all(
        f"sa.{name}(" in text for name in ("match", "train", "train_saes", "evaluate", "best_solutions")
    )
