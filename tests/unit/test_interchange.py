"""SAEs as SAELens reads them, toy models as plain safetensors, and toy models from elsewhere."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import superposition_atlas as sa
import torch
from safetensors.numpy import load_file, save_file
from superposition_atlas.cli.main import main
from superposition_atlas.errors import ArtefactError, ConfigError, TrainingError
from superposition_atlas.sae.architectures.registry import by_name, names
from superposition_atlas.sae.ensemble import SAEs, SAESettings
from superposition_atlas.sae.forward import encode, reconstruct
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.schedules import Schedule
from superposition_atlas.storage import interchange
from superposition_atlas.storage.imported_models import import_toy_model, import_toy_models
from superposition_atlas.storage.imported_settings import ImportedSettings
from superposition_atlas.storage.interchange import (
    find_sae,
    find_toy_model,
    read_toy_model,
    saelens_configuration,
    saelens_weights,
    write_saelens,
    write_toy_model,
)
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.storage.sae_files import read_saes, write_saes
from superposition_atlas.toy_model import TENSORS, ToyModels, TrainingSettings
from superposition_atlas.training.train_toy_models import train

M, N_LATENTS = 3, 7
SEEDS = (4, 0, 2**64 - 1)
SPEC = {"architecture": "by hand", "note": "ünïcode"}
FILES = {"cfg.json", "sae_weights.safetensors"}
WEIGHTS = {
    "standard": {"W_enc", "W_dec", "b_enc", "b_dec"},
    "gated": {"W_enc", "W_dec", "b_gate", "r_mag", "b_mag", "b_dec"},
    "jumprelu": {"W_enc", "W_dec", "b_enc", "b_dec", "threshold"},
    "topk": {"W_enc", "W_dec", "b_enc", "b_dec"},
}
TOLERANCE = 1e-5


def by_hand(architecture: str, k: tuple[int, ...] = (2,), sweep: int = 1) -> SAEs:
    """Untrained SAEs whose every parameter does something, with `sweep` values of λ or with those of k."""
    n_sweep = max(sweep, len(k))
    n = len(SEEDS) * n_sweep
    rng = np.random.default_rng(names().index(architecture))
    shapes = by_name(architecture).shapes(M, N_LATENTS)
    drawn = {name: 0.5 * rng.normal(size=(n, *shape)) for name, shape in shapes.items()}
    drawn["W_dec"] /= np.linalg.norm(drawn["W_dec"], axis=-1, keepdims=True)
    if "log_threshold" in drawn:
        drawn["log_threshold"] -= 1.5
    if "threshold" in drawn:
        drawn["threshold"] = np.abs(drawn["threshold"])
    of_top_k = architecture in ("topk", "batch_topk", "matryoshka")
    coefficients = tuple(0.1 * (i + 1) for i in range(sweep))
    settings = SAESettings(
        n_latents=N_LATENTS,
        architecture=architecture,
        sparsity_coefficient=coefficients,
        k=k if of_top_k else (1,),
    )
    return SAEs(
        parameters={name: array.astype(np.float32) for name, array in drawn.items()},
        seeds=np.tile(np.array(SEEDS, dtype=np.uint64), n_sweep),
        toy_model=np.tile(np.arange(len(SEEDS)), n_sweep),
        sparsity_coefficient=np.repeat(np.resize(coefficients, n_sweep), len(SEEDS)),
        k=np.repeat(np.resize(settings.k, n_sweep), len(SEEDS)),
        settings=settings,
        engine="by hand",
        recorded_steps=np.zeros(0, dtype=np.int64),
        history={},
        resampling_steps=np.zeros(0, dtype=np.int64),
        resampled=np.zeros((0, n, N_LATENTS), dtype=bool),
    )


def hidden(n_samples: int = 300) -> np.ndarray:
    return np.random.default_rng(99).normal(size=(n_samples, M)).astype(np.float32)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def assert_alone(folder: Path) -> None:
    """Nothing half-written lies beside it, hidden or not."""
    assert list(folder.parent.iterdir()) == [folder]


@pytest.fixture(scope="module")
def models() -> ToyModels:
    schedule = Schedule(np.linspace(1.0, 0.3, 5), np.linspace(0.9, 0.05, 5))
    settings: dict[str, Any] = {"steps": 20, "batch_size": 8, "init_scale": 0.3, "magnitudes": "binary"}
    return train(schedule, 2, SEEDS, record_steps=[0, 20], engine="torch", device="cpu", **settings)


@pytest.fixture(params=names())
def architecture(request: pytest.FixtureRequest) -> str:
    return request.param


# --- the folder --------------------------------------------------------------------------------------------


def test_every_architecture_has_a_name_in_saelens() -> None:
    assert {by_name(name).saelens.name for name in names()} == set(WEIGHTS)


def test_a_folder_holds_a_configuration_and_weights(architecture: str, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "sae"
    write_saelens(by_hand(architecture), 1, folder)
    assert set(contents(folder)) == FILES
    assert_alone(folder)
    configuration = json.loads((folder / "cfg.json").read_text(encoding="utf-8"))
    assert configuration["d_in"] == M
    assert configuration["d_sae"] == N_LATENTS
    assert configuration["dtype"] == "float32"
    assert configuration["device"] == "cpu"
    assert configuration["apply_b_dec_to_input"] is True
    assert configuration["normalize_activations"] == "none"
    assert configuration["reshape_activations"] == "none"
    weights = load_file(folder / "sae_weights.safetensors")
    assert weights.keys() == WEIGHTS[configuration["architecture"]]
    for name, array in weights.items():
        shape = {"W_enc": (M, N_LATENTS), "W_dec": (N_LATENTS, M), "b_dec": (M,)}.get(name, (N_LATENTS,))
        assert array.shape == shape, name
        assert array.dtype == np.float32, name


@pytest.mark.parametrize("k", [1, 2, 5])
def test_topk_says_its_k_and_that_it_chooses_by_the_pre_activations_themselves(k: int) -> None:
    configuration = saelens_configuration(by_hand("topk", k=(k,)), 0)
    assert configuration["k"] == k
    assert configuration["rescale_acts_by_decoder_norm"] is False


def test_thresholds_are_one_a_latent(architecture: str) -> None:
    saes = by_hand(architecture)
    threshold = saelens_weights(saes, 2).get("threshold")
    if "log_threshold" in saes.parameters:
        np.testing.assert_allclose(threshold, np.exp(saes.parameters["log_threshold"][2]), rtol=1e-6)
    elif "threshold" in saes.parameters:
        np.testing.assert_array_equal(threshold, [saes.parameters["threshold"][2, 0]] * N_LATENTS)
    else:
        assert threshold is None


def test_the_configuration_says_where_an_sae_comes_from() -> None:
    saes = by_hand("relu", sweep=2)
    metadata = saelens_configuration(saes, 4, {"spec": SPEC, "code": "0123"})["metadata"]
    assert metadata["sae_lens_training_version"] is None
    assert metadata["superposition_atlas"] == {
        "spec": SPEC,
        "code": "0123",
        "settings": saes.settings.as_dict(),
        "engine": "by hand",
        "seed": 0,
        "toy_model": 1,
        "sparsity_coefficient": 0.2,
        "k": 1,
    }


def test_the_same_sae_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_saelens(by_hand("relu"), 0, tmp_path / name, {"spec": SPEC})
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_an_earlier_export_is_replaced_and_an_empty_folder_filled(tmp_path: Path) -> None:
    folder = tmp_path / "sae"
    folder.mkdir()
    write_saelens(by_hand("relu"), 0, folder)
    former = contents(folder)
    write_saelens(by_hand("topk"), 1, folder)
    assert set(contents(folder)) == FILES
    assert contents(folder)["cfg.json"] != former["cfg.json"]
    assert_alone(folder)


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "sae"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ArtefactError, match=r"sae: holds notes\.txt; must be a new folder"):
        write_saelens(by_hand("relu"), 0, folder)
    assert contents(folder) == {"notes.txt": b"mine"}
    assert_alone(folder)


def test_a_file_in_the_folders_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sae"
    path.write_text("mine")
    with pytest.raises(ArtefactError, match="sae: can't be written"):
        write_saelens(by_hand("relu"), 0, path)
    assert path.read_text() == "mine"
    assert_alone(path)


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("failing", ["fsync", "rename"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_folder_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException, exists: bool
) -> None:
    folder = tmp_path / "sae"
    if exists:
        write_saelens(by_hand("relu"), 0, folder)
    before = contents(folder) if exists else None

    calls = []

    def second_fails(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            calls.append(arguments)
            # Where a folder makes room, the first renaming is that, and the third puts it back.
            if len(calls) == (1 if failing == "rename" and not exists else 2):
                raise error
            return real(*arguments)

        return call

    if failing == "fsync":
        monkeypatch.setattr(os, "fsync", second_fails(os.fsync))
    else:
        monkeypatch.setattr(Path, "rename", second_fails(Path.rename))
    expected = ArtefactError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_saelens(by_hand("topk"), 1, folder)
    if isinstance(error, OSError):
        assert str(caught.value) == f"{folder}: can't be written (No space left on device)"
    if exists:
        assert contents(folder) == before
        assert_alone(folder)
    else:
        assert list(tmp_path.iterdir()) == []


# --- SAELens itself ----------------------------------------------------------------------------------------


def assert_saelens_agrees(saes: SAEs, instance: int, folder: Path, h: np.ndarray) -> None:
    """Writes, loads with SAELens and compares."""
    sae_lens = pytest.importorskip("sae_lens", reason="SAELens is not installed (pip install sae-lens)")
    write_saelens(saes, instance, folder)
    theirs = sae_lens.SAE.load_from_disk(folder)
    one = slice(instance, instance + 1)
    ours = encode(saes, h[None], one)
    with torch.no_grad():
        activations = theirs.encode(torch.from_numpy(h))
        reconstruction = theirs.decode(activations)
        assert torch.equal(theirs(torch.from_numpy(h)), reconstruction)
    np.testing.assert_allclose(activations.numpy(), ours[0], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(
        reconstruction.numpy(), reconstruct(saes, ours, one)[0], rtol=0, atol=TOLERANCE
    )


@pytest.mark.saelens
@pytest.mark.parametrize("instance", range(len(SEEDS)))
def test_saelens_computes_what_we_compute(architecture: str, instance: int, tmp_path: Path) -> None:
    saes, h = by_hand(architecture), hidden()
    fires = encode(saes, h[None], slice(instance, instance + 1)) > 0
    assert 0 < fires.mean() < 1
    assert_saelens_agrees(saes, instance, tmp_path / "sae", h)


@pytest.mark.saelens
def test_saelens_computes_what_a_trained_sae_computes(
    architecture: str, models: ToyModels, tmp_path: Path
) -> None:
    saes = train_saes(models, architecture=architecture, n_latents=5, steps=30, batch_size=16, dead_window=10)
    h = models.encode(models.sample(0, 300))
    for instance in range(len(saes)):
        assert_saelens_agrees(saes, instance, tmp_path / str(instance), h[instance])


@pytest.mark.saelens
def test_saelens_finds_our_provenance(tmp_path: Path) -> None:
    sae_lens = pytest.importorskip("sae_lens", reason="SAELens is not installed (pip install sae-lens)")
    write_saelens(by_hand("relu"), 0, tmp_path / "sae", {"spec": SPEC, "code": "0123"})
    metadata = sae_lens.SAE.load_from_disk(tmp_path / "sae").cfg.metadata
    assert metadata.superposition_atlas["spec"] == SPEC
    assert metadata.superposition_atlas["seed"] == SEEDS[0]


def test_the_package_does_not_need_saelens() -> None:
    package = Path(interchange.__file__).parent
    assert not [path for path in package.rglob("*.py") if "import sae_lens" in path.read_text("utf-8")]


# --- which one ---------------------------------------------------------------------------------------------


def test_an_sae_is_found_by_seed_and_coefficient_or_k() -> None:
    assert find_sae(by_hand("relu"), 2**64 - 1) == 2
    swept = by_hand("relu", sweep=2)
    assert [find_sae(swept, seed, 0.2) for seed in SEEDS] == [3, 4, 5]
    assert find_sae(by_hand("topk", k=(1, 3, 4)), 0, k=3) == 4


@pytest.mark.parametrize(
    ("swept", "wanted", "message"),
    [
        ({}, {"seed": 9}, "seed is 9: must be 0, 4, 18446744073709551615"),
        ({}, {"seed": -1}, "seed is -1: must be 0, 4, 18446744073709551615"),
        ({"sweep": 2}, {}, "sparsity_coefficient is missing: must be 0.1, 0.2"),
        ({"sweep": 2}, {"sparsity_coefficient": 0.3}, "sparsity_coefficient is 0.3: must be 0.1, 0.2"),
        ({"k": (1, 2)}, {}, "k is missing: must be 1, 2"),
        ({"k": (1, 2)}, {"k": 3}, "k is 3: must be 1, 2"),
        (
            {"sweep": 12},
            {},
            "sparsity_coefficient is missing: must be 0.1, 0.2, 0.30000000000000004, 0.4, 0.5, "
            "0.6000000000000001, 0.7000000000000001, 0.8, … (12 in all)",
        ),
    ],
)
def test_a_wrong_choice_is_one_line_that_names_what_there_is(
    swept: dict[str, Any], wanted: dict[str, Any], message: str
) -> None:
    saes = by_hand("topk" if "k" in swept else "relu", **swept)
    with pytest.raises(ConfigError) as caught:
        find_sae(saes, **{"seed": 4} | wanted)
    assert str(caught.value) == message


def test_a_toy_model_is_found_by_its_seed(models: ToyModels) -> None:
    assert [find_toy_model(models, seed) for seed in SEEDS] == [0, 1, 2]
    with pytest.raises(ConfigError, match="seed is 1: must be 0, 4, 18446744073709551615"):
        find_toy_model(models, 1)


def test_one_seed_of_several_toy_models_is_not_guessed(models: ToyModels) -> None:
    twice = models.select(np.array([0, 1, 0]))
    with pytest.raises(ConfigError, match="seed is 4: must be of one instance, and is of instances 0, 2"):
        find_toy_model(twice, 4)
    saes = replace(by_hand("relu"), seeds=np.array([4, 0, 4], dtype=np.uint64))
    with pytest.raises(ConfigError, match="seed is 4: must be of one instance, and is of instances 0, 2"):
        find_sae(saes, 4)


# --- toy models --------------------------------------------------------------------------------------------


def assert_same(one: ToyModels, other: ToyModels) -> None:
    for name in TENSORS:
        assert getattr(one, name).dtype == getattr(other, name).dtype, name
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.settings == replace(other.settings, record_steps=())
    assert one.engine == other.engine
    assert one.history is None


@pytest.mark.parametrize("instance", range(len(SEEDS)))
def test_a_toy_model_comes_back(models: ToyModels, instance: int, tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.safetensors"
    write_toy_model(models, instance, path, {"spec": SPEC, "code": "0123"})
    assert_alone(path)
    assert_same(read_toy_model(path), models.select(slice(instance, instance + 1)))


def test_a_toy_model_is_four_plain_tensors(models: ToyModels, tmp_path: Path) -> None:
    write_toy_model(models, 1, tmp_path / "model.safetensors")
    tensors = load_file(tmp_path / "model.safetensors")
    assert {name: array.shape for name, array in tensors.items()} == {
        "W": (2, 5),
        "b": (5,),
        "importance": (5,),
        "probability": (5,),
    }
    for name, array in tensors.items():
        np.testing.assert_array_equal(array, getattr(models, name)[1])


def test_the_same_toy_model_gives_the_same_bytes(models: ToyModels, tmp_path: Path) -> None:
    for name in ("a", "b", "a"):
        write_toy_model(models, 0, tmp_path / name, {"spec": SPEC, "code": "0123"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_toy_model_that_came_back_computes_and_samples_the_same(models: ToyModels, tmp_path: Path) -> None:
    write_toy_model(models, 2, tmp_path / "model.safetensors")
    alone, among = read_toy_model(tmp_path / "model.safetensors"), models.select(slice(2, 3))
    x = alone.sample(0, 16)
    np.testing.assert_array_equal(x, among.sample(0, 16))
    np.testing.assert_array_equal(alone.reconstruct(x), among.reconstruct(x))


def test_saes_of_a_toy_model_that_came_back_are_the_same(models: ToyModels, tmp_path: Path) -> None:
    write_toy_model(models, 1, tmp_path / "model.safetensors")
    settings: dict[str, Any] = {"n_latents": 5, "steps": 10, "batch_size": 8}
    alone = train_saes(read_toy_model(tmp_path / "model.safetensors"), **settings)
    among = train_saes(models, **settings)
    for name, array in alone.parameters.items():
        np.testing.assert_array_equal(array[0], among.parameters[name][1])


def test_an_imported_toy_model_is_an_ensemble_like_others(models: ToyModels, tmp_path: Path) -> None:
    write_toy_model(models, 0, tmp_path / "one.safetensors")
    one = read_toy_model(tmp_path / "one.safetensors")
    write_models(one, tmp_path / "ensemble.safetensors", SPEC, "0123")
    assert_same(read_models(tmp_path / "ensemble.safetensors"), one)


def test_a_loss_that_is_not_known_stays_so(tmp_path: Path) -> None:
    unknown = import_toy_model(np.eye(2), probability=0.5, layout="hidden_feature")
    write_toy_model(unknown, 0, tmp_path / "model.safetensors")
    assert np.isnan(read_toy_model(tmp_path / "model.safetensors").loss).all()


def test_a_toy_model_of_another_program_is_read(tmp_path: Path) -> None:
    W = np.random.default_rng(0).normal(size=(2, 5))
    path = tmp_path / "theirs.safetensors"
    save_file({"W": W, "probability": np.full(5, 0.25, dtype=np.float32), "other": np.zeros(3)}, path)
    model = read_toy_model(path)
    np.testing.assert_array_equal(model.W, W[None].astype(np.float32))
    np.testing.assert_array_equal(model.b, np.zeros((1, 5), dtype=np.float32))
    np.testing.assert_array_equal(model.importance, np.ones((1, 5)))
    np.testing.assert_array_equal(model.probability, np.full((1, 5), 0.25))
    assert model.settings == ImportedSettings()
    assert model.engine == "imported"
    saes = train_saes(model, n_latents=5, steps=5, batch_size=8)
    assert len(saes) == 1


def test_settings_of_an_imported_toy_model_count() -> None:
    settings = TrainingSettings(output="linear", centred_inputs=True, magnitudes="exponential")
    model = import_toy_model(np.eye(2, 3), [0.0, 1, 2], probability=[0.5, 0.2, 1], settings=settings, seed=7)
    assert model.settings == settings
    x = model.sample(0, 4)
    centre = np.array([0.5, 0.2, 1]) / 2
    np.testing.assert_allclose(model.encode(x), (x - centre)[..., :2], atol=1e-6)
    np.testing.assert_allclose(model.reconstruct(x)[..., 2], 2.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"W": np.zeros((1, 2, 3))},
            "W has shape (1, 2, 3): must be [hidden, feature] or [feature, hidden], of one toy model",
        ),
        (
            {"W": np.zeros(3)},
            "W has shape (3,): must be [hidden, feature] or [feature, hidden], of one toy model",
        ),
        ({"W": np.array([[0, 1, np.nan]])}, "W[0, 2] is nan: must be finite"),
        ({"W": np.full((1, 3), 1e200)}, "W[0, 0, 0] is inf: must be finite"),
        (
            {"W": np.full((1, 3), "x")},
            "W is array([['x', 'x', 'x']], dtype='<U1'): must be [hidden, feature] or [feature, hidden], of "
            "one toy model (it holds text)",
        ),
        ({"b": np.zeros(2)}, "b has 2 features: must have 3, those of W (2, 3) as hidden_feature"),
        ({"b": [0, np.inf, 0]}, "b[1] is inf: must be finite"),
        ({"probability": 0}, "probability is 0.0: must be in (0, 1]"),
        ({"probability": [0.5, 1, 1.5]}, "probability[2] is 1.5: must be in (0, 1]"),
        ({"importance": [1, -1, 1]}, "importance[1] is -1.0: must be at least 0"),
        ({"seed": -1}, "seed is -1: must be at least 0"),
        ({"seed": 2**64}, "seed is 18446744073709551616: must be at most 18446744073709551615"),
        ({"seed": 0.5}, "seed is 0.5: must be an integer"),
        ({"loss": np.nan}, "loss is nan: must be a finite number"),
    ],
)
def test_what_is_no_toy_model_is_said_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError) as caught:
        import_toy_model(
            **{"W": np.zeros((2, 3)), "probability": 0.5, "layout": "hidden_feature"} | arguments
        )
    assert str(caught.value) == message


def metadata(**described: Any) -> dict[str, str]:
    return {"superposition_atlas": json.dumps(described)}


PLAIN = {"W": np.zeros((2, 3)), "probability": np.full(3, 0.5)}


@pytest.mark.parametrize(
    ("tensors", "described", "message"),
    [
        ({"W": PLAIN["W"]}, None, "has no tensor 'probability'; it has W"),
        ({"weight": PLAIN["W"]}, None, "has no tensor 'W'; it has weight"),
        (
            PLAIN | {"b": np.zeros(2)},
            None,
            "holds no toy model (b has 2, probability has 3 features: must be the same number",
        ),
        (PLAIN, metadata(settings={"output": "cubic"}), "holds no toy model (output is 'cubic': must be"),
        (PLAIN, metadata(settings={"pace": 3}), "holds no toy model ("),
        (PLAIN, metadata(seed="three"), "holds no toy model (seed is 'three': must be an integer)"),
        (PLAIN, {"superposition_atlas": "{"}, "holds no toy model ("),
        (PLAIN, {"superposition_atlas": "[]"}, "holds no toy model ("),
    ],
)
def test_a_file_without_a_toy_model_is_said_in_one_line(
    tmp_path: Path, tensors: dict[str, np.ndarray], described: dict[str, str] | None, message: str
) -> None:
    path = tmp_path / "model.safetensors"
    save_file(tensors, path, metadata=described)
    assert_one_line_of(path, message)


@pytest.mark.parametrize("content", [b"", b"not a safetensors file", b"\xff" * 100])
def test_a_file_that_is_not_safetensors_is_said_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert_one_line_of(path, "not a safetensors file of numbers (")
    path.unlink()
    assert_one_line_of(path, "no such file")


def test_an_ensemble_is_not_taken_for_one_toy_model(models: ToyModels, tmp_path: Path) -> None:
    write_models(models, tmp_path / "ensemble.safetensors", SPEC, "0123")
    assert_one_line_of(
        tmp_path / "ensemble.safetensors", "holds no toy model (W has shape (3, 2, 5): must be"
    )


def assert_one_line_of(path: Path, message: str) -> None:
    with pytest.raises(ArtefactError) as caught:
        read_toy_model(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


# --- the command -------------------------------------------------------------------------------------------


def run(*arguments: object) -> int:
    return main(["export", *map(str, arguments)])


def test_the_command_writes_an_sae_with_its_provenance(tmp_path: Path) -> None:
    saes, path = by_hand("relu", sweep=2), tmp_path / "saes.safetensors"
    write_saes(saes, path, SPEC, "0123")
    folder = tmp_path / "sae"
    assert run("--saes", path, "--seed", 0, "--sparsity-coefficient", 0.2, "--output", folder) == 0
    configuration = json.loads((folder / "cfg.json").read_text(encoding="utf-8"))
    ours = configuration["metadata"]["superposition_atlas"]
    assert (ours["spec"], ours["code"], ours["seed"]) == (SPEC, "0123", 0)
    assert ours["versions"].keys() >= {"superposition-atlas", "numpy"}
    weights = load_file(folder / "sae_weights.safetensors")
    for name, array in read_saes(path).parameters.items():
        np.testing.assert_array_equal(weights[name], array[4])


def test_the_command_writes_a_toy_model_with_its_provenance(models: ToyModels, tmp_path: Path) -> None:
    write_models(models, tmp_path / "models.safetensors", SPEC, "0123")
    path = tmp_path / "model.safetensors"
    assert run("--models", tmp_path / "models.safetensors", "--seed", 4, "--output", path) == 0
    assert_same(read_toy_model(path), models.select(slice(0, 1)))
    assert b'"code": "0123"' in path.read_bytes().replace(b'\\"', b'"')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--saes", "saes", "--seed", 9), "seed is 9: must be 0, 4, 18446744073709551615"),
        (("--saes", "saes", "--seed", 0, "--k", 3), "k is 3: must be 1"),
        (("--saes", "models", "--seed", 0), "models: holds no SAEs ("),
        (("--models", "saes", "--seed", 0), "saes: holds no toy models ("),
        (("--models", "missing", "--seed", 0), "missing: no such file"),
        (("--models", "models", "--seed", 9), "seed is 9: must be 0, 4, 18446744073709551615"),
        (("--models", "models", "--seed", 0, "--k", 3), "k is 3: must be left out with --models"),
        (
            ("--models", "models", "--seed", 0, "--sparsity-coefficient", 0.2),
            "sparsity_coefficient is 0.2: must be left out with --models",
        ),
    ],
)
def test_what_the_command_can_not_write_is_one_line(
    models: ToyModels,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[object, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_models(models, Path("models"), SPEC, "0123")
    write_saes(by_hand("relu"), Path("saes"), SPEC, "0123")
    assert run(*arguments, "--output", "new") == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {message}")
    assert printed.err.count("\n") == 1
    assert sorted(os.listdir()) == ["models", "saes"]


# --- toy models from elsewhere -----------------------------------------------------------------------------

WEIGHTS_OF_3 = np.random.default_rng(5).normal(size=(3, 2, 5)).astype(np.float32)
"""Three toy models, [instance, hidden, feature]."""
BIASES_OF_3 = np.random.default_rng(6).normal(size=(3, 5)).astype(np.float32)


def parameter(array: np.ndarray) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor(array))


class Arena(torch.nn.Module):
    """As in ARENA's chapter: W [instance, hidden, feature], b_final, and the schedule as attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.W, self.b_final = parameter(WEIGHTS_OF_3), parameter(BIASES_OF_3)
        self.importance = torch.tensor(0.9 ** np.arange(5))[None]
        self.feature_probability = torch.full((3, 1), 0.25).expand(3, 5)


class Linears(torch.nn.Module):
    def __init__(self, is_tied: bool) -> None:
        super().__init__()
        self.linear1, self.linear2 = torch.nn.Linear(5, 2, bias=False), torch.nn.Linear(2, 5)
        self.linear1.weight, self.linear2.bias = parameter(WEIGHTS_OF_3[0]), parameter(BIASES_OF_3[0])
        if is_tied:
            self.linear2.weight = parameter(WEIGHTS_OF_3[0].T.copy())


def assert_theirs(models: ToyModels, n: int = 3) -> None:
    """The toy models compute what theirs do."""
    np.testing.assert_array_equal(models.W, WEIGHTS_OF_3[:n])
    np.testing.assert_array_equal(models.b, BIASES_OF_3[:n])
    x = np.random.default_rng(7).uniform(size=(4, 5)).astype(np.float32)
    theirs = np.maximum(
        np.einsum("kmi,kmj,bj->kbi", WEIGHTS_OF_3[:n], WEIGHTS_OF_3[:n], x) + BIASES_OF_3[:n, None], 0
    )
    np.testing.assert_allclose(models.reconstruct(x), theirs, rtol=0, atol=1e-5)


def test_arenas_module_is_taken_with_its_schedule() -> None:
    models = import_toy_models(Arena())
    assert_theirs(models)
    np.testing.assert_allclose(models.importance, np.tile(0.9 ** np.arange(5), (3, 1)))
    np.testing.assert_array_equal(models.probability, np.full((3, 5), 0.25))
    assert models.seeds.tolist() == [0, 1, 2]
    assert len(train_saes(models, n_latents=5, steps=2, batch_size=8)) == 3


def test_a_state_dict_is_taken_by_its_names() -> None:
    assert_theirs(import_toy_models(Arena().state_dict(), probability=0.25))
    wrapped = {f"model.{name}": tensor for name, tensor in Arena().state_dict().items()}
    assert_theirs(import_toy_models(wrapped, probability=0.25))


def test_anthropics_layout_is_turned_round() -> None:
    theirs = torch.tensor(WEIGHTS_OF_3.swapaxes(1, 2).copy(), requires_grad=True)
    assert_theirs(import_toy_models(theirs, parameter(BIASES_OF_3), probability=0.25))
    assert_theirs(import_toy_models({"W": theirs, "b_final": BIASES_OF_3}, probability=0.25))
    assert_theirs(import_toy_model(WEIGHTS_OF_3[0].T, BIASES_OF_3[0], probability=0.25), n=1)
    known = import_toy_model(WEIGHTS_OF_3[0].T, probability=0.25, n_features=5)
    np.testing.assert_array_equal(known.W, WEIGHTS_OF_3[:1])
    said = import_toy_model(WEIGHTS_OF_3[0].T, probability=0.25, layout="feature_hidden")
    np.testing.assert_array_equal(said.W, WEIGHTS_OF_3[:1])


def test_a_file_of_the_replication_in_jax_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    save_file({"w": WEIGHTS_OF_3.swapaxes(1, 2).copy(), "b_final": BIASES_OF_3}, path)
    assert_theirs(import_toy_models(path, probability=np.full(5, 0.25)))
    assert_theirs(import_toy_models(str(path), probability=np.full(5, 0.25)))


def test_linear_layers_are_taken_where_they_are_tied() -> None:
    one = {"linear1.weight": parameter(WEIGHTS_OF_3[0]), "linear2.bias": parameter(BIASES_OF_3[0])}
    assert_theirs(import_toy_models(one, probability=0.25), n=1)
    assert_theirs(import_toy_models(Linears(is_tied=True), probability=0.25), n=1)
    with pytest.raises(TrainingError, match=r"linear2\.weight is not the transpose of W"):
        import_toy_models(Linears(is_tied=False), probability=0.25)
    with pytest.raises(TrainingError, match=r"linear1\.bias is not 0"):
        import_toy_models(one | {"linear1.bias": np.ones(2)}, probability=0.25)


def test_what_went_to_torch_comes_back(models: ToyModels) -> None:
    module = models.to_torch()
    back = import_toy_models(module, settings=models.settings, layout="hidden_feature")
    np.testing.assert_array_equal(back.W, models.W)
    np.testing.assert_array_equal(back.probability, models.probability)
    x = models.sample(0, 6)
    with torch.no_grad():
        np.testing.assert_allclose(
            module(torch.tensor(x, dtype=torch.float32)), models.reconstruct(x), rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("shape", [(5, 2), (2, 5), (4, 4), (3, 5, 2), (3, 4, 4)])
def test_a_layout_that_can_not_be_told_is_asked_for(shape: tuple[int, ...]) -> None:
    W = np.ones(shape)
    allowed = (
        r"layout is missing: must be \"hidden_feature\" or \"feature_hidden\", as W \(\d, \d\) may be either"
    )
    with pytest.raises(TrainingError, match=allowed):
        import_toy_models(W, probability=0.5)
    if shape[-1] == shape[-2]:
        with pytest.raises(TrainingError, match=allowed):
            import_toy_models(W, np.zeros(4), probability=np.full(4, 0.5), n_features=4)
    for layout, n_hidden in (("hidden_feature", shape[-2]), ("feature_hidden", shape[-1])):
        assert import_toy_models(W, probability=0.5, layout=layout).n_hidden == n_hidden


def test_a_file_of_another_program_may_need_a_layout(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    square = np.arange(4, dtype=np.float32).reshape(2, 2)
    save_file({"W": square, "probability": np.full(2, 0.5)}, path)
    with pytest.raises(ArtefactError, match="layout is missing"):
        read_toy_model(path)
    np.testing.assert_array_equal(read_toy_model(path, layout="feature_hidden").W[0], square.T)
    own = import_toy_model(square, probability=0.5, layout="hidden_feature")
    write_toy_model(own, 0, path)
    np.testing.assert_array_equal(read_toy_model(path).W[0], square)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": {"V": np.eye(2)}}, "source holds 'V': must have one W, called W or w or linear1.weight"),
        ({"source": {"W": np.eye(2), "w": np.eye(2)}}, "must have one W"),
        ({"source": {"W": np.eye(2), "b": [0, 0], "bias": [0, 0]}}, "must have one b, called b_final or b"),
        ({"b": np.zeros(4)}, "b has 4 features: must be an axis of W, of shape (2, 5)"),
        (
            {"b": np.zeros(5), "importance": np.ones(4)},
            "b has 5, importance has 4 features: must be the same",
        ),
        ({"b": np.zeros(2), "layout": "hidden_feature"}, "b has 2 features: must have 5, those of W (2, 5)"),
        ({"b": np.zeros((2, 5))}, "b has 2 rows: must have one a toy model, 3"),
        ({"n_features": 7}, "b has 5, n_features has 7 features: must be the same number"),
        ({"b": None, "n_features": 7}, "n_features has 7 features: must be an axis of W"),
        ({"layout": "transposed"}, "layout is 'transposed': must be hidden_feature or feature_hidden"),
        ({"probability": None}, "probability is missing"),
        ({"seeds": [1]}, "seeds has 1 values: must have one a toy model, 3"),
        ({"loss": [0.1]}, "loss has 1 values: must have one a toy model, 3"),
    ],
)
def test_what_does_not_fit_together_is_said_in_one_line(arguments: dict[str, Any], message: str) -> None:
    given = {"source": WEIGHTS_OF_3, "b": BIASES_OF_3, "probability": 0.5}
    with pytest.raises(TrainingError, match=re.escape(message)):
        import_toy_models(**given | arguments)


def test_imported_toy_models_claim_no_training(tmp_path: Path) -> None:
    """Theirs is unknown: the defaults of `train` are not what they were trained with."""
    W = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    imported = sa.import_toy_models(W, probability=0.3, n_features=3)
    path = tmp_path / "imported.safetensors"
    sa.save(imported, path)
    loaded = sa.load(path)
    exported = tmp_path / "exported.safetensors"
    write_toy_model(imported, 0, exported)
    for models in (imported, imported[0], loaded, sa.load(exported), sa.read_toy_model(exported)):
        assert isinstance(models, sa.ToyModels)
        assert "training unknown (imported)" in repr(models)
        assert "steps" not in repr(models) + models._repr_html_()
        assert "unknown" in models.settings._repr_html_()
        assert "10000" not in models.settings._repr_html_()
        assert (models.settings.output, models.settings.magnitudes) == ("relu", "uniform")
    known = sa.import_toy_models(W, probability=0.3, n_features=3, settings=sa.TrainingSettings(steps=7))
    assert "steps 7" in repr(known)
    sa.save(known, path)
    assert "steps 7" in repr(sa.load(path))
    assert sa.train_saes(imported, n_latents=2, steps=2, batch_size=8).n_latents == 2
