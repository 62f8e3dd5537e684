"""The regression of what is represented on importance and variance."""

import numpy as np
import pandas as pd
import pytest
from superposition_atlas.maps.effects import effects, logistic_regression


def drawn(n: int, beta: list[float], seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, len(beta) - 1))
    chance = 1 / (1 + np.exp(-(beta[0] + X @ beta[1:])))
    return X, (generator.random(n) < chance).astype(float)


def test_coefficients_are_found_within_their_intervals() -> None:
    true = [0.3, 1.5, -0.7]
    misses = 0
    for seed in range(40):
        X, y = drawn(600, true, seed)
        beta, deviation = logistic_regression(X, y, np.arange(600))
        misses += int((np.abs(beta - true) > 1.96 * deviation).sum())
    # 120 intervals, of which 1 in 20 misses: 6 ± 2.4, and 14 or more once in a thousand.
    assert misses < 14


def test_rows_said_twice_do_not_narrow_the_interval_of_their_cluster() -> None:
    X, y = drawn(300, [0.0, 1.0], 1)
    beta, deviation = logistic_regression(X, y, np.arange(300))
    twice = (np.repeat(X, 2, axis=0), np.repeat(y, 2), np.repeat(np.arange(300), 2))
    again, other = logistic_regression(*twice)
    np.testing.assert_allclose(again, beta, rtol=1e-4)
    np.testing.assert_allclose(other, deviation, rtol=1e-3)


def schedules(n: int, importance_weight: float, variance_weight: float) -> pd.DataFrame:
    """Three of five features represented: those that come first by the weighted logarithms."""
    generator, rows = np.random.default_rng(0), []
    for key in range(n):
        importance, probability = generator.uniform(0.1, 1, 5), generator.uniform(0.01, 0.5, 5)
        variance = probability / 3 - probability**2 / 4
        score = importance_weight * np.log(importance) + variance_weight * np.log(variance)
        score += generator.normal(size=5) * 0.3
        kept = np.argsort(np.argsort(-score)) < 3
        for i in range(5):
            row = {"key": str(key), "feature": i, "importance": importance[i], "probability": probability[i]}
            outcome = {name: float(kept[i]) for name in ("share_represented", "share_dedicated")}
            rows.append(row | outcome | {"best_represented": float(kept[i]), "best_dedicated": 0.0})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (2.0, 0.5)])
def test_what_decides_has_the_larger_coefficient(weights: tuple[float, float]) -> None:
    table = effects(schedules(300, *weights)).set_index(["source", "outcome", "term"])
    importance = table.loc[("trained", "represented", "importance")]
    variance = table.loc[("trained", "represented", "variance")]
    ratio = importance["coefficient"] / variance["coefficient"]
    assert ratio == pytest.approx(weights[0] / weights[1], rel=0.25)
    assert (importance["ci_low"] > variance["ci_high"]) == (weights[0] > weights[1])
    assert importance["n_schedules"] == 300


def test_a_units_choice_changes_nothing() -> None:
    table = schedules(60, 1.0, 1.0)
    scaled = effects(table.assign(importance=table["importance"] * 7))
    pd.testing.assert_frame_equal(effects(table), scaled, rtol=1e-5)


def test_what_never_happens_has_finite_coefficients() -> None:
    table = effects(schedules(30, 1.0, 1.0))
    never = table[(table["source"] == "best") & (table["outcome"] == "dedicated")]
    assert np.isfinite(never[["coefficient", "ci_low", "ci_high"]]).all(axis=None)


def test_standardised_effects_are_those_of_one_deviation_and_know_no_unit() -> None:
    table = schedules(100, 1.0, 1.0)
    # Twice as spread on the logarithmic scale: half the coefficient, the same for one deviation.
    squared = table.assign(importance=table["importance"] ** 2)
    one, other = (effects(own).set_index(["source", "outcome", "term"]) for own in (table, squared))
    row, same = (
        one.loc[("trained", "represented", "importance")],
        other.loc[("trained", "represented", "importance")],
    )
    assert row["standardised"] == pytest.approx(row["coefficient"] * row["deviation"])
    assert same["coefficient"] == pytest.approx(row["coefficient"] / 2, rel=1e-3)
    for name in ("standardised", "standardised_low", "standardised_high"):
        assert same[name] == pytest.approx(row[name], rel=1e-3)
