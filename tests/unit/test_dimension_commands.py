"""From toy models on disk to the tables and figures about fractions of a dimension."""

from pathlib import Path

import numpy as np
import pytest
import superposition_atlas as sa
from superposition_atlas.cli.main import main
from superposition_atlas.figures.draw import dimensionalities, energy_levels, fractions, vulnerability
from superposition_atlas.figures.parts import style
from superposition_atlas.schedules import Schedule
from superposition_atlas.storage.model_files import write_models
from superposition_atlas.storage.parquet import read_table, table_provenance

from .drawn_pages import assert_fits_the_page
from .test_site import tables_page

TITLES = {"only": "Some densities"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs over three densities, with records."""
    density = np.repeat(np.array([[0.9], [0.3], [0.1]] * 2), 12, axis=1)
    trained = sa.train(
        Schedule(np.ones((6, 12)), density),
        3,
        6,
        steps=400,
        batch_size=128,
        learning_rate=0.01,
        record_steps=range(0, 401, 10),
        progress=False,
    )
    path = tmp_path_factory.mktemp("models") / "only.safetensors"
    write_models(trained, path, {}, "code")
    return path


def run(command: str, models: Path, *tables: str) -> dict[str, Path]:
    """The tables that a command writes, by name."""
    paths = {name: models.with_name(f"{name}.parquet") for name in tables}
    options = [part for name, path in paths.items() for part in (f"--{name.replace('_', '-')}", str(path))]
    assert main([command, "--models", str(models), "--case", "only", *options]) == 0
    page = tables_page()
    for name, path in paths.items():
        (explained,) = (
            own
            for own in page.SECTIONS["Sections of further papers"]
            if own.path == f"metrics/{{experiment}}/{name}.parquet"
        )
        assert set(page.columns(explained)) == set(read_table(path)), name
    return paths


def test_polytopes_and_their_figures(models: Path) -> None:
    paths = run("polytopes", models, "polytopes", "fractions")
    table = read_table(paths["polytopes"])
    assert (len(table), set(table["case"]), set(table["run"])) == (6 * 12, {"only"}, {0, 1})
    assert len(read_table(paths["fractions"])) == 2 * 7
    assert table_provenance(paths["fractions"])["spec"]["case"] == "only"
    with style.applied():
        figure = dimensionalities.draw(paths, TITLES)
        assert_fits_the_page(figure)
        (axes,) = figure.axes
        assert sum(text.get_text() in ("3/4", "2/5") for text in axes.texts) == 2
        figure = fractions.draw(paths, TITLES)
        assert_fits_the_page(figure)
        panels = figure.axes
    assert [label.get_text() for label in panels[0].get_yticklabels()][-1] == "any of these"


def test_attacks_and_their_figure(models: Path) -> None:
    paths = run("attacks", models, "attacks")
    table = read_table(paths["attacks"])
    assert (table["vulnerability"] >= table["vulnerability_one_attack"]).all()
    with style.applied():
        figure = vulnerability.draw(paths, TITLES)
        assert_fits_the_page(figure)
    left, right = figure.axes
    assert len(left.lines) == 3
    # A mark a toy model for each of two attacks, and the diagonal.
    assert [len(line.get_xdata()) for line in right.lines] == [6, 6, 2]


def test_jumps_and_their_figure(models: Path) -> None:
    paths = run("jumps", models, "jumps", "learning", "jump_rates")
    learning = read_table(paths["learning"])
    assert len(learning) == 6 * 41
    with style.applied():
        figure = energy_levels.draw(paths, TITLES)
        assert_fits_the_page(figure)
    above, below = figure.axes
    steps = np.arange(0, 401, 10)
    paths_drawn = [line for line in above.lines if len(line.get_xdata()) == len(steps)]
    assert len(paths_drawn) == 12
    assert below.get_xlim() == (0, 400)


def test_jumps_of_toy_models_without_records_are_refused_in_one_line(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plain.safetensors"
    write_models(sa.random_dictionaries(Schedule(np.ones(4), np.full(4, 0.1)), 2, 1), path, {}, "code")
    options = [part for name in ("jumps", "learning", "jump-rates") for part in (f"--{name}", "x.parquet")]
    assert main(["jumps", "--models", str(path), "--case", "only", *options]) == 1
    error = capsys.readouterr().err
    assert "have 0 records" in error
    assert "Traceback" not in error
