"""The site's navigation names every page, its links lead somewhere, and its generated pages fit the code."""

import importlib.util
import inspect
import itertools
import json
import re
import sys
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import superposition_atlas as sa
import yaml
from superposition_atlas.maps import matching_summary
from superposition_atlas.metrics import features, polysemanticity, recovery, sae_comparison
from superposition_atlas.observations import claims
from superposition_atlas.storage import layout, map_files

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


def module_of_docs(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def tables_page() -> Any:
    return module_of_docs("_tables")


def test_flowcharts_are_pictures_without_the_network() -> None:
    """Mermaid's program would come from elsewhere."""
    diagrams = module_of_docs("_diagrams")
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    drawn = diagrams.with_pictures(text)
    assert "mermaid" not in drawn
    pictures = re.findall(r"<svg.*?</svg>", drawn)
    sources = diagrams.FENCE.findall(text)
    assert len(pictures) == len(sources) == 2
    for source, picture in zip(sources, pictures, strict=True):
        ElementTree.fromstring(picture)
        for label in re.findall(r'\["(.*?)"\]', source):
            assert all(f">{escape(line)}</text>" in picture for line in label.split("<br/>"))
        assert picture.count("marker-end") == source.count("-->")
        boxes, edges = diagrams._read(source)
        rows, paths = diagrams._placed(boxes, edges)
        every = [box for row in rows for box in row if not box.is_waypoint]
        for number, one in enumerate(every):
            for other in every[number + 1 :]:
                apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
                assert apart_x or one.y + one.height <= other.y or other.y + other.height <= one.y
        for path in paths:  # arrows point downwards
            assert all(one.y + one.height <= other.y for one, other in itertools.pairwise(path))


def test_what_is_no_flowchart_is_refused() -> None:
    with pytest.raises(ValueError, match="is no node of a flowchart"):
        module_of_docs("_diagrams").picture("flowchart LR\n  a -.-> b")


def test_the_page_of_tables_is_made_from_the_code() -> None:
    page = tables_page()
    text = (DOCS / "tables.md").read_text(encoding="utf-8")
    assert text == page.page(), "python docs/_tables.py"
    shown = set(re.findall(r"^### `(.*)`$", text, re.MULTILINE))
    assert shown == {table.path for tables in page.SECTIONS.values() for table in tables}
    folders = {name for name in layout.ENTRIES.values() if name.template.endswith(".parquet")}
    missing = {entry.template for entry in folders} - shown
    assert missing == {  # one of a case has the columns of its experiment's; shards stand as a folder
        "schedules/{experiment}/{case}.parquet",
        "metrics/{experiment}/cases/{case}/{table}.parquet",
        "metrics/{experiment}/{table}.parquet",
        "maps/{map}/points/shard={shard}/part.parquet",
        "maps/{map}/weights/shard={shard}/part.parquet",
        "maps/{map}/solutions/shard={shard}/part.parquet",
        "maps/{map}/{table}.parquet",
        "norms/{table}.parquet",
        "pairs/{table}.parquet",
        "attention/{table}.parquet",
        "playground/{table}.parquet",
    }


def test_columns_that_are_computed_or_declared_are_explained() -> None:
    page = tables_page()
    found = {table.path: set(page.columns(table)) for tables in page.SECTIONS.values() for table in tables}
    models = sa.import_toy_model(np.eye(2, 3), probability=0.3, n_features=3)
    saes = sa.import_saes({"W_enc": np.eye(2), "W_dec": np.eye(2)})
    evaluation = recovery.evaluate(models, saes, n_samples=64)
    of_saes = recovery.sae_table(evaluation).assign(case="a", sae="mine")
    own, named = {"case", "shown"}, {"case", "shown", "sae"}
    measured = {
        "models": own | set(features.model_table(models)),
        "features": own | set(features.feature_table(models)),
        "saes": named | set(recovery.sae_table(evaluation)) - {"instance"},
        "latents": named | set(recovery.latent_table(evaluation)) - {"instance"},
        "recovered": named | set(recovery.recovered_features(evaluation)) - {"instance"},
        "polysemanticity": named | set(polysemanticity.latent_units(evaluation)),
        "sae_levels": set(sae_comparison.level_table(of_saes)),
        "sae_contrasts": set(sae_comparison.contrast_table(of_saes)),
        "matching": {"case", "schedule", *matching_summary.SCHEMA.names},
    }
    for name, columns in measured.items():
        assert found[f"metrics/{{experiment}}/{name}.parquet"] == columns, name
    assert found["claims.parquet"] == set(claims.COLUMNS)
    assert found["maps/{map}/weights/"] == set(map_files.WEIGHT_SCHEMA.names)
    assert found["maps/{map}/solutions/"] == set(map_files.SOLUTION_SCHEMA.names)


def test_entries_of_a_docstring_are_read() -> None:
    text = """One row.

    a: first. b, c(_low, _high): the second: with a colon, of kind x: no. W: third.

    Args:
        d: an argument.

    Returns:
        e: fourth,
        on two lines.
    """
    entries = tables_page().entries(inspect.cleandoc(text))
    read = {name: meaning for names, meaning in entries for name in names}
    assert list(read) == ["a", "b", "c", "c_low", "c_high", "W", "e"]
    assert read["c_high"] == "the second: with a colon, of kind x: no"
    assert read["e"] == "fourth, on two lines"


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
