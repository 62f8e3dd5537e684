"""Phase diagrams: points, phases and what they do not depend on, borders in closed form, and the table."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from superposition_atlas import config
from superposition_atlas.errors import ArgumentError, ConfigError
from superposition_atlas.maps.branches import room_of
from superposition_atlas.maps.phases import last_feature, phase_of, phase_table, without_the_worst
from superposition_atlas.maps.points import make_points
from superposition_atlas.report.facts.phase_facts import facts_of
from superposition_atlas.theory.matching import match
from superposition_atlas.theory.phase_borders import DEDICATED, NOT_REPRESENTED, SUPERPOSITION, phase_borders
from superposition_atlas.theory.structures import TRIPLE_POINT, axis_weights

POINTS = {"kind": "phases", "density": [0.1, 1.0], "relative_importance": [0.5, 2.0, 8.0]}


def described(**points: Any) -> dict[str, Any]:
    one = {"n_features": 3, "n_hidden": 2, "seeds": 2, "points": POINTS | points}
    plain = {"n_features": 4, "n_hidden": 2, "cases": {"only": {}}}
    return {"experiments": {"plain": plain}, "maps": {"diagram": one}}


def turned(W: np.ndarray, seed: int) -> np.ndarray:
    """The same solution in other axes of the hidden space."""
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(W), len(W))))[0]
    return np.asarray(rotation @ W)


def polygon(n_corners: int) -> np.ndarray:
    angle = 2 * np.pi * np.arange(n_corners) / n_corners
    return np.stack([np.cos(angle), np.sin(angle)])


# --- points ------------------------------------------------------------------------------------------------


def test_points_vary_density_and_the_importance_of_the_last_feature() -> None:
    loaded = config.load(described()).maps["diagram"]
    points = make_points(3, 2, loaded.points)
    assert [tuple(point.coordinates.values()) for point in points] == [
        (density, last) for density in (0.1, 1.0) for last in (0.5, 2.0, 8.0)
    ]
    for point in points:
        assert point.importance.tolist() == [1.0, 1.0, point.coordinates["relative_importance"]]
        assert np.ptp(point.probability) == 0
    assert len({point.key for point in points}) == len(points)


def test_axes_may_be_ranges_and_importance_may_exceed_one() -> None:
    wide = {"from": 0.1, "to": 10, "count": 5, "scale": "log"}
    loaded = config.load(described(relative_importance=wide)).maps["diagram"]
    assert loaded.points["relative_importance"] == pytest.approx(10.0 ** np.linspace(-1, 1, 5))


@pytest.mark.parametrize(
    ("points", "named"),
    [
        ({"density": [1.5]}, r"maps\.diagram\.points\.density\[0\]: got 1\.5"),
        ({"relative_importance": [0]}, r"relative_importance\[0\]: got 0"),
        ({"relative_importance": {"from": 1, "to": 2000, "count": 3}}, r"relative_importance\.to: got 2000"),
        ({"order": ["aligned"]}, r"maps\.diagram\.points\.order"),
    ],
)
def test_what_is_no_phase_diagram_is_refused(points: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        config.load(described(**points))


# --- phases ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("W", "phase"),
    [
        ([[1.0, 0.0]], NOT_REPRESENTED),
        ([[0.0, 1.0]], DEDICATED),
        ([[1.0, -1.0]], SUPERPOSITION),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, -1.0]], SUPERPOSITION),
        ([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]], DEDICATED),
        (polygon(3), SUPERPOSITION),
    ],
)
def test_phases_of_the_natural_solutions(W: Any, phase: str) -> None:
    W = np.asarray(W)
    for seed in range(3):
        assert last_feature(turned(W, seed)[None])["phase"].tolist() == [phase]


@given(seed=st.integers(0, 2**32 - 1))
def test_a_phase_does_not_depend_on_axes_or_on_the_order_of_the_others(seed: int) -> None:
    W = np.random.default_rng(seed).normal(size=(2, 4))
    other = turned(W[:, [2, 0, 1, 3]], seed)
    one, same = last_feature(np.stack([W, other])).drop(columns="phase").to_numpy()
    assert one == pytest.approx(same)


def test_in_one_dimension_superposition_is_two_represented_features() -> None:
    norms = np.array([0.2, 0.49, 0.51, 1.0])
    first, last = np.meshgrid(norms, norms)
    found = phase_of(last.ravel(), first.ravel() ** 2)
    assert ((found == SUPERPOSITION) == ((first > 0.5) & (last > 0.5)).ravel()).all()
    assert ((found == NOT_REPRESENTED) == (last <= 0.5).ravel()).all()


def test_the_worst_toy_model_of_each_point_is_discarded() -> None:
    models = pd.DataFrame({"key": list("aaab"), "variant": "standard", "loss": [0.1, 0.3, 0.2, 0.9]})
    assert without_the_worst(models)["loss"].tolist() == [0.1, 0.2, 0.9]


# --- borders -----------------------------------------------------------------------------------------------


def rule(density: float, last: float, n_hidden: int) -> str:
    """The phase of the matching, which knows no phase diagram."""
    n = n_hidden + 1
    importance = np.r_[np.ones(n - 1), last]
    W = axis_weights(match(importance, np.full(n, density), n_hidden).structure, n, n_hidden)
    return str(last_feature(W[None])["phase"].iloc[0])


@given(density=st.floats(0.01, 1.0), n_hidden=st.integers(1, 3))
def test_the_matching_changes_phase_at_the_borders(density: float, n_hidden: int) -> None:
    assume(abs(density / TRIPLE_POINT - 1) > 1e-3)
    lines = phase_borders(np.array([density]), n_hidden)
    assert len(lines) == (2 if density < TRIPLE_POINT else 1)
    for line in lines.to_dict("records"):
        beside = [rule(density, line["relative_importance"] * (1 + step), n_hidden) for step in (-1e-4, 1e-4)]
        assert beside == [line["below"], line["above"]]


def test_the_borders_meet_at_the_triple_point() -> None:
    lines = phase_borders(np.geomspace(0.01, 1, 7), 1)
    meeting = lines[lines["density"] == TRIPLE_POINT]
    assert len(meeting) == 3
    assert meeting["relative_importance"].to_numpy() == pytest.approx(1)


def test_densities_out_of_range_are_refused() -> None:
    with pytest.raises(ArgumentError, match="densities"):
        phase_borders(np.array([0.5, 1.5]), 1)


# --- the table ---------------------------------------------------------------------------------------------


def small_table(phases: dict[tuple[float, float], str]) -> pd.DataFrame:
    """Two toy models at each point, both as the best solution, and a third with the highest loss."""
    natural = {
        NOT_REPRESENTED: [[1.0, 0.0]],
        SUPERPOSITION: [[1.0, -1.0]],
        DEDICATED: [[0.0, 1.0]],
    }
    keys = [f"key{number}" for number in range(len(phases))]
    points = pd.DataFrame(
        [
            {"key": key, "density": density, "relative_importance": last}
            for key, (density, last) in zip(keys, phases, strict=True)
        ]
    )
    models = pd.DataFrame(
        {"key": np.repeat(keys, 3), "variant": "standard", "loss": [0.1, 0.2, 9.0] * len(keys)}
    )
    W = np.array(
        [natural[phase] for phase in phases.values() for _ in range(2)] + [natural[DEDICATED]] * len(keys)
    )
    order = [index for k in range(len(keys)) for index in (2 * k, 2 * k + 1, 2 * len(keys) + k)]
    solutions = pd.DataFrame(
        [
            {"key": key, "kind": kind, "bias": "trained", "rank": 0, "structure": ""}
            for key in keys
            for kind in ("minimum", "matching")
        ]
    )
    solved = np.array([natural[phase] for phase in phases.values() for _ in range(2)])
    return phase_table(points, models, W[order], solutions, solved)


GRID = {
    (0.1, 0.5): SUPERPOSITION,
    (0.1, 2.0): SUPERPOSITION,
    (1.0, 0.5): NOT_REPRESENTED,
    (1.0, 2.0): DEDICATED,
}


def test_the_table_sets_means_beside_the_best_and_the_closed_forms() -> None:
    table = small_table(GRID)
    assert table["phase"].tolist() == list(GRID.values())
    assert table["best_phase"].tolist() == table["rule_phase"].tolist() == list(GRID.values())
    assert table["best_structure"].tolist() == ["pair", "pair", "dedicated", "dedicated"]
    assert set(table["n_models"]) == {2}
    assert table[["n_not_represented", "n_superposition", "n_dedicated"]].sum(axis=1).eq(2).all()


def test_facts_count_agreement_and_changes_of_phase() -> None:
    table = small_table(GRID)
    facts = facts_of(table)
    assert (facts.n_points, facts.n_agree, facts.n_models, facts.n_models_agree) == (4, 4, 8, 8)
    assert (facts.n_changes, facts.n_coexist) == (3, 0)
    assert (facts.densest, facts.n_densest, facts.n_densest_shared) == (1.0, 4, 0)
    table.loc[table["density"] == 1.0, "minima"] = f"{NOT_REPRESENTED}, {SUPERPOSITION}, {DEDICATED}"
    table.loc[0, "phase"] = DEDICATED
    changed = facts_of(table)
    assert (changed.n_agree, changed.n_at_border, changed.n_coexist) == (3, 1, 3)
    assert changed.commonest == (SUPERPOSITION, DEDICATED)


# --- room --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_corners", [3, 4, 5])
def test_room_in_a_regular_polygon(n_corners: int) -> None:
    for feature in range(n_corners):
        assert room_of(turned(polygon(n_corners), feature), feature) == pytest.approx(360 / n_corners)


@given(seed=st.integers(0, 2**32 - 1), n_features=st.integers(3, 7))
def test_rooms_share_out_the_circle(seed: int, n_features: int) -> None:
    W = np.random.default_rng(seed).normal(size=(2, n_features))
    W /= np.linalg.norm(W, axis=0)
    assert sum(room_of(W, feature) for feature in range(n_features)) == pytest.approx(360)


def test_room_is_unknown_where_the_feature_is_absent_or_alone() -> None:
    square = np.c_[polygon(4), np.zeros(2)]
    assert np.isnan(room_of(square, 4))
    assert np.isnan(room_of(np.array([[1.0, -1.0]]), 0))
