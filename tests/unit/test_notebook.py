"""The objects in a notebook: what completes, what they show, indices, frames, torch, files."""

import pydoc
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import superposition_atlas as sa
from superposition_atlas import schedules
from superposition_atlas.backends.progress import progress_bar
from superposition_atlas.errors import ArgumentError, ArtefactError
from superposition_atlas.metrics.features import feature_table, model_table
from superposition_atlas.metrics.recovery import evaluate, latent_table, recovered_features, sae_table
from superposition_atlas.storage.interchange import write_toy_model
from superposition_atlas.toy_model import TENSORS, ToyModels

TINY: dict[str, Any] = {"steps": 4, "batch_size": 8, "engine": "torch"}
SCHEDULE = schedules.geometric(5, 1.0, 0.02, importance=0.9)


@pytest.fixture(scope="module")
def models() -> ToyModels:
    return sa.train(SCHEDULE, 2, 6, record_steps=[0, 4], device="cpu", **TINY)


@pytest.fixture(scope="module")
def saes(models: ToyModels) -> sa.SAEs:
    return sa.train_saes(models, n_latents=4, sparsity_coefficient=[0.1, 0.2], record_steps=[0, 4], **TINY)


# --- the package -------------------------------------------------------------------------------------------


def test_what_completes_is_what_there_is() -> None:
    assert set(dir(sa)) == set(sa.__all__)
    for name in dir(sa):
        assert getattr(sa, name) is not None
    assert {"train", "Schedule", "ToyModels", "SAEs", "Minimum", "Prediction", "save", "load"} <= set(dir(sa))
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = sa.trian


def test_help_is_a_page_that_names_every_function() -> None:
    page = pydoc.plain(pydoc.render_doc(sa))
    description = page.partition("PACKAGE CONTENTS")[0]
    for name in set(sa.__all__) - {"__version__", "errors", "AtlasError"}:
        assert name in description, name


def test_public_things_have_docstrings() -> None:
    for name in set(sa.__all__) - {"__version__"}:
        assert (getattr(sa, name).__doc__ or "").strip(), name


# --- reprs -------------------------------------------------------------------------------------------------


def test_reprs_are_short_and_html_is_escaped(models: ToyModels, saes: sa.SAEs) -> None:
    found = [
        models,
        saes,
        SCHEDULE,
        schedules.linear(80, 0.9, 0.1, importance=0.9),
        models.settings,
        saes.settings,
        sa.predict(SCHEDULE, n_hidden=2),
        sa.best_solutions([1.0, 1.0], [0.5, 0.2], 1, n_starts=0)[0],
    ]
    for shown in found:
        assert len(repr(shown)) < 200
        assert "\n" not in repr(shown)
        assert repr(shown).startswith(type(shown).__name__)
        page = shown._repr_html_()
        assert page.startswith("<table>")
        assert page.count("<tr>") == page.count("</tr>") > 0
    assert repr(models).startswith("ToyModels(6 toy models, features 5, hidden 2, steps 4, loss ")
    assert repr(models[2]).startswith("ToyModels(1 toy model, ")
    assert repr(models.settings) == "TrainingSettings(steps=4, batch_size=8, record_steps=(0, 4))"
    assert repr(SCHEDULE).startswith("Schedule(5 features, importance [1, 0.9, 0.81, 0.729, 0.6561], prob")
    evil = sa.import_toy_model(np.eye(2), probability=0.5, layout="hidden_feature", engine="<script>")
    assert "<script>" not in evil._repr_html_()


def test_results_of_the_theory_have_the_same_names() -> None:
    schedule = schedules.explicit([1.0, 1.0, 0.01], [0.5, 0.5, 0.5])
    for result in (sa.predict(schedule, n_hidden=2), sa.best_solutions(schedule, n_hidden=2, n_starts=0)[0]):
        assert result.kept == (0, 1)
        assert str(result.structure).startswith("dedicated")
        assert 0 < result.loss < 0.001


# --- indices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("index", "wanted"),
    [
        (3, [3]),
        (-1, [5]),
        (np.int64(2), [2]),
        (slice(1, 4), [1, 2, 3]),
        (slice(None, None, -2), [5, 3, 1]),
        ([4, 0, 4], [4, 0, 4]),
        (np.array([True, False, False, False, False, True]), [0, 5]),
        (pd.Series([1, 2]), [1, 2]),
        (range(2), [0, 1]),
        ([], []),
    ],
)
def test_an_index_gives_a_smaller_ensemble(
    models: ToyModels, saes: sa.SAEs, index: Any, wanted: list[int]
) -> None:
    chosen = models[index]
    assert len(chosen) == len(wanted)
    for name in TENSORS:
        np.testing.assert_array_equal(getattr(chosen, name), getattr(models, name)[wanted])
    assert chosen.history is not None
    assert models.history is not None
    np.testing.assert_array_equal(chosen.history.W, models.history.W[:, wanted])

    of_saes = saes[:6][index]
    np.testing.assert_array_equal(of_saes.W_enc, saes.W_enc[wanted])
    np.testing.assert_array_equal(of_saes.toy_model, saes.toy_model[wanted])
    np.testing.assert_array_equal(of_saes.history["W_dec"], saes.history["W_dec"][:, wanted])
    assert of_saes.resampled.shape[1] == len(wanted)


def test_iteration_goes_over_ensembles_of_one(models: ToyModels) -> None:
    ones = list(models)
    assert [len(one) for one in ones] == [1] * 6
    np.testing.assert_array_equal(np.concatenate([one.W for one in ones]), models.W)


def test_ensembles_are_no_arrays(models: ToyModels) -> None:
    with pytest.raises(TypeError, match="take one of their arrays"):
        np.asarray(models)


# --- frames ------------------------------------------------------------------------------------------------


def test_frames_have_the_columns_of_the_pipelines_tables(models: ToyModels) -> None:
    pd.testing.assert_frame_equal(models.to_frame("models"), model_table(models))
    pd.testing.assert_frame_equal(models.to_frame("features"), feature_table(models))
    both = models.to_frame()
    assert len(both) == 6 * 5
    assert set(both) == {"instance", *model_table(models), *feature_table(models)}
    assert not both.columns.duplicated().any()
    own = both[both["instance"] == 4]
    assert (own["loss"] == models.loss[4]).all()
    np.testing.assert_array_equal(own["norm"], np.linalg.norm(models.W[4].astype(np.float64), axis=0))


def test_evaluate_is_the_pipelines_tables(models: ToyModels, saes: sa.SAEs) -> None:
    found, direct = sa.evaluate(models, saes, 64), evaluate(models, saes, 64)
    for frame, table in (
        (found.saes, sae_table),
        (found.latents, latent_table),
        (found.features, recovered_features),
    ):
        pd.testing.assert_frame_equal(frame, table(direct))
    part = sa.evaluate(models, saes[7:9], 64).saes
    np.testing.assert_array_equal(part["fvu"], found.saes["fvu"][7:9])


# --- SAEs --------------------------------------------------------------------------------------------------


def test_saes_encode_decode_and_reconstruct(models: ToyModels, saes: sa.SAEs) -> None:
    h = models.encode(models.sample(0, 9))[saes.toy_model]
    a = saes.encode(h)
    z = np.einsum("kbm,kml->kbl", h - saes.b_dec[:, None], saes.W_enc) + saes.b_enc[:, None]
    np.testing.assert_allclose(a, np.maximum(z, 0), rtol=0, atol=1e-6)
    reconstruction = np.einsum("kbl,klm->kbm", a, saes.W_dec) + saes.b_dec[:, None]
    np.testing.assert_allclose(saes.decode(a), reconstruction, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(saes.reconstruct(h), saes.decode(a))
    np.testing.assert_allclose(saes[3].encode(h[3]), a[3:4], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(saes.encode(h[0]), saes.encode(np.broadcast_to(h[0], h.shape)))
    with pytest.raises(ArgumentError, match=r"h has 6 instances: must have 1 or 12 \(h\[saes\.toy_model\]"):
        saes.encode(h[:6])


def test_dead_latents_of_relu_are_resampled_unless_told_otherwise(models: ToyModels) -> None:
    assert sa.train_saes(models[0], n_latents=2, **TINY).settings.resampling == "simple"
    assert sa.train_saes(models[0], n_latents=2, architecture="topk", **TINY).settings.resampling == "none"
    assert sa.SAESettings(n_latents=2).resampling == "simple"


# --- files -------------------------------------------------------------------------------------------------


def test_what_is_saved_comes_back(models: ToyModels, saes: sa.SAEs, tmp_path: Path) -> None:
    sa.save(models, tmp_path / "new" / "models.safetensors")
    back = sa.load(str(tmp_path / "new" / "models.safetensors"))
    assert isinstance(back, ToyModels)
    for name in TENSORS:
        np.testing.assert_array_equal(getattr(back, name), getattr(models, name))
    assert (back.settings, back.engine) == (models.settings, models.engine)
    sa.save(saes[2:5], str(tmp_path / "saes.safetensors"))
    some = sa.load(tmp_path / "saes.safetensors")
    assert isinstance(some, sa.SAEs)
    for name, array in some.parameters.items():
        np.testing.assert_array_equal(array, saes.parameters[name][2:5])
    np.testing.assert_array_equal(some.toy_model, saes.toy_model[2:5])
    sa.save(back, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (
        tmp_path / "new" / "models.safetensors"
    ).read_bytes()
    write_toy_model(models, 1, tmp_path / "one.safetensors")
    np.testing.assert_array_equal(sa.load(tmp_path / "one.safetensors").W, models.W[1:2])


def test_what_can_not_be_loaded_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no such file"):
        sa.load(tmp_path / "nothing.safetensors")
    with pytest.raises(ArtefactError, match="got a folder, allowed is a file"):
        sa.load(tmp_path)
    (tmp_path / "text.safetensors").write_text("text")
    with pytest.raises(ArtefactError, match="not a safetensors file"):
        sa.load(tmp_path / "text.safetensors")
    with pytest.raises(ArgumentError, match=r"must end in \.safetensors"):
        sa.save(sa.random_dictionaries(SCHEDULE, 2, 1), tmp_path / "models.pt")


# --- schedules ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "n_features"),
    [
        ({"family": "geometric", "first": 1.0, "last": 0.02}, 5),
        ({"family": "geometric", "first": 1.0, "ratio": 0.5}, 5),
        ({"family": "linear", "first": 0.9, "last": 0.1}, 5),
        ({"family": "constant", "value": 0.3}, 5),
        ({"family": "zipf", "first": 0.9, "exponent": 1.5}, 5),
        ({"family": "random_uniform", "low": 0.1, "high": 0.9, "seed": 3}, 5),
        ({"family": "log_uniform", "low": 0.1, "high": 0.9, "seed": 3}, 5),
        ({"family": "explicit", "values": [0.1, 0.2, 0.3]}, 3),
        ({"family": "permutation", "of": {"family": "linear", "first": 0.9, "last": 0.1}, "seed": 1}, 4),
        (
            {
                "family": "permutation",
                "of": {"family": "linear", "first": 0.9, "last": 0.1},
                "order": "reversed",
            },
            4,
        ),
        ({"family": "mean", "of": {"family": "linear", "first": 0.9, "last": 0.2}}, 4),
        (
            {"family": "per_instance", "of": {"family": "geometric", "first": 0.9, "last": 0.1}, "count": 3},
            4,
        ),
    ],
)
def test_every_family_is_a_function_of_the_same_name_and_arguments(
    spec: dict[str, Any], n_features: int
) -> None:
    keys = {key: value for key, value in spec.items() if key != "family"}
    if spec["family"] != "explicit":
        keys["n_features"] = n_features
    made = getattr(schedules, spec["family"])(
        **keys, importance={"family": "zipf", "first": 1, "exponent": 1}
    )
    wanted = schedules.values(spec, n_features)
    np.testing.assert_array_equal(np.atleast_2d(made.probability), wanted)
    np.testing.assert_allclose(made.importance, 1 / np.arange(1, n_features + 1))


def test_no_family_is_without_its_function() -> None:
    assert all(callable(getattr(schedules, name)) for name in schedules.FAMILIES)


def test_a_permutation_of_a_schedule_moves_its_probabilities_alone(models: ToyModels) -> None:
    turned = schedules.permutation(SCHEDULE, "reversed")
    np.testing.assert_array_equal(turned.probability, SCHEDULE.probability[::-1])
    np.testing.assert_array_equal(turned.importance, SCHEDULE.importance)
    assert schedules.permutation(turned, [4, 3, 2, 1, 0]) == SCHEDULE
    assert schedules.permutation(models, "reversed") == turned
    levelled = schedules.mean(models, importance=1.0)
    np.testing.assert_allclose(levelled.probability, SCHEDULE.probability.mean())
    assert levelled != SCHEDULE


# --- progress ----------------------------------------------------------------------------------------------


def test_a_bar_is_shown_in_a_notebook_and_on_no_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress_bar(2, "x", None).disable
    assert not progress_bar(2, "x", True).disable
    kernel = type("ZMQInteractiveShell", (), {})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=kernel))
    assert not progress_bar(2, "x", None).disable
    assert progress_bar(2, "x", False).disable
