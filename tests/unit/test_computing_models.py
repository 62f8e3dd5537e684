"""Toy models with neurons, untied output weights, or |x| as target: trained, kept, refused elsewhere."""

import numpy as np
import pytest
import superposition_atlas as sa
import torch
from superposition_atlas.config import load
from superposition_atlas.errors import ArgumentError, AtlasError, ConfigError
from superposition_atlas.joined_models import joined, no_models
from superposition_atlas.metrics.polysemanticity import neuron_table
from superposition_atlas.plan.targets import figures_by_name
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.storage.tensors import read_tensors, write_tensors
from superposition_atlas.toy_model import TrainingSettings, initial_weights
from superposition_atlas.training import train_toy_models as training
from superposition_atlas.training.fused.fused_engine import FusedEngine
from superposition_atlas.training.torch_engine import TorchEngine

from .config_samples import changed
from .test_training import assert_same_bits, problem, trained

ABSOLUTE = {
    "hidden": "relu", "output_weights": "untied", "target": "absolute", "magnitudes": "signed_uniform",
}  # fmt: skip
SCHEDULE = sa.Schedule(0.8 ** np.arange(5), np.array([0.9, 0.5, 0.3, 0.2, 0.05]))
SHORT = {"steps": 40, "batch_size": 100, "progress": False}


@pytest.fixture(scope="module")
def models():
    return sa.train(SCHEDULE, 3, 4, record_steps=[0, 20, 40], **SHORT, **ABSOLUTE)


def every_array(models):
    own = [models.W, models.W_out, models.b, models.loss]
    return [*own, models.history.W, models.history.W_out, models.history.b, models.history.feature_loss]


def test_the_model_is_the_formula(models):
    x = models.sample(3, 20)
    for k in range(len(models)):
        for sample_ in range(20):
            h = np.maximum(models.W[k] @ x[k, sample_], 0)
            y = np.maximum(models.W_out[k].T @ h + models.b[k], 0)
            np.testing.assert_allclose(models.encode(x)[k, sample_], h, atol=1e-6)
            np.testing.assert_allclose(models.reconstruct(x)[k, sample_], y, atol=1e-6)


def test_inputs_have_both_signs_and_the_empty_sample_is_one_without_active_features(models):
    x = models.sample(0, 20_000)
    active = x != 0
    np.testing.assert_allclose(active.mean((0, 1)), SCHEDULE.probability, atol=0.01)
    assert abs((x[active] > 0).mean() - 0.5) < 0.01


def test_the_first_weights_of_w_are_those_of_a_tied_model(models):
    tied = initial_weights(models.seeds, 5, 3, "xavier")
    np.testing.assert_array_equal(models.history.W[0], tied)
    outputs = models.history.W_out[0]
    assert abs(np.corrcoef(outputs.ravel(), tied.ravel())[0, 1]) < 0.5
    both = initial_weights(range(200), 7, 4, 0.3, 2)
    assert both.shape == (200, 8, 7)
    np.testing.assert_allclose(both[:, :4].std(), both[:, 4:].std(), rtol=0.03)
    unit = initial_weights(range(3), 7, 4, "unit", 2)
    np.testing.assert_allclose(np.linalg.norm(unit[:, 4:], axis=1), 1, rtol=1e-6)


def test_a_tied_model_is_not_changed_by_what_it_does_not_have():
    plain, said = (
        sa.train(SCHEDULE, 3, 2, **SHORT, **more)
        for more in ({}, {"hidden": "linear", "output_weights": "tied", "target": "inputs"})
    )
    np.testing.assert_array_equal(plain.W, said.W)
    assert plain.W_out is None
    assert plain.settings == said.settings
    # |x| is x where no input is below 0.
    same = sa.train(SCHEDULE, 3, 2, **SHORT, target="absolute")
    np.testing.assert_array_equal(plain.W, same.W)


@pytest.mark.parametrize("shape", [(5, 2), (13, 29), (40, 17)], ids=str)
@pytest.mark.parametrize("p", [None, 0.02])
def test_engines_stay_together_for_100_steps(shape, p):
    of = problem(*shape, probability=p, batch_size=200, **ABSOLUTE)
    fused, fused_loss = trained(FusedEngine(2), of, 40, 60)
    reference, reference_loss = trained(TorchEngine("cpu", 2), of, 40, 60)
    np.testing.assert_allclose(fused.weights.W, reference.weights.W, atol=2e-5)
    np.testing.assert_allclose(fused.weights.b, reference.weights.b, atol=2e-5)
    np.testing.assert_allclose(fused_loss, reference_loss, rtol=1e-5)


@pytest.mark.parametrize("engine", [FusedEngine(2), TorchEngine("cpu", 2)], ids=lambda engine: engine.name)
def test_pausing_changes_no_bit(engine):
    of = problem(9, 5, batch_size=100, **ABSOLUTE)
    assert_same_bits(trained(engine, of, 40)[0], trained(engine, of, 1, 22, 10, 7)[0])


@pytest.mark.parametrize("engine", ["fused", "torch"])
def test_bits_do_not_depend_on_batching_order_or_threads(engine):
    of = problem(9, 5, n_instances=5)
    rarity = np.array([1.0, 0.01, 1.0, 0.01, 0.002])[:, None]
    schedule = sa.Schedule(of.importance, of.probability * rarity)

    def weights(rows, threads):
        part = sa.Schedule(schedule.importance[rows], schedule.probability[rows])
        own = sa.train(part, 5, of.seeds[rows], engine=engine, threads=threads, **SHORT, **ABSOLUTE)
        flat = [array.reshape(len(own), -1) for array in (own.W, own.W_out, own.b, own.loss)]
        return np.concatenate(flat, axis=1)

    together = weights(np.arange(5), 2)
    np.testing.assert_array_equal(together, weights(np.arange(5), 1))
    np.testing.assert_array_equal(together, weights(np.arange(5)[::-1], 3)[::-1])
    np.testing.assert_array_equal(together, np.concatenate([weights(np.array([row]), 2) for row in range(5)]))


def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path, monkeypatch, models):
    path, advance = tmp_path / "one.safetensors", FusedEngine.advance

    class Killed(BaseException):
        pass

    def die(engine, state, n_steps, of):
        if state.step >= 20:
            raise Killed
        advance(engine, state, n_steps, of)

    monkeypatch.setattr(FusedEngine, "advance", die)
    arguments = {
        "record_steps": [0, 20, 40],
        "checkpoint": path,
        "checkpoint_seconds": 0,
        **SHORT,
        **ABSOLUTE,
    }
    with pytest.raises(Killed):
        sa.train(SCHEDULE, 3, 4, **arguments)
    monkeypatch.setattr(FusedEngine, "advance", advance)
    for array, other in zip(
        every_array(sa.train(SCHEDULE, 3, 4, **arguments)), every_array(models), strict=True
    ):
        np.testing.assert_array_equal(array, other)


def test_training_goes_towards_the_absolute_value():
    own = sa.train(
        sa.Schedule(np.ones(2), np.full(2, 0.3)), 4, 4, steps=3000, learning_rate=3e-3, batch_size=256,
        progress=False, **ABSOLUTE,
    )  # fmt: skip
    x = np.array([[[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [0.0, -0.5]]], dtype=np.float32)
    best = own.select(int(own.loss.argmin()))
    np.testing.assert_allclose(best.reconstruct(x)[0], np.abs(x[0]), atol=0.1)


# --- ensembles and files ------------------------------------------------------------------------------------


def test_some_of_them_keep_both_matrices(models):
    some = models[[2, 0]]
    np.testing.assert_array_equal(some.W_out, models.W_out[[2, 0]])
    np.testing.assert_array_equal(some.history.W_out, models.history.W_out[:, [2, 0]])
    both = joined([models[:1], no_models(5, 3, models.settings, models.engine), models[1:]])
    for array, other in zip(every_array(both), every_array(models), strict=True):
        np.testing.assert_array_equal(array, other)
    assert no_models(5, 3, models.settings, "any").W_out.shape == (0, 3, 5)


def test_the_repr_says_what_is_special(models):
    assert "with hidden relu, output_weights untied, target absolute" in repr(models)
    assert "with" not in repr(sa.train(SCHEDULE, 2, 1, steps=0))


def test_the_torch_module_computes_the_same(models):
    module, x = models.to_torch(), models.sample(1, 30)
    assert {name for name, _ in module.named_parameters()} == {"W", "b", "W_out"}
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.tensor(x)), models.reconstruct(x), atol=1e-6)
        np.testing.assert_allclose(module.encode(torch.tensor(x)), models.encode(x), atol=1e-6)


def test_files_keep_both_matrices(models, tmp_path):
    write_models(models, tmp_path / "m", {}, "code")
    sa.save(models, tmp_path / "saved.safetensors")
    for read in (read_models(tmp_path / "m"), sa.load(tmp_path / "saved.safetensors")):
        assert read.settings == models.settings
        for array, other in zip(every_array(read), every_array(models), strict=True):
            np.testing.assert_array_equal(array, other)


def test_a_file_from_before_is_of_tied_models(tmp_path):
    plain = sa.train(SCHEDULE, 3, 2, **SHORT)
    write_models(plain, tmp_path / "new", {}, "code")
    tensors, provenance = read_tensors(tmp_path / "new")
    for name in ("hidden", "output_weights", "target"):
        del provenance["settings"][name]
    write_tensors(tensors, tmp_path / "old", provenance)
    read = read_models(tmp_path / "old")
    assert read.settings == plain.settings
    assert read.W_out is None


def test_a_single_model_goes_out_and_comes_back(models, tmp_path):
    from superposition_atlas.storage.interchange import write_toy_model

    write_toy_model(models, 1, tmp_path / "one.safetensors")
    read = sa.read_toy_model(tmp_path / "one.safetensors")
    np.testing.assert_array_equal(read.W_out, models.W_out[1:2])
    x = models.sample(1, 10)
    np.testing.assert_array_equal(read.reconstruct(x[1]), models[1].reconstruct(x[1]))
    with pytest.raises(ArgumentError, match="W_out is not the transpose of W"):
        sa.import_toy_models(models.to_torch(), probability=0.1)
    with pytest.raises(ArgumentError, match="output_weights of settings is 'untied': must be 'tied'"):
        sa.import_toy_model(models.W[0], probability=0.1, settings=models.settings, layout="hidden_feature")


# --- what is not about them ---------------------------------------------------------------------------------


def one(**settings):
    return sa.train(SCHEDULE, 3, 1, steps=0, **settings)


NOT_PLAIN = {"hidden": "relu", "output_weights": "untied", "target": "absolute"}
SIGNED = {"magnitudes": "signed_uniform"}


@pytest.mark.parametrize(("name", "value"), NOT_PLAIN.items())
@pytest.mark.parametrize(
    "function",
    [
        sa.exact_loss,
        sa.exact_gradient,
        sa.best_solutions,
        sa.predict,
        sa.match,
        sa.plot.bars,
        sa.plot.gram,
        sa.plot.dimensionality,
        sa.plot.matching,
    ],
    ids=lambda function: function.__name__,
)
def test_theory_and_geometry_refuse_them_in_one_line(function, name, value):
    with pytest.raises(
        ArgumentError, match=f"{name} of the toy models is '{value}': must be '.*' for "
    ) as error:
        function(one(**{name: value}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "function",
    [
        sa.best_solutions,
        sa.exact_loss,
        sa.match,
        neuron_table,
        lambda models: sa.train_saes(models, n_latents=5, steps=1),
        lambda models: sa.evaluate(models, sa.train_saes(one(), n_latents=5, steps=1, engine="torch")),
    ],
)
def test_values_below_0_are_refused_where_magnitudes_are_meant(function):
    with pytest.raises(
        ArgumentError, match="magnitudes of the toy models is 'signed_uniform': must be 'uniform'"
    ):
        function(one(**SIGNED))


def test_saes_refuse_neurons():
    with pytest.raises(ArgumentError, match="hidden of the toy models is 'relu': must be 'linear' for SAEs"):
        sa.train_saes(one(hidden="relu"), n_latents=5, steps=1)
    models = one(output_weights="untied")
    assert len(sa.train_saes(models, n_latents=5, steps=1, engine="torch")) == 1


@pytest.mark.parametrize(("name", "value"), NOT_PLAIN.items())
def test_overlaps_of_columns_are_no_interference_there(name, value):
    other, plain = one(**{name: value}).to_frame(), one().to_frame()
    assert list(other) == list(plain)
    columns = ["dimensionality", "interference", "polysemanticity", "net_interference"]
    assert other[columns].isna().all(axis=None)
    assert not other["dedicated"].any()
    assert not other["n_dedicated"].any()
    for column in ("norm", "bias", "represented", "frobenius_norm"):
        np.testing.assert_array_equal(other[column], plain[column])
    assert (other.dtypes == plain.dtypes).all()


def test_the_gpu_engine_refuses_them_and_auto_takes_torch(monkeypatch):
    monkeypatch.setattr(training, "gpu_problem", lambda: None)
    monkeypatch.setattr(training, "triton_problem", lambda: None)
    for name, value in NOT_PLAIN.items():
        settings = TrainingSettings(**{name: value})
        assert training.engine_name("auto", "cuda", settings) == "torch-cuda"
        with pytest.raises(
            AtlasError, match=f"engine is cuda, but {name} is '{value}'.*: use engine fused or torch"
        ):
            training.engine_name("cuda", "auto", settings)
    assert training.engine_name("auto", "cuda", TrainingSettings(**SIGNED)).startswith("cuda (triton")


# --- configurations -----------------------------------------------------------------------------------------

OTHER = {"claims": False, "role": "", "saes": {}, "family": "auto"}


def experiment_with(training, **keys):
    return changed(
        {f"experiments.talk.{key}": value for key, value in ({"training": training} | keys).items()}
    )


def test_a_configuration_trains_them_and_asks_for_the_figures_that_apply():
    config = load(experiment_with({"steps": 5, **ABSOLUTE}, **OTHER))
    experiment = config.experiments["talk"]
    assert {case.training for case in experiment.cases.values()} == {TrainingSettings(steps=5, **ABSOLUTE)}
    of_it = [name.removeprefix("talk_") for name in figures_by_name(config) if name.startswith("talk_")]
    assert of_it == ["cases", "represented_counts", "frobenius_norms"]
    plain = figures_by_name(load(experiment_with({"steps": 5}, **OTHER)))
    assert {"talk_all_cases", "talk_excess_losses"} <= set(plain)


@pytest.mark.parametrize(
    ("training", "keys", "said"),
    [
        (ABSOLUTE, {"claims": True}, "experiments.talk.claims: got True.*false with hidden relu in case"),
        ({"target": "absolute"}, {"role": "slides"}, "experiments.talk.role: got 'slides'.*target absolute"),
        (SIGNED, {"claims": True}, "talk.claims.*magnitudes signed_uniform"),
        (
            SIGNED,
            {"saes": {"relu": {"n_latents": 5}}},
            r"talk.saes: got \['relu'\].*SAEs are trained on sums",
        ),
        ({"hidden": "relu"}, {"saes": {"relu": {"n_latents": 5}}}, "talk.saes.*hidden relu"),
        ({"hidden": "tanh"}, {}, "talk.training.hidden: got 'tanh'.*linear or relu"),
        ({"output_weights": True}, {}, "talk.training.output_weights: got True.*tied or untied"),
        ({"target": "abs"}, {}, "talk.training.target: got 'abs'.*inputs or absolute"),
    ],
)
def test_a_configuration_is_refused_in_one_line(training, keys, said):
    with pytest.raises(ConfigError, match=said) as error:
        load(experiment_with(training, **(OTHER | keys)))
    assert "\n" not in str(error.value)


def test_maps_and_attention_refuse_them():
    points = {"kind": "random", "count": 3}
    described = {"n_features": 4, "n_hidden": 2, "points": points, "training": {"hidden": "relu"}}
    said = r"maps\.one\.training\.hidden: got 'relu'.*linear \(maps are of toy models"
    with pytest.raises(ConfigError, match=said):
        load(changed({"maps": {"one": described}}))
    attention = {
        "n_features": 4, "n_hidden": 2, "probability": {"family": "linear", "first": 0.5, "last": 0.1},
        "sae": {"n_latents": 4}, "toy_model": SIGNED,
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"attention\.one\.toy_model\.magnitudes: got 'signed_uniform'"):
        load(changed({"attention": {"one": attention}}))
