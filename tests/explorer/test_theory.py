"""What the page knows in closed form, beside the package."""

import numpy as np
import pytest
import superposition_atlas as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.metrics import features
from superposition_atlas.theory.structures import axis_cost, axis_structures, drop_costs, pair_costs

from tests.explorer.browser import Tab, in_chromium

pytestmark = in_chromium


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.uniform(0.05, 1.5, n), np.exp(draw.uniform(np.log(0.01), 0, n))


def given_schedule(importance: np.ndarray, probability: np.ndarray) -> dict[str, list[float]]:
    return {"importance": importance.tolist(), "probability": probability.tolist()}


@pytest.mark.parametrize(("n", "m"), [(2, 1), (3, 2), (5, 2), (6, 3), (8, 2)])
def test_the_exact_loss_and_its_gradient_are_those_of_the_package(tab: Tab, n: int, m: int) -> None:
    for seed in range(4):
        importance, probability = drawn(n, seed)
        draw = np.random.default_rng(seed)
        W, b = draw.normal(0, 0.8, (m, n)), draw.normal(0, 0.3, n)
        W[:, 0] *= 1e-9 if seed == 1 else 1.0  # couplings near 0 are the hard case
        W *= 0.0 if seed == 2 else 1.0
        found = tab.run(
            """({schedule, W, b, m}) => {
              const exact = new explorer.ExactLoss(schedule);
              const dW = new Float64Array(W.length), db = new Float64Array(b.length);
              exact.withGradient(W, b, m, dW, db);
              return [exact.perFeature(W, b, m), dW, db].map((values) => Array.from(values));
            }""",
            {
                "schedule": given_schedule(importance, probability),
                "W": W.reshape(-1).tolist(),
                "b": b.tolist(),
                "m": m,
            },
        )
        expected = sa.exact_gradient(W, b, importance, probability)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other.reshape(-1), atol=1e-9, rtol=0)


@pytest.mark.parametrize(("n", "m"), [(2, 1), (5, 2), (6, 3)])
def test_the_matching_saves_as_much_as_the_best_of_all_structures(tab: Tab, n: int, m: int) -> None:
    for seed in range(12):
        importance, probability = drawn(n, seed)
        found = tab.run(
            "({schedule, m}) => explorer.match(schedule, m)",
            {"schedule": given_schedule(importance, probability), "m": m},
        )
        dropped, paired = drop_costs(importance, probability), pair_costs(importance, probability)
        costs = {
            structure.groups: axis_cost(structure, dropped, paired) for structure in axis_structures(n, m)
        }
        best = min(costs.values())
        assert found["cost"] == pytest.approx(best, rel=1e-10)
        groups = tuple(tuple(group) for group in found["groups"])
        assert costs[groups] == pytest.approx(best, rel=1e-10)
        assert found["saved"] + found["cost"] == pytest.approx(dropped.sum())


def test_the_matching_is_that_of_the_package(tab: Tab) -> None:
    matching = pytest.importorskip("superposition_atlas.theory.matching")
    for n in (3, 8, 12):
        for seed in range(3):
            importance, probability = drawn(n, seed)
            found = tab.run(
                "({schedule}) => explorer.match(schedule, 3)",
                {"schedule": given_schedule(importance, probability)},
            )
            expected = matching.match(importance, probability, 3)
            assert found["cost"] == pytest.approx(expected.cost, rel=1e-9)
            assert sorted(feature for group in found["groups"] for feature in group) == list(expected.kept)


def test_features_that_are_alike_are_told_to_be_a_tie(tab: Tab) -> None:
    alike = tab.run("() => explorer.borders({importance: [1, 1, 1, 1], probability: [.3, .3, .3, .3]}, 1)")
    assert alike["tie"]
    importance, probability = drawn(5, 1)
    other = tab.run("(s) => explorer.borders(s, 2)", given_schedule(importance, probability))
    assert not other["tie"]


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), n=st.integers(3, 7), m=st.integers(1, 3))
def test_a_border_is_where_the_matching_changes_and_nothing_changes_before_it(
    tab: Tab, seed: int, n: int, m: int
) -> None:
    importance, probability = drawn(n, seed)
    found = tab.run(
        """({schedule, m}) => {
          const {borders} = explorer.borders(schedule, m), name = (groups) => JSON.stringify(groups);
          const at = (border, share) => {
            const key = border.quantity === "p" ? "probability" : "importance";
            const changed = {...schedule, [key]: [...schedule[key]]};
            changed[key][border.feature] = border.from * (border.to / border.from) ** share;
            return name(explorer.match(changed, m).groups);
          };
          const now = name(explorer.match(schedule, m).groups);
          return borders.map((border) => ({
            size: Math.abs(Math.log(border.to / border.from)),
            before: [.1, .3, .5, .7, .9, .999].every((share) => at(border, share) === now),
            behind: border.to === 1 && border.quantity === "p" ? true : at(border, 1.0001) !== now,
            becomes: name(border.becomes) !== now,
          }));
        }""",
        {"schedule": given_schedule(importance, probability), "m": m},
    )
    assert all(border["before"] and border["behind"] and border["becomes"] for border in found)
    sizes = [border["size"] for border in found]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("importance", "probability", "m"),
    [
        (0.9 ** np.arange(5), np.linspace(0.9, 0.1, 5), 2),
        (0.9 ** np.arange(5), 0.05 * 0.2 ** np.linspace(0, 1, 5), 2),
        (np.ones(4), np.full(4, 0.3), 1),
    ],
)
def test_the_search_finds_what_the_package_finds(
    tab: Tab, importance: np.ndarray, probability: np.ndarray, m: int
) -> None:
    found = tab.run(
        "({schedule, m}) => { let last; for (last of explorer.search(schedule, m)); return last.best; }",
        {"schedule": given_schedule(importance, probability), "m": m},
    )
    best = sa.best_solutions(importance, probability, m)[0]
    assert found["loss"] == pytest.approx(best.loss, rel=1e-6)
    again = sa.exact_loss(np.reshape(found["W"], (m, -1)), found["b"], importance, probability).mean()
    assert found["loss"] == pytest.approx(again, abs=1e-9)


def test_measures_are_those_of_the_package(tab: Tab) -> None:
    for seed, (n, m) in enumerate([(5, 2), (12, 3), (2, 1)]):
        W = np.random.default_rng(seed).normal(0, 0.6, (m, n))
        W[:, 0] *= seed != 0
        found = tab.run(
            """({W, n, m}) => {
              const look = Object.entries(explorer.measure(W, n, m));
              return Object.fromEntries(look.map(([name, values]) => [name, Array.from(values)]));
            }""",
            {"W": W.reshape(-1).tolist(), "n": n, "m": m},
        )
        np.testing.assert_allclose(found["norms"], features.norms(W[None])[0], atol=1e-12)
        np.testing.assert_allclose(found["dimensionality"], features.dimensionality(W[None])[0], atol=1e-12)
        np.testing.assert_allclose(
            found["polysemanticity"], np.sqrt(features.interference(W[None]))[0], atol=1e-12
        )
        np.testing.assert_allclose(np.reshape(found["products"], (n, n)), W.T @ W, atol=1e-12)
        assert found["represented"] == features.represented(W[None])[0].tolist()
        assert found["dedicated"] == features.dedicated(W[None])[0].tolist()
