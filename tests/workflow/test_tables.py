"""The page of tables explains the columns that a run writes, and no others."""

import re

import pyarrow.parquet as pq
import pytest
from superposition_atlas.storage import layout

from tests.unit.test_site import tables_page

from .conftest import Workflow

pytestmark = pytest.mark.workflow

SOMETIMES = {
    *("group", "interval_start", "density", "feature", "varied"),
    *("first", "last", "order", "importance_ratio", "relative_importance"),
}
"""Columns of dependent features, and axes that only some kinds of map have."""


def test_every_column_of_every_table_is_explained(built: Workflow) -> None:
    page = tables_page()
    absent = set()
    for table in (table for tables in page.SECTIONS.values() for table in tables):
        pattern = re.sub(r"\{\w+\}", "*", table.path) + ("*/*.parquet" if table.path.endswith("/") else "")
        files = list((built.folder / "results").glob(pattern))
        if not files:
            absent.add(table.path)
            continue
        columns = {name for file in files for name in pq.read_schema(file).names}
        explained = set(page.columns(table))
        assert columns <= explained, (table.path, columns - explained)
        assert explained - columns <= SOMETIMES, (table.path, explained - columns)
    # No experiment of the tiny configuration compares architectures, or is of a further paper.
    of_few = {f"metrics/{{experiment}}/{name}.parquet" for name in ("sae_levels", "sae_contrasts")}
    of_few |= {f"metrics/{{experiment}}/{name}.parquet" for name in layout.SECTION_TABLES}
    assert absent <= of_few | {table.path for table in page.SECTIONS["Sections of further papers"]}
