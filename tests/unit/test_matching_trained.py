"""The matching against the toy models of the experiment of the post, 80 features in 20 dimensions."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import superposition_atlas as sa
from superposition_atlas import config
from superposition_atlas.metrics.agreement import jaccard, mean_jaccard_with_others
from superposition_atlas.metrics.features import dedicated, represented
from superposition_atlas.schedules import Schedule
from superposition_atlas.theory.beyond_pairs import pentagon_gain
from superposition_atlas.toy_model import ToyModels

CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"
SEEDS = (0, 1)


@cache
def _trained(case_name: str) -> ToyModels:
    case = config.load(config.read(CONFIG)).experiments["wide"].cases[case_name]
    settings = case.training.as_dict() | {"record_steps": ()}
    return sa.train(Schedule(case.importance[0], case.probability[0]), 20, SEEDS, **settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case_name", "n_kept", "n_alone", "least_overlap"),
    [
        ("case1", (22, 25), (15, 18), 0.93),
        ("case2", (39, 43), (0, 1), 0.93),
        ("uniform_matched", (26, 29), (11, 14), 0.9),
        ("post4", (37, 41), (0, 2), 0.78),
    ],
)
def test_the_rule_has_the_numbers_and_features_of_toy_models(
    case_name: str, n_kept: tuple[int, int], n_alone: tuple[int, int], least_overlap: float
) -> None:
    models = _trained(case_name)
    found = sa.match(models)
    W = models.W.astype(np.float64)
    present = represented(W)
    for count, (least, most) in ((present.sum(axis=1), n_kept), (dedicated(W).sum(axis=1), n_alone)):
        assert ((count >= least) & (count <= most)).all()
    # By the rule as well, and the two numbers within 3 of each other.
    assert n_kept[0] <= len(found.kept) <= n_kept[1]
    assert n_alone[0] <= len(found.alone) <= n_alone[1]
    overlap = jaccard(present, found.is_kept)
    assert overlap.min() >= least_overlap
    # About as good as a second toy model.
    assert overlap.mean() >= mean_jaccard_with_others(present).mean() - 0.05
    share = models.loss.mean() * models.n_features / (found.cost + found.saved)
    assert 0.97 < share / found.loss_share < 1.1
    # None of these schedules is rare enough for more than two features a dimension.
    assert pentagon_gain(models.importance[0], models.probability[0], found) == 0.0


@pytest.mark.slow
def test_the_densest_features_are_absent_where_importance_is_equal() -> None:
    models = _trained("post4")
    found = sa.match(models)
    densest = np.argsort(-models.probability[0])[:4]
    assert not found.is_kept[densest].any()
    assert not represented(models.W.astype(np.float64))[:, densest].any()
