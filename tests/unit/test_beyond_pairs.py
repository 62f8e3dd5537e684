import numpy as np
import pytest
import superposition_atlas as sa
from superposition_atlas.theory.beyond_pairs import pentagon_gain
from superposition_atlas.theory.matching import match


def _gain(importance: np.ndarray, probability: np.ndarray, n_hidden: int) -> float:
    return pentagon_gain(importance, probability, match(importance, probability, n_hidden))


def test_rare_equal_features_gain_by_a_pentagon_and_frequent_ones_do_not() -> None:
    gains = [_gain(np.ones(5), np.full(5, p), 2) for p in (0.01, 0.05, 0.4, 0.9)]
    assert gains[0] > gains[1] > 0.0
    assert gains[2:] == [0.0, 0.0]


@pytest.mark.parametrize("p", [0.02, 0.4])
def test_there_is_a_gain_where_the_best_solution_has_more_than_two_features_a_dimension(p: float) -> None:
    importance, probability = np.ones(5), np.full(5, p)
    best = sa.best_solutions(importance, probability, 2)[0]
    n_represented = (np.linalg.norm(best.W, axis=0) > 0.5).sum()
    gain = _gain(importance, probability, 2)
    assert (n_represented == 5) == (gain > 0)
    if gain > 0:
        # The search finds a pentagon that is a little better than any on the grid of shapes.
        saved = (match(importance, probability, 2).cost / 5 - best.loss) / (p / 3 - p**2 / 4)
        assert 0.9 * saved < gain <= saved


def test_nothing_is_gained_where_all_have_a_place_or_matter_nothing() -> None:
    assert _gain(np.ones(4), np.full(4, 0.01), 2) == 0.0
    assert _gain(np.array([1.0, 1.0, 1.0, 1.0, 0.0]), np.full(5, 0.01), 2) == 0.0
    assert _gain(0.9 ** np.arange(10.0), np.full(10, 0.9), 3) == 0.0


def test_importance_as_a_factor_changes_no_gain() -> None:
    importance, probability = 0.9 ** np.arange(12.0), np.full(12, 0.02)
    assert _gain(importance, probability, 4) == pytest.approx(_gain(7 * importance, probability, 4))
