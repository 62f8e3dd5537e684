"""Neurons: what each represents, which toy model is kept, the asymmetric motif, and their sections."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import superposition_atlas as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas import config
from superposition_atlas.errors import ArgumentError, ConfigError
from superposition_atlas.figures import catalogue
from superposition_atlas.metrics.motifs import motif_table
from superposition_atlas.metrics.neurons import best_kept, neuron_tables
from superposition_atlas.report.papers.neuron_sections import _best_of_groups
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table, table_provenance, write_table
from superposition_atlas.toy_model import ToyModels, TrainingSettings

from .map_chain import run
from .test_tms import paper_of, verdict_on

ABSOLUTE = TrainingSettings(
    hidden="relu", output_weights="untied", target="absolute", magnitudes="signed_uniform"
)
PRIVILEGED = TrainingSettings(hidden="relu")


def by_hand(W: Any, W_out: Any = None, own: TrainingSettings = PRIVILEGED, p: float = 0.3) -> ToyModels:
    """Toy models of these weights, [instance, hidden, feature] or of one."""
    W = np.asarray(W, dtype=np.float32)
    W = W if W.ndim == 3 else W[None]
    n, _, n_features = W.shape
    if W_out is not None:
        W_out = np.asarray(W_out, dtype=np.float32).reshape(W.shape)
    rows = np.ones((n, n_features))
    return ToyModels(
        W=W, b=np.zeros((n, n_features), np.float32), loss=np.zeros(n), seeds=np.arange(n, dtype=np.uint64),
        importance=rows, probability=p * rows, settings=own, engine="by hand", W_out=W_out,
    )  # fmt: skip


def test_a_neuron_each_is_monosemantic_and_exact() -> None:
    models, neurons, features = neuron_tables(by_hand(np.eye(4)))
    assert models.loc[0, ["n_neurons", "n_monosemantic", "n_computed"]].tolist() == [4, 4, 4]
    assert models.loc[0, "held_out_loss"] == pytest.approx(0, abs=1e-12)
    assert models.loc[0, "monosemantic_by_chance"] < 0.5
    assert neurons["best_feature"].tolist() == [0, 1, 2, 3]
    assert neurons["n_features"].tolist() == [1] * 4
    np.testing.assert_allclose(features["gain_positive"], 1)
    assert features["gain_negative"].isna().all()
    assert features["n_positive"].tolist() == [1] * 4


def test_two_neurons_a_feature_compute_the_absolute_value() -> None:
    eye = np.eye(3)
    models, _, features = neuron_tables(
        by_hand(np.concatenate([eye, -eye]), np.concatenate([eye, eye]), ABSOLUTE)
    )
    assert models.loc[0, ["n_neurons", "n_monosemantic", "n_computed"]].tolist() == [6, 6, 3]
    np.testing.assert_allclose(features[["gain_positive", "gain_negative", "largest_share"]], 1)
    assert (features[["n_positive", "n_negative"]] == 1).all(axis=None)
    np.testing.assert_allclose(features["unexplained"], 0, atol=1e-12)
    # One side alone leaves half of the square, and more of the variance.
    one_side = neuron_tables(by_hand(eye, eye, ABSOLUTE))[2]
    np.testing.assert_allclose(one_side["gain_negative"], 0)
    assert (one_side["unexplained"] > 0.5).all()


def test_shares_of_a_neuron() -> None:
    own = by_hand([[1.0, 0.8, 0.4, 0.0], [0.0, 0.1, 0.0, 0.2]])
    models, neurons, _ = neuron_tables(own)
    assert neurons.loc[0, ["n_features", "n_features_02", "n_features_05"]].tolist() == [3, 2, 2]
    assert neurons.loc[0, "monosemanticity"] == pytest.approx(1 / 1.8, rel=1e-6)
    assert np.isnan(neurons.loc[1, "monosemanticity"])
    assert neurons.loc[1, "best_feature"] == -1
    assert models.loc[0, ["n_neurons", "n_monosemantic"]].tolist() == [1, 0]


@given(seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_the_order_of_neurons_does_not_count(seed: int) -> None:
    random = np.random.default_rng(seed)
    W, W_out = random.normal(size=(2, 6, 4))
    order = random.permutation(6)
    plain, turned = (
        neuron_tables(by_hand(a, b, ABSOLUTE), 500) for a, b in ((W, W_out), (W[order], W_out[order]))
    )
    columns = ["n_neurons", "n_monosemantic", "n_computed"]
    pd.testing.assert_frame_equal(plain[0][columns], turned[0][columns])
    pd.testing.assert_frame_equal(plain[2], turned[2])
    np.testing.assert_array_equal(plain[1]["n_features"].to_numpy()[order], turned[1]["n_features"])


def test_the_best_is_kept_of_each_schedule() -> None:
    assert best_kept(["a", "b", "a", "b"], np.array([2.0, 1.0, 1.0, 1.0])).tolist() == [
        False,
        True,
        True,
        False,
    ]
    W = np.stack([np.eye(3), 0.5 * np.eye(3), np.eye(3)])
    own = by_hand(W)
    own = replace(own, probability=np.array([[0.3] * 3, [0.3] * 3, [0.1] * 3]))
    assert neuron_tables(own)[0]["kept"].tolist() == [True, False, True]


def test_held_out_losses_are_of_the_same_samples_for_all() -> None:
    losses = neuron_tables(by_hand(np.stack([0.7 * np.eye(3)] * 3)))[0]["held_out_loss"]
    assert (losses == losses[0]).all()
    # E (x - y)² = (1 - .49)² p / 3.
    assert losses[0] == pytest.approx(0.51**2 * 0.1, rel=0.03)


MOTIF_W = [[2.0, 0.5], [1.0, 0.0]]


def test_the_asymmetric_motif_and_its_inhibition() -> None:
    table = motif_table(by_hand(MOTIF_W, [[0.5, 2.0], [0.0, -3.0]], ABSOLUTE))
    (row,) = table.to_dict("records")
    assert (row["a"], row["b"], row["neuron"]) == (0, 1, 0)
    assert row["input_ratio"] == row["output_ratio"] == row["disturbance"] == 4
    assert row["asymmetric"]
    assert row["asymmetric_by_chance"] == 0.5
    assert row["inhibition"] == 0.75
    assert row["inhibited"]
    assert row["inhibited_by_chance"] == 1  # there is one other neuron only
    alone = motif_table(by_hand(MOTIF_W, [[0.5, 2.0], [0.0, 3.0]], ABSOLUTE))
    assert alone["inhibition"].tolist() == [0]
    assert not alone["inhibited"].any()


def test_what_is_no_motif() -> None:
    even = motif_table(by_hand([[1.0, 0.9], [0, 0]], [[1.0, 0.9], [0, 0]], ABSOLUTE))
    assert even["asymmetric"].tolist() == [False]
    assert even["asymmetric_by_chance"].tolist() == [0]
    uncompensated = motif_table(by_hand([[2.0, 0.5]], [[2.0, 0.5]], ABSOLUTE))
    assert uncompensated["asymmetric"].tolist() == [False]
    assert uncompensated["asymmetric_by_chance"].tolist() == [0.5]
    # The other neuron answers to the other side of a, and inhibits nothing there.
    other_side = motif_table(by_hand([[2.0, 0.5], [-1.0, 0.0]], [[0.5, 2.0], [0.0, -3.0]], ABSOLUTE))
    assert other_side["inhibition"].tolist() == [0]
    assert not len(motif_table(by_hand(np.eye(2), np.eye(2), ABSOLUTE)))


def test_other_toy_models_are_refused() -> None:
    plain = sa.train(sa.Schedule(np.ones(3), np.full(3, 0.1)), 2, 1, steps=0)
    with pytest.raises(
        ArgumentError, match="hidden of the toy models is 'linear': must be 'relu' for neurons"
    ):
        neuron_tables(plain)
    with pytest.raises(
        ArgumentError, match="output_weights of the toy models is 'tied': must be 'untied' for"
    ):
        motif_table(by_hand(np.eye(2)))
    raw = {"n_features": 3, "n_hidden": 2, "section": "privileged_basis", "cases": {"only": {}}}
    said = r"experiments\.one\.section: got 'privileged_basis', .* hidden linear in case only"
    with pytest.raises(ConfigError, match=said):
        config.load({"experiments": {"one": raw}})


# --- their sections of the paper ----------------------------------------------------------------------------

TINY = {"steps": 400, "batch_size": 64, "learning_rate": 0.02}
CASES = {
    "dense": {"title": "p = 0.9", "probability": {"family": "constant", "value": 0.9}},
    "rare": {"title": "p = 0.05", "probability": {"family": "constant", "value": 0.05}},
}
COMPUTES = {
    "hidden": "relu",
    "output_weights": "untied",
    "target": "absolute",
    "magnitudes": "signed_uniform",
}
SPEC: dict[str, Any] = {
    "experiments": {
        "privileged": {
            "section": "privileged_basis", "n_features": 5, "n_hidden": 3, "seeds": 24, "cases": CASES,
            "training": TINY | {"hidden": "relu"}, "figures": False,
        },
        "enough": {
            "section": "absolute_value", "n_features": 2, "n_hidden": 4, "seeds": 24, "cases": CASES,
            "training": TINY | COMPUTES, "figures": False,
        },
        "few": {
            "section": "absolute_value", "n_features": 8, "n_hidden": 5, "seeds": 6, "cases": CASES,
            "training": TINY | COMPUTES, "figures": False,
        },
    }
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("neurons")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        loaded = config.load(SPEC)
        for name, experiment in loaded.experiments.items():
            run(
                "schedules",
                "--experiment",
                name,
                "--spec",
                json.dumps(SPEC),
                "--output",
                layout.schedules(name),
            )
            for case in experiment.cases:
                models = layout.models(name, case)
                run("train", "--schedules", layout.schedules(name), "--case", case, "--output", models)
                tables = {"models": "neuron_models", "neurons": "neurons", "features": "neuron_features"}
                outputs = [
                    word
                    for key, table in tables.items()
                    for word in (f"--output-{key}", layout.case_table(name, case, table))
                ]
                run("neurons", "--models", models, "--case", case, *outputs)
                if experiment.section == "absolute_value":
                    motifs = layout.case_table(name, case, "motifs")
                    run("motifs", "--models", models, "--case", case, "--output", motifs)
            for table in config.sections.TABLES[experiment.section]:
                parts = [layout.case_table(name, case, table) for case in experiment.cases]
                run("collect", "--tables", *parts, "--output", layout.experiment_table(name, table))
        for figure in filter(lambda own: own.section, catalogue.figures(loaded)):
            spec = {"module": figure.module, "inputs": figure.inputs, "options": figure.options}
            run("figure", "--spec", json.dumps(spec), "--output", layout.figure(figure.name, "svg"))
    return folder


def change(path: str, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    provenance = table_provenance(Path(path))
    write_table(edit(read_table(Path(path))), Path(path), provenance)


def test_statements_follow_from_the_tables(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built)
    path = layout.experiment_table("privileged", "neuron_models")
    for dense, rare, wanted in ((3, 0, "supported"), (0, 3, "contradicted")):

        def edit(table: pd.DataFrame, dense: int = dense, rare: int = rare) -> pd.DataFrame:
            return table.assign(n_neurons=3, n_monosemantic=np.where(table["case"] == "dense", dense, rare))

        change(path, edit)
        found = paper_of(SPEC)
        assert verdict_on(found, "Dense features get a neuron each") == wanted
        assert verdict_on(found, "Rare features share neurons") == wanted


def test_groups_keep_the_lowest_loss_of_their_seeds() -> None:
    rows = pd.DataFrame({"case": ["a"] * 40, "seed": range(40), "held_out_loss": np.arange(40)[::-1] / 40})
    assert _best_of_groups(rows)["seed"].tolist() == list(range(1, 40, 2))
    few = rows[rows["seed"] < 5]
    assert _best_of_groups(few)["seed"].tolist() == list(range(5))
