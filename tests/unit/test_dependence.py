"""How dependent features lie, and what SAEs make of a child and its parent: on weights that are known."""

from dataclasses import replace

import numpy as np
import pytest
import superposition_atlas as sa
from superposition_atlas import metrics
from superposition_atlas.errors import ArgumentError
from superposition_atlas.metrics.dependence import parents
from superposition_atlas.sampling.structure import intervals_of
from superposition_atlas.schedules import Schedule

CHILD = [{"form": "tree", "features": [0, 1], "parents": [-1, 0]}]


def with_weights(schedule, columns):
    """A toy model whose features have these weights."""
    W = np.array(columns, np.float32).T[None]
    return replace(sa.random_dictionaries(schedule, W.shape[1], 1), W=W)


def with_encoder(models, encoder, decoder):
    """An SAE on it with these weights, [hidden, latent] and [latent, hidden]."""
    saes = sa.train_saes(models, n_latents=2, steps=1, engine="torch")
    given = {"W_enc": np.array([encoder], np.float32), "W_dec": np.array([decoder], np.float32)}
    zeros = {name: np.zeros_like(saes.parameters[name]) for name in ("b_enc", "b_dec")}
    return replace(saes, parameters={**saes.parameters, **zeros, **given})


def test_pairs_are_told_apart_by_their_cosine():
    columns = [(1, 0), (0, 1), (1, 0.1), (-1, 0), (1, 1), (0.1, 0)]
    groups = [{"form": "together", "features": list(range(6))}]
    table = metrics.pair_table(with_weights(Schedule(np.ones(6), np.full(6, 0.1), groups), columns))
    assert len(table) == 15
    found = {
        (i, j): name
        for i, j, name in zip(table["feature"], table["other"], table["arrangement"], strict=True)
    }
    assert found[0, 1] == "orthogonal"
    assert found[0, 2] == "side by side"
    assert found[0, 3] == "antipodal"
    assert found[0, 4] == "between"
    assert {found[i, 5] for i in range(5)} == {"absent"}
    assert table["joint_probability"].to_numpy() == pytest.approx(0.1)


def test_pairs_of_other_groups_are_not_listed():
    groups = [{"form": "together", "features": [0, 1]}, {"form": "exclusive", "features": [2, 3]}]
    schedule = Schedule(np.ones(5), np.full(5, 0.1), groups)
    table = metrics.pair_table(sa.random_dictionaries(schedule, 3, 2))
    assert list(zip(table["feature"], table["other"], strict=True)) == [(0, 1), (2, 3)] * 2


def test_parents_are_the_rarest_that_are_always_there():
    p = np.array([0.5, 0.2, 0.1, 0.3, 0.3, 0.3])
    groups = [
        {"form": "tree", "features": [0, 1, 2], "parents": [-1, 0, 1]},
        {"form": "together", "features": [3, 4]},
    ]
    assert parents(p, intervals_of(groups, p)).tolist() == [-1, 0, 1, -1, -1, -1]


def test_an_absorbed_parent_is_found():
    models = with_weights(Schedule(np.ones(2), np.array([0.5, 0.2]), CHILD), np.eye(2))
    honest = with_encoder(models, np.eye(2), np.eye(2))
    absorbing = with_encoder(models, [[1, 0], [-100, 1]], [[1, 0], [0.6, 0.8]])
    (one,) = metrics.child_table(models, honest).to_dict("records")
    assert (one["parent"], one["child"], one["represented"], one["same_latent"]) == (0, 1, True, False)
    assert one["recall_alone"] == one["recall_with_child"] == 1.0
    assert one["absorption"] == 0.0
    assert one["parent_in_child"] == pytest.approx(0.0, abs=1e-6)
    (two,) = metrics.child_table(models, absorbing).to_dict("records")
    assert two["absorption"] == pytest.approx(1 - 1 / 200, abs=0.02)  # fires only where x_0 > 100 x_1
    assert two["parent_in_child"] == pytest.approx(0.6, abs=1e-6)


def test_independent_features_are_refused():
    models = sa.random_dictionaries(Schedule(np.ones(2), np.full(2, 0.1)), 2, 1)
    with pytest.raises(ArgumentError, match="structure"):
        metrics.pair_table(models)
    with pytest.raises(ArgumentError, match="structure"):
        metrics.child_table(models, with_encoder(models, np.eye(2), np.eye(2)))
