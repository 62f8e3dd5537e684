"""Figures of slide 3: what they draw is what the tables say."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from superposition_atlas import config
from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures import catalogue
from superposition_atlas.figures.draw import attention_rare, pivot_tables
from superposition_atlas.figures.parts import style

from .test_figures import REPOSITORY, attention_rows, write

N = 5


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return attention_rows()


@pytest.fixture(autouse=True)
def settings_of_style() -> Iterator[None]:
    with style.applied():
        yield


def paths(tables: dict[str, pd.DataFrame], folder: Path) -> dict[str, Path]:
    return {name: write(table, folder / f"{name}.parquet") for name, table in tables.items()}


def mesh(axes: Axes) -> np.ndarray | None:
    found = [one for one in axes.collections if isinstance(one, QuadMesh)]
    return np.ma.filled(found[0].get_array(), np.nan).reshape(N, N) if found else None


def panels(drawn: object) -> list[np.ndarray]:
    tables = [mesh(axes) for axes in drawn.axes if axes.get_xlabel() == "key feature"]  # type: ignore[attr-defined]
    return [table for table in tables if table is not None]


def test_planted_cells_are_the_diagonal(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    cells = tables["cells"].query("setting == 'level' and seed == 0")
    outputs = tables["outputs"].query("setting == 'level' and seed == 0")
    found = panels(pivot_tables.draw(paths(tables, tmp_path), setting="level"))
    layers = [(2, "true"), (2, "sae"), (1, "true")]
    assert len(found) == 4 * len(layers)
    for row, (n_heads, dictionary) in enumerate(layers):
        own, written = (
            table[(table["n_heads"] == n_heads) & (table["dictionary"] == dictionary)]
            for table in (cells, outputs)
        )
        for measure, drawn in zip(pivot_tables._MEASURES, found[4 * row : 4 * row + 4], strict=True):
            table, side = (written, "output") if measure == "output_effect" else (own, "query")
            largest = table.groupby([side, "key"])[measure].max()
            assert np.sort(drawn, axis=None) == pytest.approx(np.sort(largest.to_numpy()), nan_ok=True)
            planted = table[table["planted"]].groupby([side, "key"])[measure].max()
            if side == "query":
                assert np.diag(drawn) == pytest.approx(planted.to_numpy(), nan_ok=True)
            else:
                assert sorted(np.diag(drawn)) == pytest.approx(sorted(planted), nan_ok=True)


def test_crosses_are_rows_that_are_read_wrong(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    drawn = pivot_tables.draw(paths(tables, tmp_path), setting="level")
    by_path = [axes for axes in drawn.axes if axes.get_xlabel() == "key feature"][3]
    crosses = [line for line in by_path.lines if line.get_marker() == "x"]
    table = mesh(by_path)
    assert table is not None
    wrong = table.argmax(axis=1) != np.arange(N)
    assert sum(len(line.get_xdata()) for line in crosses) == wrong.sum()


def test_pairs_that_were_never_seen_are_blank(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    unseen = tables["cells"].assign(mean_attention=np.nan)
    drawn = pivot_tables.draw(paths(tables | {"cells": unseen}, tmp_path), setting="level")
    style.save(drawn, tmp_path / "figure.svg", {})
    assert np.isnan(panels(drawn)[0]).all()


def test_shares_are_those_of_the_table(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    rules = tables["rules"]
    drawn = attention_rare.draw(paths(tables, tmp_path), setting="rare", control="level")
    own = rules.query("setting == 'rare' and dictionary == 'true' and n_heads == 2")
    control = rules.query("setting == 'level' and dictionary == 'true' and n_heads == 2")
    for place, by in ((1, "query_probability"), (2, "key_probability")):
        lines = [line for line in drawn.axes[place].lines if line.get_marker() == style.SERIES[1]["marker"]]
        shares = own.groupby(by)["read"].mean()
        assert lines[0].get_ydata() == pytest.approx(shares.to_numpy())
        assert lines[1].get_ydata() == pytest.approx([control["read"].mean()])


@pytest.mark.parametrize("module", [pivot_tables, attention_rare])
def test_a_setting_that_is_not_there_is_named(
    tables: dict[str, pd.DataFrame], tmp_path: Path, module: object
) -> None:
    with pytest.raises(ArtefactError, match="no rows of setting 'elsewhere'"):
        module.draw(paths(tables, tmp_path), setting="elsewhere")  # type: ignore[attr-defined]


def test_slide_3_comes_first_and_can_be_left_out() -> None:
    raw = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    names = [figure.name for figure in catalogue.figures(config.load(raw))]
    assert names[:2] == ["slide03_pivot_tables", "attention_rare_features"]
    for left_out in (None, {"rare": None, "uniform": None}):
        raw["attention"] = left_out
        assert not any("attention" in name or "slide03" in name for name in (
            figure.name for figure in catalogue.figures(config.load(raw))
        ))  # fmt: skip
