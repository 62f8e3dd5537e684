"""SAE training on a GPU is the reference's, in Triton's interpreter and on a GPU where there is one."""

import importlib
from functools import partial

import numpy as np
import pytest
from superposition_atlas.backends import optional_packages
from superposition_atlas.errors import DeviceError, TrainingError
from superposition_atlas.schedules import Schedule
from superposition_atlas.training.train_toy_models import random_dictionaries

from tests.unit.structure_samples import five
from tests.unit.test_cuda_engine import DEVICES

pytest.importorskip("triton", reason="Triton is for Linux")

from superposition_atlas.sae import cuda_engine
from superposition_atlas.sae import train_saes as sae_training
from superposition_atlas.sae.train_saes import train_saes

ARCHITECTURES = {
    "relu": {"sparsity_warmup_steps": 3},
    "relu-tied-resampled": {"architecture": "relu", "tied": True, "resampling": "simple"},
    "gated": {},
    "jumprelu": {},
    "topk": {"k": 2},
    "batch_topk": {},
    "matryoshka": {"prefixes": (2,)},
    "frozen": {},
}


@pytest.fixture(params=DEVICES)
def on_gpu(request, monkeypatch):
    """`train_saes` with engine "cuda", wherever its kernels run."""
    if request.param == "cpu":
        monkeypatch.setattr(sae_training, "gpu_problem", lambda: None)
        monkeypatch.setattr(cuda_engine, "_LARGEST_GROUP", 2)
        monkeypatch.setattr(cuda_engine, "CudaSAEs", partial(cuda_engine.CudaSAEs, device="cpu"))
    return partial(train_saes, engine="cuda", n_latents=5, batch_size=40, dead_window=2)


def models(n_models, **others):
    """Toy models that differ."""
    rows = np.linspace(0.2, 0.9, 5 * n_models).reshape(n_models, 5)
    return random_dictionaries(Schedule(np.ones(5), rows), 2, range(10, 10 + n_models), **others)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_the_references(on_gpu, name):
    settings = {"architecture": name, "steps": 8, "resample_every": 4} | ARCHITECTURES[name]
    on = models(2)
    found = on_gpu(on, **settings)
    expected = train_saes(on, engine="torch", n_latents=5, batch_size=40, dead_window=2, **settings)
    assert found.engine == "cuda"
    for parameter, values in expected.parameters.items():
        np.testing.assert_allclose(found.parameters[parameter], values, atol=2e-5, err_msg=parameter)


def test_toy_models_of_every_kind(on_gpu):
    on = models(1, magnitudes="exponential")
    found = on_gpu(on, steps=4)
    expected = train_saes(on, engine="torch", n_latents=5, batch_size=40, steps=4, dead_window=2)
    np.testing.assert_allclose(found.W_enc, expected.W_enc, atol=2e-5)


def test_features_that_depend_on_one_another(on_gpu):
    on = random_dictionaries(five(3), 2, 3)
    found = on_gpu(on, steps=4)
    expected = train_saes(on, engine="torch", n_latents=5, batch_size=40, steps=4, dead_window=2)
    np.testing.assert_allclose(found.W_enc, expected.W_enc, atol=2e-5)


def test_bits_do_not_depend_on_which_saes_are_trained_together(on_gpu):
    on = models(3)
    together = on_gpu(on, architecture="batch_topk", steps=3)
    alone = on_gpu(on.select(slice(2, 3)), architecture="batch_topk", steps=3)
    for name, values in together.parameters.items():
        np.testing.assert_array_equal(values[2:], alone.parameters[name])


def test_a_failure_names_the_saes(on_gpu, monkeypatch):
    def fails(self):
        raise RuntimeError("CUDA error: out of memory\nmore")

    module = importlib.import_module("superposition_atlas.backends.cuda_graph")
    monkeypatch.setattr(module.Repeated, "prepare", fails)
    with pytest.raises(DeviceError, match=r"the GPU failed between steps 0 and .*seeds 10 to 11.*out of mem"):
        on_gpu(models(2), steps=4)


def test_without_a_gpu_it_says_so(monkeypatch):
    monkeypatch.setattr(sae_training, "gpu_problem", lambda: "torch finds no CUDA device")
    with pytest.raises(TrainingError, match="torch finds no CUDA device"):
        train_saes(models(1), n_latents=5, steps=2, engine="cuda")
    monkeypatch.setattr(sae_training, "gpu_problem", lambda: None)
    monkeypatch.setattr(optional_packages, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"triton is not installed \(pip install"):
        train_saes(models(1), n_latents=5, steps=2, engine="cuda")
