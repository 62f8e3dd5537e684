"""The atlas's figures: a cell is a value of the table, a line a change, a frame a case of the talk."""

import copy
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from superposition_atlas import config
from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures import catalogue
from superposition_atlas.figures.parts import atlas_grid, order_axis, style
from superposition_atlas.figures.parts.atlas_grid import Atlas, Column, edges
from superposition_atlas.figures.parts.atlas_panel import Layers, count_look, draw_panel
from superposition_atlas.maps.cases import cases_at
from superposition_atlas.maps.points import points_of
from superposition_atlas.storage.parquet import read_table, write_table

from tests.unit.small_map import RATIO, SPEC, build_map, small_map

REPOSITORY = Path(__file__).parents[2]
FAMILIES = ["geometric", "linear"]
COLUMNS = [Column(1.0, "aligned"), Column(RATIO, "aligned"), Column(RATIO, "reversed")]
OF_THE_TALK = ("atlas_represented", "atlas_dedicated", "atlas_gap", "atlas_observations")
FIGURES = [figure for figure in catalogue.figures(config.load(SPEC)) if figure.module in OF_THE_TALK]
OPTIONS = {figure.module: figure.options for figure in FIGURES}
CASES = OPTIONS["atlas_gap"]["cases"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_map(small_map(), tmp_path_factory.mktemp("built")) / "points.parquet"


@pytest.fixture(scope="module")
def table(path: Path) -> pd.DataFrame:
    return read_table(path)


@pytest.fixture(autouse=True)
def settings_of_style() -> Iterator[None]:
    with style.applied():
        yield


def draw(module: str, path: Path, **options: Any) -> Figure:
    return import_module(f"superposition_atlas.figures.draw.{module}").draw(
        {"points": path}, **(OPTIONS[module] | options)
    )


def changed(table: pd.DataFrame, folder: Path) -> Path:
    write_table(table, folder / "points.parquet", {"spec": {}, "code": "test"})
    return folder / "points.parquet"


def panels(figure: Figure) -> list[Axes]:
    """In the order in which they are drawn: family, row, column."""
    return [axes for axes in figure.axes if axes.get_yscale() == "log"]


def drawn(axes: Axes) -> np.ndarray:
    """The values of all cells, where their lower left corners are; a row and a column for each tick."""
    (mesh,) = [collection for collection in axes.collections if isinstance(collection, PolyCollection)]
    corners = np.array([path.vertices[0] for path in mesh.get_paths()]).reshape(-1, 2)
    x, y = (edges(np.sort(axis.get_ticklocs()))[:-1] for axis in (axes.xaxis, axes.yaxis))
    values = np.full((len(y), len(x)), np.nan)
    values[np.searchsorted(y, corners[:, 1]), np.searchsorted(x, corners[:, 0])] = mesh.get_array()
    return values


def segments(axes: Axes) -> int:
    (lines,) = [collection for collection in axes.collections if isinstance(collection, LineCollection)]
    return len(lines.get_segments())


def cells(table: pd.DataFrame, family: str, column: Column, name: str) -> np.ndarray:
    """Two densities over two steepnesses, one row of the table at a time."""
    found = np.full((2, 2), np.nan)
    for row in table.to_dict("records"):
        if (row["family"], row["importance_ratio"], row["order"]) == (
            family,
            column.importance_ratio,
            column.order,
        ):
            found[[0.03, 0.5].index(row["mean_density"]), [1, 9].index(row["steepness"])] = row[name]
    return found


# --- what is drawn -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("atlas_represented", ["n_represented", "best_n_represented", "predicted_n_represented"]),
        ("atlas_dedicated", ["n_dedicated", "best_n_dedicated"]),
        ("atlas_gap", ["keeps_best", "median_excess", "least_excess"]),
    ],
)
def test_every_cell_is_a_value_of_the_table(
    path: Path, table: pd.DataFrame, module: str, names: list[str]
) -> None:
    found = panels(draw(module, path))
    wanted = [(family, name, column) for family in FAMILIES for name in names for column in COLUMNS]
    assert len(found) == len(wanted)
    for axes, (family, name, column) in zip(found, wanted, strict=True):
        values = cells(table, family, column, name)
        if "excess" in name:
            values = np.clip(values, 1e-4, 1e-1)
        np.testing.assert_allclose(drawn(axes), values, err_msg=f"{family} {name} {column}")


def test_cells_without_a_schedule_are_blank(path: Path, table: pd.DataFrame) -> None:
    steep = table[(table["mean_density"] == 0.5) & (table["steepness"] == 9)]
    assert set(steep["family"]) == {"linear"}, "a geometric one would have a probability above 1"
    for axes, family in zip(panels(draw("atlas_gap", path)), np.repeat(FAMILIES, 9), strict=True):
        assert np.isnan(drawn(axes)[1, 1]) == (family == "geometric")
        assert np.isfinite(drawn(axes)).sum() == (3 if family == "geometric" else 4)


def test_observations_have_the_columns_that_they_speak_of(path: Path, table: pd.DataFrame) -> None:
    constant, aligned, reversed_ = COLUMNS
    strip = [
        ("none_dedicated", reversed_),
        ("none_dedicated", constant),
        ("top_dedicated", aligned),
        ("densest_dropped", constant),
    ]
    wanted = [
        (family, f"{prefix}{name}", column)
        for family in FAMILIES
        for prefix in ("", "best_")
        for name, column in strip
    ]
    found = panels(draw("atlas_observations", path))
    assert len(found) == len(wanted)
    for axes, (family, name, column) in zip(found, wanted, strict=True):
        values = cells(table, family, column, name)
        values[:, 0] = np.nan  # no observation is about uniform sparsity
        np.testing.assert_allclose(drawn(axes), values, err_msg=f"{family} {name} {column}")


def test_values_are_written_where_there_is_room(path: Path, table: pd.DataFrame) -> None:
    found = panels(draw("atlas_represented", path))
    for axes, (family, column) in zip(
        found[:3] + found[9:12], [(f, c) for f in FAMILIES for c in COLUMNS], strict=True
    ):
        values = cells(table, family, column, "n_represented")
        written = [f"{value:.1f}".removesuffix(".0") for value in values[np.isfinite(values)]]
        assert sorted(text.get_text() for text in axes.texts) == sorted(written)
    answers = panels(draw("atlas_observations", path))[4:8]
    columns = [("none_dedicated", 2), ("none_dedicated", 0), ("top_dedicated", 1), ("densest_dropped", 0)]
    for axes, (name, column) in zip(answers, columns, strict=True):
        values = cells(table, "geometric", COLUMNS[column], f"best_{name}")[:, 1]
        written = ["yes" if value else "no" for value in values[np.isfinite(values)]]
        assert sorted(text.get_text() for text in axes.texts) == sorted(written)


def test_lines_stand_where_the_best_number_changes_in_every_row(path: Path, table: pd.DataFrame) -> None:
    found = panels(draw("atlas_represented", path))
    wanted = [(family, column) for family in FAMILIES for _ in range(3) for column in COLUMNS]
    counts = []
    for axes, (family, column) in zip(found, wanted, strict=True):
        best = cells(table, family, column, "best_n_represented")
        pairs = [(best[0], best[1]), (best[:, 0], best[:, 1])]
        changes = sum(
            int(a != b) for one, other in pairs for a, b in zip(one, other, strict=True) if a + b == a + b
        )
        assert segments(axes) == changes
        counts.append(changes)
    assert max(counts) > 0


def test_dots_stand_where_the_prediction_keeps_other_features(path: Path, table: pd.DataFrame) -> None:
    found = panels(draw("atlas_represented", path))
    n_dots = [sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == ".") for axes in found]
    predicted = [
        int((cells(table, family, column, "agrees") == 0).sum()) for family in FAMILIES for column in COLUMNS
    ]
    assert n_dots[6:9] + n_dots[15:] == predicted
    assert sum(n_dots) == sum(predicted) == (~table["agrees"].astype(bool)).sum() > 0


# --- the talk's cases --------------------------------------------------------------------------------------


def frames(axes: Axes) -> list[Rectangle]:
    return [
        patch
        for patch in axes.patches
        if isinstance(patch, Rectangle) and patch.get_edgecolor() == to_rgba(style.ACCENT)
    ]


def test_the_talks_cases_are_framed_and_named(path: Path) -> None:
    figure = draw("atlas_dedicated", path)
    found = panels(figure)
    for axes, family in zip(found, np.repeat(FAMILIES, 6), strict=True):
        inside = [frame.get_bbox() for frame in frames(axes)]
        assert len(inside) == (family == "linear")
        for box in inside:
            assert box.x0 < 9 < box.x1
            assert box.y0 < 0.5 < box.y1
    headings = [text.get_text() for text in figure.texts if text.get_color() == style.ACCENT]
    assert headings == ["case5, post4", "case1", "case2"]


def test_cases_have_the_key_of_their_schedule() -> None:
    loaded = config.load(SPEC)
    found = cases_at(small_map(), loaded.experiments.values())
    assert found == CASES
    assert sorted(found.values()) == ["case1", "case2", "case5 post4"], "uniform sparsity is a control"
    points = {point.key: point for point in points_of(small_map())}
    for key, names in found.items():
        for name in names.split():
            case = loaded.experiments["talk"].cases[name]
            np.testing.assert_allclose(points[key].importance, case.importance[0])
            # Where all are equally important, which is which does not matter.
            order = np.argsort(-case.probability[0]) if name in ("case5", "post4") else slice(None)
            np.testing.assert_allclose(points[key].probability, case.probability[0][order])


def test_the_talks_cases_are_among_the_schedules_of_the_atlas() -> None:
    base, fine = (config.read(REPOSITORY / f"config/{name}.yaml") for name in ("config", "atlas"))
    of_the_talk = {"case1", "case2", "case3", "case5", "post4"}
    for raw, wanted in ((base, of_the_talk), (config.laid_over(base, fine), of_the_talk | {"case4"})):
        loaded = config.load(raw)
        for experiment in ("talk", "talk_linear"):
            found = cases_at(loaded.maps["atlas"], [loaded.experiments[experiment]])
            assert {name for names in found.values() for name in names.split()} == wanted


@pytest.mark.parametrize("change", [{"claims": False}, {"n_features": 4}])
def test_other_experiments_have_no_cases_there(change: dict[str, Any]) -> None:
    raw = copy.deepcopy(SPEC)
    raw["experiments"]["talk"] |= change
    raw["experiments"]["talk"]["cases"].pop("case5")
    loaded = config.load(raw)
    assert cases_at(loaded.maps["atlas"], loaded.experiments.values()) == {}


def test_long_names_of_cases_do_not_run_into_each_other(path: Path) -> None:
    options = dict.fromkeys(CASES, "a_case_with_a_long_name_$x another_one")
    figure = draw("atlas_gap", path, cases=options)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts if text.get_color() == style.ACCENT]
    assert len(boxes) == 3
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


# --- any grid ----------------------------------------------------------------------------------------------


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12, unique=True))
def test_every_value_lies_in_its_own_cell(values: list[float]) -> None:
    ascending = np.sort(values)
    ends = edges(ascending)
    assert len(ends) == len(values) + 1
    assert np.all(ends[:-1] <= ascending)
    assert np.all(ascending <= ends[1:])
    shared = ends[1:-1]
    np.testing.assert_allclose(ascending[:-1] / shared, shared / ascending[1:])


@given(
    st.lists(st.lists(st.sampled_from([1.0, 2.0, 3.0, None]), min_size=3, max_size=3), min_size=1, max_size=4)
)
@settings(max_examples=25)
def test_a_line_for_each_pair_of_neighbours_that_differ(numbers: list[list[float | None]]) -> None:
    rows = [
        {
            "key": f"{row} {place}",
            "family": "linear",
            "importance_ratio": 1.0,
            "order": "aligned",
            "mean_density": 0.1 * (row + 1),
            "steepness": 2.0**place,
            "n": number,
        }
        for row, line in enumerate(numbers)
        for place, number in enumerate(line)
    ]
    axes = Figure().add_subplot()
    atlas = Atlas(pd.DataFrame(rows).astype({"n": float}), {})
    draw_panel(axes, atlas, "linear", Column(1.0, "aligned"), Layers(count_look(0, 3, ""), "n", "n"))
    neighbours = [(line[place], line[place + 1]) for line in numbers for place in range(2)] + [
        (low[place], high[place]) for low, high in pairwise(numbers) for place in range(3)
    ]
    differ = [pair for pair in neighbours if None not in pair and pair[0] != pair[1]]
    assert segments(axes) == len(differ)
    np.testing.assert_array_equal(drawn(axes), np.array(numbers, dtype=float))


@pytest.fixture(scope="module")
def fine(table: pd.DataFrame) -> pd.DataFrame:
    """The schedules of config/atlas.yaml with values of the small map, whatever they are."""
    layers = [config.read(REPOSITORY / f"config/{name}.yaml") for name in ("config", "atlas")]
    points = points_of(config.load(config.laid_over(*layers)).maps["atlas"])
    values = table.sort_values("key").iloc[np.arange(len(points)) % len(table)].reset_index(drop=True)
    coordinates = pd.DataFrame([{"key": point.key, **point.coordinates} for point in points])
    return values.assign(**coordinates.to_dict("series"))


@pytest.mark.parametrize("module", sorted(OPTIONS))
def test_a_fine_grid_fits_on_the_page(fine: pd.DataFrame, tmp_path: Path, module: str) -> None:
    keys = dict.fromkeys(fine.loc[(fine["steepness"] == 9) & (fine["mean_density"] == 0.5), "key"], "case1")
    figure = draw(module, changed(fine, tmp_path), cases=keys)
    width, height = figure.get_size_inches()
    assert width == pytest.approx(style.WIDTH)
    assert height <= 8.5
    renderer = FigureCanvasAgg(figure).get_renderer()
    for text in figure.texts:
        box = text.get_window_extent(renderer)
        assert -1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1, text.get_text()
    found = panels(figure)
    assert not any(axes.texts for axes in found), "no room"
    assert sum(line.get_marker() == "s" for axes in found for line in axes.lines) > 0
    for one, other in pairwise(found):
        assert not one.get_position().shrunk(0.99, 0.99).overlaps(other.get_position().shrunk(0.99, 0.99))


def test_columns_run_from_aligned_over_random_to_reversed(fine: pd.DataFrame, tmp_path: Path) -> None:
    atlas = atlas_grid.read_atlas(changed(fine, tmp_path), "standard", {}, [])
    assert [(column.importance_ratio, column.order) for column in atlas.columns] == [
        (1.0, "aligned"),
        *((ratio, order) for ratio in (0.9, 0.7) for order in ("aligned", "3", "4", "reversed")),
    ]


@pytest.mark.parametrize(
    ("module", "part"),
    [
        *((module, "importance_ratio < 1 and order == 'aligned'") for module in sorted(OPTIONS)),
        ("atlas_gap", "family == 'linear'"),
        ("atlas_represented", "steepness == 1"),
    ],
)
def test_a_part_of_the_atlas_is_drawn_too(
    table: pd.DataFrame, tmp_path: Path, module: str, part: str
) -> None:
    own = table.query(part)
    figure = draw(module, changed(own, tmp_path))
    titles = {text.get_text() for text in figure.texts}
    assert titles & set(FAMILIES) == set(own["family"])
    assert titles & {"aligned", "reversed"} <= set(own["order"])
    shape = own["mean_density"].nunique(), own["steepness"].nunique()
    assert {drawn(axes).shape for axes in panels(figure)} == {shape}
    assert max(float(axes.get_position().x1) for axes in figure.axes) <= 1


@pytest.mark.parametrize("module", sorted(OPTIONS))
def test_no_rows_are_one_line(table: pd.DataFrame, tmp_path: Path, module: str) -> None:
    with pytest.raises(ArtefactError, match="has no rows, so there is nothing to draw"):
        draw(module, changed(table.iloc[:0], tmp_path))
    with pytest.raises(ArtefactError, match="has no rows of the variant 'other'"):
        draw(module, changed(table, tmp_path), variant="other")


def test_without_predictions_their_row_is_blank(table: pd.DataFrame, tmp_path: Path) -> None:
    """As where a bias is held."""
    unknown = pd.array([pd.NA] * len(table), dtype="boolean")
    path = changed(table.assign(predicted_n_represented=None, agrees=unknown), tmp_path)
    found = panels(draw("atlas_represented", path))
    for row, is_predicted in enumerate([False, False, True] * 2):
        for axes in found[3 * row : 3 * row + 3]:
            assert np.isnan(drawn(axes)).all() == is_predicted
            assert sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == ".") == 0


def test_one_variant_is_drawn(table: pd.DataFrame, tmp_path: Path) -> None:
    both = pd.concat([table, table.assign(variant="longer", n_dedicated=1.0)])
    figure = draw("atlas_dedicated", changed(both, tmp_path), variant="longer")
    assert set(np.unique(drawn(panels(figure)[0])[0])) == {1.0}


# --- all schedules on one axis -----------------------------------------------------------------------------


def by_order(path: Path) -> tuple[Figure, catalogue.FigureTarget]:
    (target,) = [one for one in catalogue.figures(config.load(SPEC)) if one.module == "atlas_by_order"]
    paths = {role: path.parent / f"{role}.parquet" for role in target.inputs}
    return import_module("superposition_atlas.figures.draw.atlas_by_order").draw(
        paths, **target.options
    ), target


def test_aligned_and_reversed_schedules_stand_on_one_axis(path: Path, table: pd.DataFrame) -> None:
    figure, target = by_order(path)
    assert target.options["panels"] == ["best", "trained", "rule"]
    panels = [
        axes for axes in figure.axes if any(isinstance(one, PolyCollection) for one in axes.collections)
    ]
    assert len(panels) == 3 * len(FAMILIES) * 2  # importances 1 and RATIO
    matching = read_table(path.parent / "matching.parquet")
    n_points = 0
    for axes, name in zip(panels, ["best_n_represented", "n_represented", "n_kept_rule"] * 4, strict=True):
        (mesh,) = (one for one in axes.collections if isinstance(one, PolyCollection))
        values = set(mesh.get_array())
        known = table[name] if name in table else matching[name]
        assert values <= set(known.astype(float))
        n_points += len(mesh.get_array()) * (name == "n_represented")
        low, high = axes.get_xlim()
        assert low == pytest.approx(-high), "equal steps of steepness to both sides"
    # Each schedule of an order once, uniform sparsity in the middle; of equal importance on both sides.
    uniform, steep = (table[chosen] for chosen in (table["steepness"] == 1, table["steepness"] > 1))
    both = steep["importance_ratio"] == 1
    distinct = uniform.drop_duplicates(["family", "importance_ratio", "mean_density"])
    assert n_points == len(distinct) + len(steep) + both.sum()


@pytest.mark.parametrize("panels", [["trained", "rule"], ["trained"]])
def test_without_a_best_solution_lines_are_the_matchings_or_none(path: Path, panels: list[str]) -> None:
    _, target = by_order(path)
    paths = {role: path.parent / f"{role}.parquet" for role in target.inputs}
    figure = import_module("superposition_atlas.figures.draw.atlas_by_order").draw(
        paths, **target.options | {"panels": panels}
    )
    *maps, _ = figure.axes  # the last is the scale
    assert len(maps) == 4 * len(panels)
    drawn = [isinstance(one, LineCollection) for axes in maps for one in axes.collections]
    assert sum(drawn) == (len(maps) if "rule" in panels else 0)


def test_cases_of_the_talk_are_labelled_dots(path: Path) -> None:
    figure, _ = by_order(path)
    labels = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert labels == {"case1", "case2", "case5 post4"}


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=8, unique=True))
def test_places_lie_in_their_cells(values: list[float]) -> None:
    places = np.sort(values)
    ends = order_axis.place_edges(places)
    assert ((ends[:-1] <= places) & (places <= ends[1:])).all()


# --- catalogue ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": 0},
        {"n_features": 9},
        {"training": {"bias": [0.1, 0.1, 0.1]}},
        {"training": {"output": "linear"}},
        {"points": {"kind": "random", "count": 4}},
        {"points": {"kind": "grid", "first": [0.5], "last": [0.1]}},
    ],
)
def test_maps_that_have_nothing_to_show_have_no_figures(change: dict[str, Any]) -> None:
    raw = copy.deepcopy(SPEC)
    raw["maps"]["atlas"] |= change
    assert catalogue.atlas(config.load(raw)) is None
    assert not [figure for figure in catalogue.figures(config.load(raw)) if figure.module in OF_THE_TALK]


def test_without_a_map_of_that_role_there_are_no_figures() -> None:
    raw = {"experiments": SPEC["experiments"], "maps": {"other": SPEC["maps"]["atlas"] | {"role": ""}}}
    assert not [figure for figure in catalogue.figures(config.load(raw)) if figure.module in OF_THE_TALK]
    assert len(FIGURES) == 4


def test_the_first_variant_is_the_one_that_is_drawn() -> None:
    raw = copy.deepcopy(SPEC)
    raw["maps"]["atlas"]["variants"] = {"longer": {"steps": 400}, "shorter": {}}
    figures = [figure for figure in catalogue.figures(config.load(raw)) if figure.module in OF_THE_TALK]
    assert {figure.options["variant"] for figure in figures} == {"longer"}


def test_a_map_of_one_order_has_no_place_for_the_other() -> None:
    points = pd.DataFrame(
        {
            "family": "geometric",
            "importance_ratio": 0.9,
            "order": "aligned",
            "steepness": [1.0, 9.0],
            "mean_density": 0.1,
        }
    )
    schedules = order_axis.ordered(points)
    np.testing.assert_allclose(schedules.places, [-np.log10(9.0), 0.0])
    assert len(schedules.table) == 2
