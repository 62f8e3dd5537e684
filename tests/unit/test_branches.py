"""Competing structures: branches of minima, and where they cross."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.maps.branches import Place, branch_table, branches, crossings, structure_of
from superposition_atlas.theory.best import best_solutions
from superposition_atlas.theory.descent import Landscape
from superposition_atlas.theory.exact_loss import exact_loss

PAIRS, PENTAGON = "pair, pair without feature 0", "pentagon"
DENSITIES = (0.003, 0.008, 0.011, 0.016, 0.03)


def place(varied: float) -> Place:
    probability = np.full(5, 0.05)
    probability[0] = varied
    return Place(f"{varied}", varied, 0, np.ones(5), probability)


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    minima = []
    for here in map(place, DENSITIES):
        for minimum in best_solutions(here.importance, here.probability, 2, n_starts=1):
            minima.append((here, minimum.W, minimum.b, minimum.loss))
    known = branches(minima)
    table = branch_table(known)
    table["known"] = [minimum for branch in known for minimum in branch]
    return table


def test_the_rarer_feature_is_dropped_and_the_pentagon_comes_back(found: pd.DataFrame) -> None:
    best = found[found["is_best"]].set_index("varied")["structure"]
    assert best[0.003] == PAIRS
    assert best[0.03] == PENTAGON
    crossed = crossings(found)
    (crossing,) = crossed[crossed["is_best"]].to_dict("records")
    assert (crossing["below"], crossing["above"]) == (PAIRS, PENTAGON)
    assert 0.011 < crossing["varied"] < 0.016
    # At the interpolated density the two minima do lose the same.
    here = place(crossing["varied"])
    losses = []
    for structure in (PAIRS, PENTAGON):
        rows = found[(found["structure"] == structure) & found["varied"].between(0.01, 0.02)]
        near = rows["known"].iloc[0]
        losses.append(Landscape(here.importance, here.probability, 2).descend(near.W, near.b).loss)
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
    assert losses[0] / here.loss_of_nothing == pytest.approx(crossing["relative_loss"], rel=0.01)


def test_every_point_of_a_branch_is_a_minimum_of_its_structure(found: pd.DataFrame) -> None:
    for minimum in found["known"]:
        here = minimum.place
        exact = exact_loss(minimum.W, minimum.b, here.importance, here.probability).mean()
        assert minimum.loss == pytest.approx(exact, rel=1e-9)
        again = Landscape(here.importance, here.probability, 2).descend(minimum.W, minimum.b)
        assert again.loss == pytest.approx(minimum.loss, rel=1e-6)
        assert structure_of(minimum.W, 0) == minimum.structure
    assert (found.groupby("key")["is_best"].sum() == 1).all()


def test_branches_are_followed_to_where_the_search_did_not_look(found: pd.DataFrame) -> None:
    pentagon = found[(found["structure"] == PENTAGON) & (found["varied"] == 0.03)]["known"].iloc[0]
    pairs = found[(found["structure"] == PAIRS) & (found["varied"] == 0.003)]["known"].iloc[0]
    minima = [(known.place, known.W, known.b, known.loss) for known in (pentagon, pairs)]
    middle = place(0.016)
    nothing = (middle, np.zeros((2, 5)), middle.probability / 2, middle.loss_of_nothing)
    table = branch_table(branches([*minima, nothing]))
    at_middle = table[(table["varied"] == 0.016) & table["is_followed"]].set_index("structure")
    assert {PENTAGON, PAIRS} <= set(at_middle.index)
    for structure in (PENTAGON, PAIRS):
        known = found[(found["varied"] == 0.016) & (found["structure"] == structure)]["loss"].iloc[0]
        assert at_middle.loc[structure, "loss"] == pytest.approx(known, rel=1e-4)


@settings(max_examples=25)
@given(st.floats(0.3, 3), st.floats(0.0, 0.2), st.floats(0.02, 0.4))
def test_power_laws_cross_where_they_are_equal(steep: float, flat: float, level: float) -> None:
    varied = np.geomspace(0.001, 1, 23)
    losses = {"steep": varied**steep, "flat": level * varied**flat, "worse": 2.0 + varied}
    rows = [
        {"varied": density, "structure": name, "relative_loss": loss}
        for name, values in losses.items()
        for density, loss in zip(varied, values, strict=True)
    ]
    crossed = crossings(pd.DataFrame(rows))
    where = level ** (1 / (steep - flat))
    if where > varied[0] * 1.001:
        (crossing,) = crossed.to_dict("records")
        assert (crossing["below"], crossing["above"], crossing["is_best"]) == ("steep", "flat", True)
        assert crossing["varied"] == pytest.approx(where, rel=1e-6)
        assert crossing["relative_loss"] == pytest.approx(where**steep, rel=1e-6)


def test_a_crossing_above_a_third_branch_is_not_of_the_best() -> None:
    varied = np.array([0.1, 0.2, 0.4])
    rows = [
        {"varied": density, "structure": name, "relative_loss": loss}
        for name, values in (("up", varied), ("down", 0.05 / varied), ("low", np.full(3, 0.01)))
        for density, loss in zip(varied, values, strict=True)
    ]
    (crossing,) = crossings(pd.DataFrame(rows)).to_dict("records")
    assert not crossing["is_best"]
    rows = [row for row in rows if row["structure"] != "low" or row["varied"] == 0.1]
    (crossing,) = crossings(pd.DataFrame(rows)).to_dict("records")
    assert crossing["is_best"]  # where the third has ended, it does not count
