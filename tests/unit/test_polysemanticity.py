"""Polysemanticity: hand-made units whose features are known, invariances, and the figures drawn from them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from superposition_atlas import schedules
from superposition_atlas.cli.main import main
from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.draw import polysemanticity as figure
from superposition_atlas.figures.draw import sae_animation, sae_frames
from superposition_atlas.figures.parts import style
from superposition_atlas.metrics import polysemanticity
from superposition_atlas.metrics.features import feature_table
from superposition_atlas.metrics.polysemanticity import answered, latent_units, neuron_table, readings
from superposition_atlas.metrics.recovery import evaluate, latent_table, sae_table
from superposition_atlas.metrics.sae_history import history_table
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.toy_model import ToyModels
from superposition_atlas.training.train_toy_models import train

from .test_recovery import dictionary, polygon, toy_models

N_SAMPLES = 2**12
COUNTS = ["n_answered", "n_answered_02", "n_answered_05"]


def units_of(models: ToyModels, saes: SAEs, n_samples: int = N_SAMPLES) -> pd.DataFrame:
    return latent_units(evaluate(models, saes, n_samples))


def true_dictionary(W: np.ndarray) -> SAEs:
    """One latent a feature, silent unless it is there: cos 72° of a pentagon's arms stay below the bias."""
    n_instances, _, n_features = W.shape
    return dictionary(W.swapaxes(1, 2), b_enc=np.full((n_instances, n_features), -0.4))


def turned(W: np.ndarray, angle: float) -> np.ndarray:
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return rotation @ W


# --- known answers -----------------------------------------------------------------------------------------


def test_neurons_with_a_feature_each_answer_to_one() -> None:
    table = neuron_table(toy_models(np.eye(4)[None] * np.array([1.0, -0.8, 0.6, 1.2])), N_SAMPLES)
    assert (table[COUNTS] == 1).all(axis=None)
    np.testing.assert_allclose(table["selectivity"], 1.0)
    assert table["best_feature"].to_list() == [0, 1, 2, 3]
    # The negative one is read below its threshold. What is missed is weaker than all that was seen.
    np.testing.assert_array_equal(table["precision"], 1.0)
    assert (table["recall"] > 0.99).all()
    assert set(table["kind"]) == {"neuron"}


def test_neurons_of_a_pentagon_answer_to_several() -> None:
    W = polygon(5, turn=0.1)
    table = neuron_table(toy_models(W, 0.3), N_SAMPLES)
    assert (table["n_answered"] >= 4).all()
    assert (table["n_answered_05"] >= 3).all()
    assert (table["f1"] < 0.9).all()
    assert (table["f1"] > table["always_f1"]).all()
    np.testing.assert_allclose(table["always_f1"], 0.6 / 1.3)
    assert table["n_represented"].to_list() == [5, 5]
    assert table["n_hidden"].to_list() == [2, 2]


def test_latents_of_the_true_dictionary_answer_to_one() -> None:
    W = polygon(5)
    table = units_of(toy_models(W, 0.02), true_dictionary(W), 2**14)
    assert (table[COUNTS] == 1).all(axis=None)
    np.testing.assert_allclose(table["selectivity"], 1.0)
    assert table["best_feature"].to_list() == [0, 1, 2, 3, 4]
    assert (table["precision"] > 0.9).all()
    neurons = neuron_table(toy_models(W, 0.02), 2**14)
    assert (
        np.stack(table["feature_f1"]).max(axis=0).mean() > np.stack(neurons["feature_f1"]).max(axis=0).mean()
    )


def test_responses_of_neurons_are_the_weights_at_the_mean_magnitude() -> None:
    W = np.random.default_rng(3).normal(size=(2, 3, 6))
    table = neuron_table(toy_models(W), 64)
    np.testing.assert_allclose(np.stack(table["response"]), W.reshape(6, 6) * 0.5, rtol=1e-5, atol=1e-6)


def test_a_latent_that_is_always_on_answers_to_nothing() -> None:
    """Its activity says nothing of any feature, however large it is."""
    W = polygon(3)
    still = dictionary(np.zeros((1, 2, 2)), b_enc=np.array([[3.0, -3.0]]))
    table = units_of(toy_models(W, 0.3), still)
    assert (table[COUNTS] == 0).all(axis=None)
    assert table["selectivity"].isna().all()
    # Whatever is read off it is always said.
    np.testing.assert_allclose(table["recall"], 1.0)
    np.testing.assert_allclose(table["f1"], table["always_f1"], atol=0.05)


def test_centred_inputs_change_no_response() -> None:
    models = toy_models(polygon(5), 0.3)
    centred = replace(models, settings=replace(models.settings, centred_inputs=True))
    plain, moved = (np.stack(neuron_table(own, 64)["response"]) for own in (models, centred))
    np.testing.assert_allclose(plain, moved, atol=1e-6)


def test_features_that_are_not_represented_do_not_count() -> None:
    W = np.array([[[1.0, 0.4, 0.0], [0.0, 0.0, 0.3]]])
    table = neuron_table(toy_models(W), N_SAMPLES)
    assert table["n_answered"].to_list() == [1, 0]
    assert table["best_feature"].to_list() == [0, 0]
    table = neuron_table(toy_models(0.1 * W), N_SAMPLES)
    assert table["best_feature"].to_list() == [-1, -1]
    assert table[["f1", "precision", "recall", "always_f1", "selectivity"]].isna().all(axis=None)


# --- invariances -------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([0.1, 0.2, 0.5]), st.floats(0.01, 100.0))
def test_counts_do_not_depend_on_a_units_scale_or_sign(seed: int, share: float, scale: float) -> None:
    response = np.random.default_rng(seed).normal(size=(4, 6))
    there = np.ones(6, dtype=bool)
    np.testing.assert_array_equal(answered(response, there, share), answered(-scale * response, there, share))
    counts = [answered(response, there, own) for own in (0.1, 0.2, 0.5)]
    assert (counts[0] >= counts[1]).all()
    assert (counts[1] >= counts[2]).all()
    assert (counts[2] >= 1).all()


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_readings_are_the_best_that_thresholds_reach(seed: int) -> None:
    """Brute force over both sides and every threshold, where both halves are the same samples."""
    rng = np.random.default_rng(seed)
    half = rng.integers(-3, 4, size=(40, 2)).astype(float)
    active = rng.uniform(size=(40, 3)) < 0.3
    f1, precision, recall = readings(np.vstack([half, half]), np.vstack([active, active]))
    for unit in range(2):
        for feature in range(3):
            if not active[:, feature].any():
                assert np.isnan(f1[unit, feature])
                continue
            says = [side * half[:, unit] >= level for side in (1, -1) for level in range(-3, 4)]
            both = [(own & active[:, feature]).sum() for own in says]
            scores = [
                2 * hits / (own.sum() + active[:, feature].sum())
                for hits, own in zip(both, says, strict=True)
            ]
            assert f1[unit, feature] == pytest.approx(max(scores))
            p, r = precision[unit, feature], recall[unit, feature]
            assert f1[unit, feature] == pytest.approx(2 * p * r / (p + r) if p + r else 0.0)


def test_latents_do_not_depend_on_the_rotation_that_neurons_depend_on() -> None:
    W = polygon(5)
    plain, moved = (
        units_of(toy_models(own, 0.1), true_dictionary(own)) for own in (W, turned(W, 0.7).astype(np.float32))
    )
    np.testing.assert_allclose(np.stack(plain["response"]), np.stack(moved["response"]), atol=1e-5)
    neurons, others = (neuron_table(toy_models(own, 0.1), 64) for own in (W, turned(W, 0.7)))
    assert not np.allclose(np.stack(neurons["response"]), np.stack(others["response"]), atol=0.05)


def test_units_do_not_depend_on_what_else_is_measured() -> None:
    W = np.concatenate([polygon(5), polygon(5, turn=0.4)])
    models = toy_models(W)
    whole, part = neuron_table(models, 256), neuron_table(models.select(slice(1, 2)), 256)
    alone = whole[whole["seed"] == 1].reset_index(drop=True)
    for column in part.columns:
        one, other = (np.stack(list(table[column])) for table in (alone, part))
        np.testing.assert_array_equal(one, other)


# --- figures -----------------------------------------------------------------------------------------------

RECORDS = [0, 10, 20, 30, 45, 60]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small tables of trained models with resampled ReLU SAEs and others, as `recovery` writes them."""
    folder = tmp_path_factory.mktemp("tables")
    schedule = schedules.explicit(importance=np.ones(5), probability=np.full(5, 0.05))
    models = train(schedule, n_hidden=2, seeds=range(3), steps=300, batch_size=64, learning_rate=0.02)
    architectures: list[str] = ["topk", "pca"]
    common = {"n_latents": 5, "steps": 60, "batch_size": 32, "record_steps": RECORDS}
    # So sparse that latents die at once.
    resampled = {
        "resampling": "simple",
        "resample_every": 15,
        "dead_window": 5,
        "learning_rate": 0.05,
        "sparsity_coefficient": 1.0,
    }
    saes = {
        "relu": train_saes(models, **common, **resampled),
        **{name: train_saes(models, architecture=name, **common) for name in architectures},
    }
    parts: dict[str, list[pd.DataFrame]] = {
        "features": [feature_table(models)],
        "polysemanticity": [neuron_table(models, 256).assign(sae=None)],
    }
    for name, own in saes.items():
        evaluation = evaluate(models, own, 256)
        for table, rows in (
            ("saes", sae_table(evaluation)),
            ("latents", latent_table(evaluation)),
            ("history", history_table(evaluation)),
            ("polysemanticity", latent_units(evaluation)),
        ):
            parts.setdefault(table, []).append(rows.assign(sae=name))
    for table, frames in parts.items():
        joined = pd.concat(frames, ignore_index=True).assign(case="case1", shown=True)
        write_table(joined, folder / f"{table}.parquet", {"spec": {}, "code": "test"})
    return folder


def paths(folder: Path, *names: str) -> dict[str, Path]:
    return {name: folder / f"{name}.parquet" for name in names}


def test_the_matrices_show_a_cell_for_each_unit_and_feature(tables: Path) -> None:
    with style.applied():
        drawn = figure.draw(paths(tables, "features", "polysemanticity"), case="case1", sae="relu")
    cells = [
        mesh.get_array().size
        for axes in drawn.axes
        for mesh in axes.collections
        if axes.get_xlabel() == "feature"
    ]
    assert cells == [2 * 5, 5 * 5]


@pytest.mark.parametrize(("case", "sae"), [("case1", "missing"), ("missing", "relu")])
def test_unknown_cases_and_saes_are_named(tables: Path, case: str, sae: str) -> None:
    with pytest.raises(ArtefactError, match="missing"):
        figure.draw(paths(tables, "features", "polysemanticity"), case=case, sae=sae)


def test_frames_have_a_column_for_each_architecture(tables: Path) -> None:
    with style.applied():
        drawn = sae_frames.draw(paths(tables, "features", "latents", "saes"))
    assert [axes.get_title().splitlines()[0] for axes in drawn.axes] == ["relu", "topk", "pca"]


def test_the_level_shown_recovers_most() -> None:
    saes = pd.DataFrame(
        {
            "sae": ["a", "a", "b", "b"],
            "sparsity_coefficient": [0.1, 0.2, 0.1, 0.1],
            "k": 1,
            "recall_represented_alive": [0.5, 0.7, np.nan, np.nan],
        }
    )
    assert sae_frames.best_level(saes).to_list() == ["a", 0.2, 1]
    assert sae_frames.best_level(saes[saes["sae"] == "b"]).to_list() == ["b", 0.1, 1]


def command(tables: Path, *output: Path, module: str = "sae_animation") -> int:
    inputs = {name: str(path) for name, path in paths(tables, "features", "history").items()}
    spec = json.dumps({"module": module, "inputs": inputs, "options": {"sae": "relu"}})
    return main(["figure", "--spec", spec, "--output", *map(str, output)])


def test_the_animation_has_a_frame_for_each_recorded_step(tables: Path, tmp_path: Path) -> None:
    for name in ("once", "again"):
        assert command(tables, tmp_path / f"{name}.gif") == 0
    assert (tmp_path / "once.gif").read_bytes() == (tmp_path / "again.gif").read_bytes()
    with Image.open(tmp_path / "once.gif") as image:
        assert image.n_frames == len(RECORDS)
        durations = []
        for k in range(len(RECORDS)):
            image.seek(k)
            durations.append(image.info["duration"])
    assert len(set(durations[:-1])) == 1
    assert durations[-1] > durations[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.gif", "once.gif"]


def test_the_animation_flashes_where_latents_were_resampled(tables: Path) -> None:
    history = read_table(tables / "history.parquet").query("sae == 'relu'")
    assert history["resampled"].any()
    with style.applied():
        scene = sae_animation._Scene(paths(tables, "features", "history"), "relu")
        for step in RECORDS:
            scene.show(step)
            flashes = sum(
                len(line.get_xdata())
                for line in scene.moving
                if line.get_markersize() > 10 and line.get_marker() == "o"
            )
            assert flashes == history.loc[history["step"] == step, "resampled"].sum()


def test_the_still_picture_is_the_last_frame(tables: Path, tmp_path: Path) -> None:
    assert command(tables, tmp_path / "figure.svg", tmp_path / "figure.gif") == 0
    with style.applied():
        still = sae_animation.draw(paths(tables, "features", "history"), sae="relu")
        *_, last = sae_animation.frames(paths(tables, "features", "history"), sae="relu")
        for name, own in (("still", still), ("last", last)):
            style.save(own, tmp_path / f"{name}.png", {})
    assert (tmp_path / "still.png").read_bytes() == (tmp_path / "last.png").read_bytes()


def test_still_pictures_make_no_gif(tables: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tables, tmp_path / "figure.gif", module="sae_training") == 1
    assert "error: --output" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_share_is_a_column() -> None:
    assert list(polysemanticity.ANSWERING_SHARES) == COUNTS
