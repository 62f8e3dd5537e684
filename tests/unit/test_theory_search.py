"""The best solutions and the predictor: never beaten by chance, true to their own costs, invariant."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import superposition_atlas as sa
from superposition_atlas.errors import AtlasError
from superposition_atlas.maps.points import make_points
from superposition_atlas.metrics.features import dimensionality
from superposition_atlas.theory.best import N_FOLLOWED, best_solutions
from superposition_atlas.theory.descent import Landscape, Minimum
from superposition_atlas.theory.exact_loss import fill_losses
from superposition_atlas.theory.matching import match
from superposition_atlas.theory.predictor import (
    Prediction,
    predict,
    ranked_axes,
    ranked_polygons,
)
from superposition_atlas.theory.starts import random_starts, sphere, structured_starts
from superposition_atlas.theory.structures import drop_costs

Schedule = tuple[np.ndarray, np.ndarray]


def random_schedules(count: int, seed: int) -> list[Schedule]:
    """As the map of random schedules draws them."""
    points = make_points(5, 2, {"kind": "random", "count": count, "seed": seed})
    return [(point.importance, point.probability) for point in points]


NAMED: dict[str, Schedule] = {
    "talk, case 1": (0.9 ** np.arange(5), np.linspace(0.9, 0.1, 5)),
    "talk, case 2": (0.9 ** np.arange(5), np.linspace(0.1, 0.9, 5)),
    "geometric": (0.9 ** np.arange(5), np.geomspace(1.0, 0.02, 5)),
    "equal and rare": (np.ones(5), np.full(5, 0.05)),
}


def nothing(schedule: Schedule) -> float:
    return float(drop_costs(*schedule).mean())


def kept(W: np.ndarray) -> frozenset[int]:
    return frozenset(np.flatnonzero(np.linalg.norm(W, axis=0) > 0.5).tolist())


def from_random_starts(schedule: Schedule, n_starts: int, seed: int, n_hidden: int = 2) -> float:
    """The least loss of so many descents from weights of every scale."""
    rng = np.random.default_rng(seed)
    landscape = Landscape(*schedule, n_hidden)
    n_features = len(schedule[0])
    return min(
        landscape.descend(
            rng.choice([0.1, 0.3, 0.6, 1.0, 1.5]) * rng.normal(size=(n_hidden, n_features)),
            rng.choice([0.02, 0.2]) * rng.normal(size=n_features),
        ).loss
        for _ in range(n_starts)
    )


def slope(found: Minimum, schedule: Schedule) -> tuple[np.ndarray, np.ndarray]:
    """In units of the loss of representing nothing."""
    _, dW, db = sa.exact_gradient(found.W, found.b, *schedule)
    return dW / nothing(schedule) / len(db), db / nothing(schedule) / len(db)


# --- best solutions: what must come out ---------------------------------------------------------------------


def test_equal_rare_features_are_best_as_a_pentagon() -> None:
    found = best_solutions(*NAMED["equal and rare"], 2)[0]
    np.testing.assert_allclose(dimensionality(found.W[None])[0], 0.4, atol=1e-4)
    angles = np.sort(np.arctan2(found.W[1], found.W[0]))
    np.testing.assert_allclose(np.diff(angles), 2 * np.pi / 5, atol=1e-3)
    assert np.ptp(np.linalg.norm(found.W, axis=0)) < 1e-4
    assert np.ptp(found.b) < 1e-4
    assert found.b.max() < 0.0
    assert found.n_starts > 1


@pytest.mark.parametrize(
    ("n_features", "p", "loss"),
    [
        (6, 1e-6, 0.04819),
        (6, 1e-3, 0.04896),
        (7, 1e-6, 0.08327),
        (7, 1e-3, 0.08441),
        (7, 5e-3, 0.08872),
    ],
)
def test_more_equal_rare_features_are_best_as_a_polygon_of_all(
    n_features: int, p: float, loss: float
) -> None:
    """For p → 0 the losses of Chen et al. 2023."""
    found = best_solutions(np.ones(n_features), np.full(n_features, p), 2)[0]
    assert found.loss / p == pytest.approx(loss, abs=6e-6)
    angles = np.sort(np.arctan2(found.W[1], found.W[0]))
    np.testing.assert_allclose(np.diff(angles), 2 * np.pi / n_features, atol=1e-2)


def test_dense_features_are_best_as_principal_components() -> None:
    """At p = 1 the outputs that are worth having are linear: the two largest V_i = I_i / 12 are kept."""
    importance = np.array([0.3, 1.0, 0.5, 0.9, 0.7])
    found = best_solutions(importance, np.ones(5), 2)[0]
    assert kept(found.W) == {1, 3}
    np.testing.assert_allclose(found.W.T @ found.W, np.diag([0.0, 1, 0, 1, 0]), atol=1e-5)
    np.testing.assert_allclose(found.b[[0, 2, 4]], 0.5, atol=1e-5)
    assert found.loss == pytest.approx((0.3 + 0.5 + 0.7) / 12 / 5, rel=1e-8)


@pytest.mark.parametrize(("n_features", "n_hidden"), [(1, 1), (2, 2), (2, 3), (3, 3)])
def test_with_enough_dimensions_nothing_is_lost(n_features: int, n_hidden: int) -> None:
    rng = np.random.default_rng(n_features)
    schedules = [(np.ones(n_features), np.full(n_features, 0.3))]
    schedules += [(rng.uniform(0.1, 1, n_features), rng.uniform(0.05, 1, n_features)) for _ in range(3)]
    for schedule in schedules:
        found = best_solutions(*schedule, n_hidden, n_starts=4)
        assert 0.0 <= found[0].loss < 1e-10 * nothing(schedule)
        np.testing.assert_allclose(found[0].W.T @ found[0].W, np.eye(n_features), atol=1e-3)
        assert sum(minimum.loss < 1e-8 * nothing(schedule) for minimum in found) == 1


def test_the_triple_point_of_two_features_in_one_dimension() -> None:
    """At unit weights pairs lose to dropping from p = 4/7 on; with free weights both are found."""
    for p, n_kept in ((0.3, 2), (0.9, 1)):
        found = best_solutions(np.ones(2), np.full(2, p), 1)[0]
        assert len(kept(found.W)) == n_kept


def test_importance_and_rarity_of_nothing_are_endured() -> None:
    found = best_solutions([1.0, 0.0, 0.5], [0.5, 0.5, 0.5], 2)[0]
    assert found.loss < 1e-10
    assert best_solutions([0.0, 0.0], [0.5, 0.5], 1)[0].loss == 0.0
    rare = best_solutions([1.0, 1.0], [1e-9, 0.5], 1)[0]
    assert rare.loss < 1e-9 / 3 / 2


# --- best solutions: never beaten ---------------------------------------------------------------------------


def check_against_random_starts(schedule: Schedule, n_starts: int, seed: int) -> None:
    found = best_solutions(*schedule, 2)[0]
    assert found.loss <= from_random_starts(schedule, n_starts, seed) * (1 + 1e-7)


@pytest.mark.parametrize("name", ["talk, case 2", "geometric"])
def test_random_starts_find_nothing_better(name: str) -> None:
    check_against_random_starts(NAMED[name], 40, seed=1)


def any_schedule(seed: int, n_features: int) -> Schedule:
    """Every fourth has equal features, every fourth equal importance; probabilities from 1e-6 to 1."""
    rng = np.random.default_rng(seed)
    lowest = rng.uniform(-6, 0)
    probability = 10 ** rng.uniform(lowest, rng.uniform(lowest, 0), n_features)
    if seed % 4 == 0:
        probability[:] = probability[0]
    importance = np.ones(n_features) if seed % 2 == 0 else 10 ** rng.uniform(-1, 0, n_features)
    return importance, probability


def check_reliability(n_schedules: int, sizes: tuple[int, ...], n_starts: int) -> None:
    """`benchmarks/search.py` says how often this holds of 300 schedules and 500 starts."""
    for k in range(n_schedules):
        schedule, n_hidden = any_schedule(k, sizes[k % len(sizes)]), 1 + k % 3
        best = best_solutions(*schedule, n_hidden)[0].loss
        least = from_random_starts(schedule, n_starts, seed=k, n_hidden=n_hidden)
        assert best <= least + 1e-5 * nothing(schedule), (k, schedule)


def test_random_starts_find_nothing_better_of_any_schedule() -> None:
    check_reliability(9, (4, 5, 6), 20)


@pytest.mark.slow
def test_many_random_starts_find_nothing_better_of_any_schedule() -> None:
    check_reliability(30, (4, 5, 6, 7, 8), 100)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(12))
def test_a_dense_search_finds_nothing_better(index: int) -> None:
    schedules = [*random_schedules(10, seed=11), NAMED["talk, case 1"], NAMED["equal and rare"]]
    check_against_random_starts(schedules[index], 300, seed=index)


@pytest.mark.parametrize("schedule", random_schedules(3, seed=6), ids=range(3))
def test_prediction_matching_and_best_are_in_order(schedule: Schedule) -> None:
    best = best_solutions(*schedule, 2, n_starts=2)[0]
    assert best.loss <= predict(*schedule, 2).cost + 1e-15
    matched = match(*schedule, 2).cost / len(schedule[0])
    assert predict(*schedule, 2).cost <= matched + 1e-15
    assert matched < nothing(schedule)


# --- best solutions: what they are --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def solved() -> list[tuple[Schedule, list[Minimum]]]:
    schedules = [*random_schedules(4, seed=5), NAMED["talk, case 1"], NAMED["equal and rare"]]
    return [(schedule, best_solutions(*schedule, 2)) for schedule in schedules]


def test_losses_are_those_of_W_and_b_and_the_best_comes_first(solved) -> None:
    for schedule, found in solved:
        losses = [minimum.loss for minimum in found]
        assert losses == sorted(losses)
        for minimum in found:
            exact = sa.exact_loss(minimum.W, minimum.b, *schedule).mean()
            assert minimum.loss == pytest.approx(exact, rel=1e-12)


def test_minima_are_stationary(solved) -> None:
    for schedule, found in solved:
        for minimum in found:
            dW, db = slope(minimum, schedule)
            assert np.abs(dW).max() < 1e-6
            assert np.abs(db).max() < 1e-6


def test_minima_are_no_saddle_points(solved) -> None:
    """A step in any direction does not lead further down than a step in a flat valley would."""
    rng = np.random.default_rng(0)
    for schedule, found in solved:
        for minimum in found:
            W = minimum.W + 1e-2 * rng.normal(size=(400, 2, 5))
            b = minimum.b + 1e-2 * rng.normal(size=(400, 5))
            least = sa.exact_loss(W, b, *schedule).mean(axis=1).min()
            assert least > minimum.loss - 1e-5 * nothing(schedule)


def test_minima_are_distinct(solved) -> None:
    """Beyond rotation and exchange of like features, by trying all exchanges."""
    for (importance, probability), found in solved:
        like = np.stack([importance, probability])
        orders = [
            list(order) for order in permutations(range(5)) if np.array_equal(like[:, list(order)], like)
        ]
        for k, one in enumerate(found):
            G = one.W.T @ one.W
            for other in found[:k]:
                if one.loss - other.loss > 1e-5 * other.loss:
                    continue
                H = other.W.T @ other.W
                apart = [
                    max(np.abs(H[np.ix_(order, order)] - G).max(), np.abs(other.b[order] - one.b).max())
                    for order in orders
                ]
                assert min(apart) > 1e-2


def test_no_minimum_has_an_output_that_is_dead(solved) -> None:
    for schedule, found in solved:
        for minimum in found:
            largest = minimum.b + np.maximum(minimum.W.T @ minimum.W, 0.0).sum(axis=0)
            assert np.all(largest > 0.0)
        assert all(minimum.loss < np.mean(schedule[0] * schedule[1]) / 3 for minimum in found)


@pytest.mark.parametrize("name", ["geometric", "equal and rare"])
def test_starts_are_counted(name: str) -> None:
    """Those that are followed to the end: the structures', and the random ones; moves are none."""
    for n_starts in (0, 5):
        found = best_solutions(*NAMED[name], 2, n_starts)
        assert sum(minimum.n_starts for minimum in found) == N_FOLLOWED + n_starts


@pytest.mark.parametrize("schedule", random_schedules(3, seed=8)[1:], ids=range(2))
def test_features_have_no_order(schedule: Schedule) -> None:
    order = np.random.default_rng(3).permutation(5)
    found = best_solutions(*schedule, 2)
    moved = best_solutions(schedule[0][order], schedule[1][order], 2)
    assert moved[0].loss == pytest.approx(found[0].loss, rel=1e-9)
    all_differ = len(set(zip(*schedule, strict=True))) == 5
    if all_differ and found[1].loss > found[0].loss * 1.001:
        G, H = found[0].W.T @ found[0].W, moved[0].W.T @ moved[0].W
        np.testing.assert_allclose(H, G[np.ix_(order, order)], atol=1e-3)
        np.testing.assert_allclose(moved[0].b, found[0].b[order], atol=1e-3)


def test_the_same_call_gives_the_same_and_another_seed_the_same_best() -> None:
    schedule = NAMED["geometric"]
    one, again, other = (best_solutions(*schedule, 2, seed=seed) for seed in (0, 0, 2**64 - 1))
    assert len(one) == len(again)
    for first, second in zip(one, again, strict=True):
        assert first.loss == second.loss
        np.testing.assert_array_equal(first.W, second.W)
    assert other[0].loss == pytest.approx(one[0].loss, rel=1e-9)
    assert [minimum.loss for minimum in other] != [minimum.loss for minimum in one]


def test_importance_is_a_factor_and_rarity_no_hindrance() -> None:
    importance, probability = NAMED["geometric"]
    found = best_solutions(importance, probability, 2)[0]
    scaled = best_solutions(1e-6 * importance, probability, 2, n_starts=0)[0]
    assert scaled.loss == pytest.approx(1e-6 * found.loss, rel=1e-6)
    rare = (np.ones(5), np.full(5, 1e-6))
    best = best_solutions(*rare, 2, n_starts=0)[0]
    assert best.loss / 1e-6 == pytest.approx(0.23738 / 15, rel=1e-4)


@pytest.mark.parametrize(
    "held", [np.zeros(5), NAMED["geometric"][1] / 2, np.array([0.1, -0.1, 0.0, 0.2, -0.3])]
)
def test_a_held_bias_is_held(held: np.ndarray) -> None:
    schedule = NAMED["geometric"]
    found = best_solutions(*schedule, 2, n_starts=4, bias=held)
    free = best_solutions(*schedule, 2, n_starts=4)[0]
    for minimum in found:
        np.testing.assert_array_equal(minimum.b, held)
        assert np.abs(slope(minimum, schedule)[0]).max() < 1e-6
    assert found[0].loss >= free.loss
    at_its_own = best_solutions(*schedule, 2, n_starts=4, bias=free.b)[0]
    assert at_its_own.loss == pytest.approx(free.loss, rel=1e-6)


def test_one_kernel_serves_all_searches() -> None:
    schedule, held = NAMED["geometric"], np.zeros(5)
    best_solutions(*schedule, 2, n_starts=0)
    n_compiled = len(fill_losses.signatures)
    held.setflags(write=False)
    best_solutions(*(np.broadcast_to(values, (1, 5))[0] for values in schedule), 2, n_starts=0, bias=held)
    assert len(fill_losses.signatures) == n_compiled


def test_dead_outputs_are_revived() -> None:
    schedule = NAMED["talk, case 1"]
    landscape = Landscape(*schedule, 2)
    everything_dead = landscape.descend(np.zeros((2, 5)), np.full(5, -1.0))
    assert everything_dead.loss == pytest.approx(nothing(schedule))
    np.testing.assert_allclose(everything_dead.b, schedule[1] / 2, atol=1e-6)
    # Dead, though its weights are long.
    best = best_solutions(*schedule, 2)[0]
    b = best.b.copy()
    b[0] = -10.0
    assert landscape.descend(best.W, b).loss < nothing(schedule) - 1e-3
    rng = np.random.default_rng(0)
    for _ in range(5):
        end = landscape.descend(rng.normal(size=(2, 5)), np.full(5, -20.0))
        assert end.loss < np.mean(schedule[0] * schedule[1]) / 3
    held = Landscape(*schedule, 2, np.full(5, -1.0))
    assert held.descend(np.zeros((2, 5)), np.zeros(5)).loss == pytest.approx(
        np.mean(schedule[0] * schedule[1]) / 3
    )


def test_saddle_points_are_left() -> None:
    """Where a feature has no weight there is no slope: with b = p / 2 it is dropped, but need not be."""
    schedule = np.array([1.0, 0.5]), np.array([0.3, 0.4])
    landscape = Landscape(*schedule, 2)
    saddle = replace(landscape.descend(np.zeros((2, 2)), schedule[1] / 2), n_starts=7)
    np.testing.assert_array_equal(saddle.W, 0.0)
    assert saddle.loss == pytest.approx(nothing(schedule))
    minimum = landscape.past_saddles(saddle)
    assert minimum.loss < 1e-10 * nothing(schedule)
    assert minimum.n_starts == 7
    assert landscape.past_saddles(minimum) is minimum


# --- starts -------------------------------------------------------------------------------------------------


def test_random_starts_depend_on_seed_schedule_and_number_alone() -> None:
    importance, probability = NAMED["geometric"]
    few = random_starts(importance, probability, 2, seed=3, n_starts=4)
    many = random_starts(7 * importance, probability, 2, seed=3, n_starts=40)
    for (W, b), (same_W, same_b) in zip(few, many, strict=False):
        np.testing.assert_array_equal(W, same_W)
        np.testing.assert_array_equal(b, same_b)
    others = [
        random_starts(importance, probability, 2, seed=4, n_starts=4),
        random_starts(importance, probability[::-1], 2, seed=3, n_starts=4),
        random_starts(importance[::-1], probability, 2, seed=3, n_starts=4),
    ]
    b = np.concatenate([[start[1] for start in starts] for starts in (many, *others)])
    assert len(np.unique(b)) == b.size
    normal = np.concatenate([W.ravel() / np.std(W) for W, _ in many])
    assert abs(normal.mean()) < 0.2


def test_structures_of_every_kind_are_started_from() -> None:
    """Polygons and polyhedra of any number of features, by the number of long columns, and pairs."""
    importance, probability = 0.9 ** np.arange(8), np.geomspace(0.5, 0.01, 8)
    for n_hidden, least in ((1, 1), (2, 3), (3, 4)):
        starts = structured_starts(importance, probability, n_hidden, seed=0)
        numbers = {len(kept(W)) for W, _ in starts}
        assert numbers >= set(range(least, 9 if n_hidden > 1 else 3))
        assert all(W.shape == (n_hidden, 8) and b.shape == (8,) for W, b in starts)


@pytest.mark.parametrize(
    ("n_points", "least_angle"), [(4, 109.4), (5, 89.9), (6, 89.9), (7, 71.9), (8, 74.8), (9, 40), (10, 50)]
)
def test_points_on_a_sphere_are_far_apart(n_points: int, least_angle: float) -> None:
    points = sphere(n_points)
    np.testing.assert_allclose(np.linalg.norm(points, axis=0), 1)
    cosines = (points.T @ points)[~np.eye(n_points, dtype=bool)]
    assert np.degrees(np.arccos(cosines.max())) >= least_angle


# --- predictions --------------------------------------------------------------------------------------------


def check_costs(prediction: Prediction, schedule: Schedule) -> None:
    losses = sa.exact_loss(prediction.W, prediction.b, *schedule)
    assert prediction.cost == pytest.approx(losses.mean(), rel=1e-12, abs=1e-15)
    assert kept(prediction.W) == prediction.structure.kept


@pytest.mark.parametrize("n_hidden", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_weights_and_biases_have_the_predicted_cost(n_hidden: int, seed: int) -> None:
    for schedule in random_schedules(4, seed):
        check_costs(predict(*schedule, n_hidden), schedule)
        for prediction in ranked_axes(*schedule, n_hidden):
            check_costs(prediction, schedule)


def test_polygons_have_their_costs_among_more_features() -> None:
    rng = np.random.default_rng(0)
    schedule = rng.uniform(0.3, 1, 6), rng.uniform(0.02, 0.4, 6)
    ranked = ranked_polygons(*schedule)
    assert len(ranked) == 20 + 72
    assert [prediction.cost for prediction in ranked] == sorted(prediction.cost for prediction in ranked)
    for prediction in ranked[::8]:
        check_costs(prediction, schedule)


def test_more_dimensions_and_less_importance_cost_less() -> None:
    for importance, probability in random_schedules(3, seed=2):
        costs = [predict(importance, probability, m).cost for m in (1, 2, 3, 5)]
        assert costs == sorted(costs, reverse=True)
        assert costs[-1] == 0.0
        assert predict(importance, probability, 5).structure.kept == frozenset(range(5))
        half = predict(importance / 2, probability, 2)
        whole = predict(importance, probability, 2)
        assert half.cost == pytest.approx(whole.cost / 2, rel=1e-9)
        order = np.random.default_rng(1).permutation(5)
        moved = predict(importance[order], probability[order], 2)
        assert moved.cost == pytest.approx(whole.cost, rel=1e-9)


def test_known_predictions() -> None:
    assert str(predict(*NAMED["equal and rare"], 2).structure).startswith("pentagon")
    dense = predict(np.array([0.3, 1.0, 0.5, 0.9, 0.7]), np.ones(5), 2)
    assert str(dense.structure) == "dedicated 1, dedicated 3"
    assert str(match(*NAMED["geometric"], 2).structure) == "dedicated 0, pair 1-2"


def agreement(schedules: list[Schedule], n_starts: int) -> float:
    """Share of schedules of which the same features are kept as by a best solution, like ones exchanged."""

    def kinds(features: frozenset[int], schedule: Schedule) -> list[tuple[float, float]]:
        return sorted((schedule[0][i], schedule[1][i]) for i in features)

    n_right = 0
    for schedule in schedules:
        found = best_solutions(*schedule, 2, n_starts)
        answers = [kinds(kept(m.W), schedule) for m in found if m.loss <= found[0].loss * (1 + 1e-5)]
        n_right += kinds(predict(*schedule, 2).structure.kept, schedule) in answers
    return n_right / len(schedules)


def test_the_predictor_foretells_what_is_kept() -> None:
    assert agreement(random_schedules(50, seed=1), n_starts=0) >= 0.85


@pytest.mark.slow
def test_the_predictor_foretells_what_is_kept_of_200() -> None:
    assert agreement(random_schedules(200, seed=2), n_starts=12) >= 0.9


# --- calls --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [best_solutions, predict])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"importance": [1.0]}, "importance has 1 features, probability 2: must be"),
        ({"importance": np.ones((1, 2)), "probability": np.ones((1, 2))}, "must be \\[feature\\]"),
        ({"importance": [], "probability": []}, "must be \\[feature\\]"),
        ({"importance": np.ones(11), "probability": np.ones(11)}, "11 features has 3\\^11 terms"),
        ({"importance": [1.0, -1.0]}, "importance\\[1\\] is -1.0: must be at least 0"),
        ({"importance": [1.0, np.nan]}, "importance\\[1\\] is nan"),
        ({"probability": [0.0, 0.5]}, "probability\\[0\\] is 0.0: must be in \\(0, 1\\]"),
        ({"probability": [1.1, 0.5]}, "probability\\[0\\] is 1.1"),
        ({"probability": [np.nan, 0.5]}, "probability\\[0\\] is nan"),
        ({"n_hidden": 0}, "n_hidden is 0: must be at least 1"),
        ({"n_hidden": 1.5}, "n_hidden is 1.5: must be an integer"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(function, wrong: dict, message: str) -> None:
    with pytest.raises(AtlasError, match=message) as caught:
        function(**({"importance": [1.0, 1.0], "probability": [0.5, 0.5], "n_hidden": 1} | wrong))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_starts": -1}, "n_starts is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"bias": [0.0]}, "bias has 1 values: must be one finite number a feature"),
        ({"bias": [0.0, np.nan]}, "bias\\[1\\] is nan: must be finite"),
    ],
)
def test_what_is_wrong_with_a_search_is_said_in_a_line(wrong: dict, message: str) -> None:
    with pytest.raises(AtlasError, match=message):
        best_solutions([1.0, 1.0], [0.5, 0.5], 1, **wrong)


def test_nothing_that_is_given_is_changed() -> None:
    importance, probability = (values.copy() for values in NAMED["geometric"])
    held = np.zeros(5)
    best_solutions(importance, probability, 2, n_starts=0, bias=held)
    prediction = predict(importance, probability, 2)
    prediction.W[...] = prediction.b[...] = np.nan
    np.testing.assert_array_equal(importance, NAMED["geometric"][0])
    np.testing.assert_array_equal(probability, NAMED["geometric"][1])
    np.testing.assert_array_equal(held, 0.0)
    check_costs(predict(importance, probability, 2), (importance, probability))


def test_lists_are_taken() -> None:
    assert predict([1.0, 1.0], [0.1, 0.1], 1).structure.kept == {0, 1}
    assert best_solutions([1.0, 1.0], [0.1, 0.1], 1, n_starts=0)[0].loss < predict([1, 1], [0.1, 0.1], 1).cost
