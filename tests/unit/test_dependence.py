"""How dependent features lie, and what SAEs make of a child and its parent: on weights that are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import superposition_atlas as sa
from superposition_atlas import metrics
from superposition_atlas.errors import ArgumentError
from superposition_atlas.metrics.children import parents
from superposition_atlas.metrics.dependence import by_probability, pair_summary
from superposition_atlas.sampling.structure import intervals_of
from superposition_atlas.schedules import Schedule
from superposition_atlas.theory.best_arrangement import pairs_beside_best

PAIRS = [{"form": "together", "features": [0, 1]}, {"form": "together", "features": [2, 3]}]
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


def test_independent_features_are_a_control():
    structured = with_weights(Schedule(np.ones(2), np.array([0.5, 0.2]), CHILD), np.eye(2))
    control = with_weights(Schedule(np.ones(2), np.array([0.5, 0.2])), np.eye(2))
    (pair,) = metrics.pair_table(control, like=structured).to_dict("records")
    assert (pair["feature"], pair["other"]) == (0, 1)
    assert pair["joint_probability"] == pytest.approx(0.1)
    saes = with_encoder(control, np.eye(2), np.eye(2))
    (child,) = metrics.child_table(control, saes, like=structured).to_dict("records")
    assert (child["parent"], child["child"], child["absorption"]) == (0, 1, 0.0)


def test_a_hedging_latent_is_found():
    models = with_weights(Schedule(np.ones(2), np.array([0.5, 0.2]), CHILD), np.eye(2))
    hedging = with_encoder(models, np.eye(2), [[0.8, 0.6], [0, 1]])
    (row,) = metrics.child_table(models, hedging).to_dict("records")
    assert row["child_in_parent"] == pytest.approx(0.6, abs=1e-6)
    assert row["parent_in_child"] == pytest.approx(0.0, abs=1e-6)


def test_a_toy_model_is_summed_up_by_what_all_its_pairs_are():
    groups = [{"form": "together", "features": [0, 1]}, {"form": "together", "features": [2, 3]}]
    p = np.array([0.1, 0.05, 0.1, 0.05])
    tables = [
        metrics.pair_table(with_weights(Schedule(np.ones(4), p, groups), columns)).assign(case=name)
        for name, columns in {
            "alike": [(1, 0), (0, 1), (0, 1), (1, 0)],
            "mixed": [(1, 0), (0, 1), (0, 1), (0, 1)],
            "incomplete": [(1, 0), (0, 0.1), (0, 1), (1, 0)],
        }.items()
    ]
    summary = pair_summary(pd.concat(tables)).set_index("case")
    assert summary["arrangement"].to_dict() == {
        "alike": "orthogonal",
        "mixed": "mixed",
        "incomplete": "incomplete",
    }
    assert summary.loc["mixed", "least_cosine"] == pytest.approx(0.0)
    assert set(summary["probabilities"]) == {(0.1, 0.05)}
    assert [len(one) for one in by_probability(summary)] == [3]


def octahedron(turn):
    """Two sets of three orthogonal directions, the second turned about the diagonal."""
    axis = np.ones(3) / np.sqrt(3)
    cross = np.cross(np.eye(3), axis)
    rotation = np.eye(3) + np.sin(turn) * cross + (1 - np.cos(turn)) * cross @ cross
    return [*np.eye(3), *(-np.eye(3) @ rotation)]


def test_arrangements_of_sets_are_named_by_rule():
    groups = [{"form": "together", "features": [0, 1, 2]}, {"form": "together", "features": [3, 4, 5]}]
    schedule = Schedule(np.ones(6), np.full(6, 0.05), groups)
    line = 0.55 * np.array([1.0, 0, 0])
    for columns, name in (
        (octahedron(0.0), "antipodal bases"),
        (octahedron(0.6), "bases"),
        ([line] * 3 + [-line] * 3, "directions"),
        ([0.1 * line] * 3 + [-line] * 3, "incomplete"),
        ([*np.eye(3)[:2], 0.1 * line, *-np.eye(3)], "incomplete"),
        ([*np.eye(3)[:2], (1, 0, 0), *-np.eye(3)], "between"),
    ):
        (row,) = metrics.set_table(with_weights(schedule, columns)).to_dict("records")
        assert row["arrangement"] == name
    (row,) = metrics.set_table(with_weights(schedule, octahedron(0.0))).to_dict("records")
    assert (row["within"], row["across"]) == (pytest.approx(0.0), pytest.approx(1 / 3))


def test_names_of_sets_do_not_change_with_a_rotation_or_the_order_of_features():
    groups = [{"form": "together", "features": [0, 2, 4]}, {"form": "together", "features": [1, 3, 5]}]
    schedule = Schedule(np.ones(6), np.full(6, 0.05), groups)
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    columns = np.array(octahedron(0.0))[[0, 3, 1, 4, 2, 5]] @ turned
    (row,) = metrics.set_table(with_weights(schedule, columns)).to_dict("records")
    assert row["arrangement"] == "antipodal bases"


def test_sets_are_measured_at_every_recorded_step():
    schedule = Schedule(np.ones(4), np.full(4, 0.1), PAIRS)
    models = sa.train(schedule, n_hidden=2, seeds=3, steps=20, batch_size=16, record_steps=[0, 10, 20])
    table = metrics.set_table(models)
    assert table["step"].tolist() == [0, 0, 0, 10, 10, 10, 20, 20, 20]
    last = metrics.set_table(replace(models, history=None))
    assert last["within"].to_numpy() == pytest.approx(table["within"].to_numpy()[-3:])


def test_the_best_solution_reaches_itself():
    exclusive = [{"form": "exclusive", "features": [0, 1]}, {"form": "exclusive", "features": [2, 3]}]
    schedule = Schedule(np.ones(4), np.full(4, 0.3), exclusive)
    antipodal = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    crossed = [(1, 0), (0, 1), (-1, 0), (0, -1)]
    for columns, reaches in ((antipodal, True), (crossed, False)):
        table = pairs_beside_best(with_weights(schedule, columns))
        assert len(table) == 2
        assert set(table["best"]) == {"antipodal"}
        assert set(table["matched"]) == {"shared"}
        assert set(table["reaches"]) == {reaches}
    # p² / 3 for each of the two pairs that are active together, of 4 (p / 3 - p² / 4) in all.
    expected = 2 * 0.3**2 / 3 / (4 * (0.1 - 0.0225))
    assert table["excess"].to_numpy() == pytest.approx(expected, rel=1e-5)


def test_large_schedules_are_not_solved():
    groups = [{"form": "together", "features": list(range(10))}]
    table = pairs_beside_best(sa.random_dictionaries(Schedule(np.ones(10), np.full(10, 0.1), groups), 3, 1))
    assert table["best"].isna().all()
    assert table["excess"].isna().all()


def test_independent_features_are_refused():
    models = sa.random_dictionaries(Schedule(np.ones(2), np.full(2, 0.1)), 2, 1)
    with pytest.raises(ArgumentError, match="structure"):
        metrics.pair_table(models)
    with pytest.raises(ArgumentError, match="structure"):
        metrics.set_table(models)
    with pytest.raises(ArgumentError, match="like has 3 features: must be 2"):
        metrics.pair_table(models, like=sa.random_dictionaries(Schedule(np.ones(3), np.full(3, 0.1)), 2, 1))
    with pytest.raises(ArgumentError, match="structure"):
        metrics.child_table(models, with_encoder(models, np.eye(2), np.eye(2)))
