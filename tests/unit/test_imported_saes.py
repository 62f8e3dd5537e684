"""SAEs from elsewhere: layouts, what they compute, what is refused, their way through the workflow."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import superposition_atlas as sa
import torch
from safetensors.numpy import save_file
from superposition_atlas.cli.main import main
from superposition_atlas.config import load
from superposition_atlas.config.saes import check_saes
from superposition_atlas.errors import ArgumentError, ArtefactError, AtlasError, ConfigError, TrainingError
from superposition_atlas.metrics.polysemanticity import latent_units
from superposition_atlas.metrics.recovery import evaluate
from superposition_atlas.metrics.sae_history import history_table
from superposition_atlas.plan.inputs import JobInputs
from superposition_atlas.sae.architectures.registry import by_name, names
from superposition_atlas.storage.external_saes import MODULES_VARIABLE
from superposition_atlas.storage.interchange import write_saelens
from superposition_atlas.storage.model_files import write_models
from superposition_atlas.storage.sae_files import read_saes

from .test_interchange import TOLERANCE, by_hand, hidden

M, N_LATENTS = 3, 7
RNG = np.random.default_rng(5)
H = hidden()


def drawn(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


WEIGHTS = {"W_enc": drawn(M, N_LATENTS), "W_dec": drawn(N_LATENTS, M)}
BIASES = {"b_enc": drawn(N_LATENTS), "b_dec": drawn(M)}
SMALLER = {"W_enc": drawn(M, 2), "W_dec": drawn(2, M)}
THRESHOLD = np.abs(drawn(N_LATENTS))


def relu(array: np.ndarray) -> np.ndarray:
    return np.maximum(array, 0)


def pre(subtracts: bool = True) -> np.ndarray:
    h = H - BIASES["b_dec"] if subtracts else H
    return np.asarray(h @ WEIGHTS["W_enc"] + BIASES["b_enc"])


def largest(values: np.ndarray, k: int) -> np.ndarray:
    return np.asarray(values >= np.sort(values, axis=-1)[:, -k, None])


def folder_of(
    path: Path, configuration: dict[str, Any], tensors: dict[str, np.ndarray], weights: str
) -> Path:
    path.mkdir()
    name = "cfg.json" if weights == "sae_weights" else "config.json"
    (path / name).write_text(json.dumps(configuration))
    contiguous = {key: np.array(array, order="C") for key, array in tensors.items()}
    save_file(contiguous, path / f"{weights}.safetensors")
    return path


# --- layouts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", names())
def test_saelens_folders_keep_what_an_sae_computes(architecture: str, tmp_path: Path) -> None:
    saes = by_hand(architecture)
    for instance in range(len(saes)):
        write_saelens(saes, instance, tmp_path / str(instance))
    imported = sa.import_saes([tmp_path / str(instance) for instance in range(len(saes))])
    np.testing.assert_allclose(imported.encode(H), saes.encode(H), atol=TOLERANCE)
    np.testing.assert_allclose(imported.reconstruct(H), saes.reconstruct(H), atol=TOLERANCE)
    assert by_name(imported.settings.architecture).label == "external"
    # And back: the folder that is written again says the same.
    write_saelens(imported, 1, tmp_path / "again")
    again = sa.import_saes(tmp_path / "again")
    np.testing.assert_allclose(again.reconstruct(H)[0], saes.reconstruct(H)[1], atol=TOLERANCE)
    form = json.loads((tmp_path / "again/cfg.json").read_text())["architecture"]
    assert form == json.loads((tmp_path / "1/cfg.json").read_text())["architecture"]


OLD = {
    "d_in": M,
    "d_sae": N_LATENTS,
    "dtype": "float32",
    "hook_point": "blocks.0",
    "normalize_activations": "none",
}


@pytest.mark.parametrize(
    ("configuration", "more", "expected"),
    [
        ({"architecture": "standard", "activation_fn_str": "relu"}, {}, lambda: relu(pre())),
        ({}, {}, lambda: relu(pre())),
        ({"apply_b_dec_to_input": False}, {}, lambda: relu(pre(False))),
        (
            {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}},
            {},
            lambda: relu(pre()) * largest(pre(), 2),
        ),
        (
            {"architecture": "jumprelu", "apply_b_dec_to_input": False},
            {"threshold": THRESHOLD},
            lambda: relu(pre(False)) * (pre(False) > THRESHOLD),
        ),
    ],
)
def test_folders_of_saelens_3_are_read(
    configuration: dict[str, Any], more: dict[str, Any], expected: Callable[[], np.ndarray], tmp_path: Path
) -> None:
    path = folder_of(tmp_path / "sae", OLD | configuration, WEIGHTS | BIASES | more, "sae_weights")
    saes = sa.import_saes(path)
    np.testing.assert_allclose(saes.encode(H)[0], expected(), atol=TOLERANCE)
    np.testing.assert_allclose(
        saes.reconstruct(H)[0], expected() @ WEIGHTS["W_dec"] + BIASES["b_dec"], atol=TOLERANCE
    )


def test_scales_go_into_the_decoder(tmp_path: Path) -> None:
    factor = 1 + THRESHOLD
    path = folder_of(tmp_path / "sae", OLD, WEIGHTS | BIASES | {"scaling_factor": factor}, "sae_weights")
    expected = (relu(pre()) * factor) @ WEIGHTS["W_dec"] + BIASES["b_dec"]
    np.testing.assert_allclose(sa.import_saes(path).reconstruct(H)[0], expected, atol=TOLERANCE)
    configuration = {"architecture": "topk", "k": 3, "rescale_acts_by_decoder_norm": True}
    path = folder_of(tmp_path / "topk", configuration, WEIGHTS | BIASES, "sae_weights")
    norm = np.linalg.norm(WEIGHTS["W_dec"], axis=1)
    chosen = relu(pre() * norm) * largest(pre() * norm, 3)
    expected = chosen @ (WEIGHTS["W_dec"] / norm[:, None]) + BIASES["b_dec"]
    np.testing.assert_allclose(sa.import_saes(path).reconstruct(H)[0], expected, atol=TOLERANCE)


LINEAR = {"encoder.weight": WEIGHTS["W_enc"].T, "decoder.weight": WEIGHTS["W_dec"].T}
GATES = {"gate_bias": drawn(N_LATENTS), "mag_bias": drawn(N_LATENTS), "r_mag": 0.3 * drawn(N_LATENTS)}


def gated() -> np.ndarray:
    inside = (H - BIASES["b_dec"]) @ WEIGHTS["W_enc"]
    return np.asarray(
        (inside + GATES["gate_bias"] > 0) * relu(np.exp(GATES["r_mag"]) * inside + GATES["mag_bias"])
    )


@pytest.mark.parametrize(
    ("name", "tensors", "expected"),
    [
        ("AutoEncoder", {"encoder.bias": BIASES["b_enc"], "bias": BIASES["b_dec"]}, lambda: relu(pre())),
        ("GatedAutoEncoder", GATES | {"decoder_bias": BIASES["b_dec"]}, gated),
        (
            "AutoEncoderTopK",
            {
                "encoder.bias": BIASES["b_enc"],
                "b_dec": BIASES["b_dec"],
                "k": np.array(2),
                "threshold": np.array(-1.0),
            },
            lambda: relu(pre()) * largest(pre(), 2),
        ),
        (
            "BatchTopKSAE",
            {
                "encoder.bias": BIASES["b_enc"],
                "b_dec": BIASES["b_dec"],
                "k": np.array(2),
                "threshold": np.array(0.4),
            },
            lambda: relu(pre()) * (pre() > 0.4),
        ),
        (
            "JumpReluAutoEncoder",
            WEIGHTS | BIASES | {"threshold": THRESHOLD},
            lambda: relu(pre(False)) * (pre(False) > THRESHOLD),
        ),
    ],
)
def test_classes_of_dictionary_learning_are_read(
    name: str, tensors: dict[str, np.ndarray], expected: Callable[[], np.ndarray], tmp_path: Path
) -> None:
    weights = {} if "W_enc" in tensors else LINEAR
    path = folder_of(tmp_path / "sae", {"trainer": {"dict_class": name}}, weights | tensors, "ae")
    np.testing.assert_allclose(sa.import_saes(path).encode(H)[0], expected(), atol=TOLERANCE)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "sae", {"trainer": {"dict_class": "AutoEncoder"}}, LINEAR, "ae")
    (path / "ae.safetensors").rename(path / "ae.pt")
    with pytest.raises(ArtefactError, match=r"ae\.pt: is a pickle, which could run code, and is not opened"):
        sa.import_saes(path)


def test_arrays_may_be_tensors_and_an_ensemble() -> None:
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in (WEIGHTS | BIASES).items()}
    np.testing.assert_allclose(sa.import_saes(tensors).encode(H)[0], relu(pre()), atol=TOLERANCE)
    both = {name: np.stack([array, 2 * array]) for name, array in (WEIGHTS | BIASES).items()}
    saes = sa.import_saes(both, seeds=[4, 9])
    assert saes.seeds.tolist() == [4, 9]
    assert saes.toy_model.tolist() == [0, 1]
    np.testing.assert_allclose(saes.encode(H)[0], relu(pre()), atol=TOLERANCE)


def test_saved_ones_are_read(tmp_path: Path) -> None:
    saes = sa.import_saes([WEIGHTS | BIASES, WEIGHTS])
    sa.save(saes, tmp_path / "saes.safetensors")
    again = sa.load(tmp_path / "saes.safetensors")
    assert isinstance(again, sa.SAEs)
    np.testing.assert_array_equal(again.encode(H), saes.encode(H))


# --- functions ---------------------------------------------------------------------------------------------


class Module(torch.nn.Module):
    """An SAE that no layout has: activations are squared."""

    def encode(self, h: torch.Tensor) -> torch.Tensor:
        return (h @ torch.from_numpy(WEIGHTS["W_enc"])).relu().square()

    def decode(self, activations: torch.Tensor) -> torch.Tensor:
        return activations @ torch.from_numpy(WEIGHTS["W_dec"]) + 1.0


def test_functions_and_modules_are_scored() -> None:
    models = sa.import_toy_models(
        np.stack([np.eye(M)] * 2), probability=0.3, layout="hidden_feature", n_features=M
    )
    module = sa.import_saes([Module(), Module()], n_hidden=M)
    functions = sa.import_saes(
        lambda h: relu(h @ WEIGHTS["W_enc"]) ** 2, lambda a: a @ WEIGHTS["W_dec"] + 1.0, n_hidden=M
    )
    np.testing.assert_allclose(module.W_dec[0], WEIGHTS["W_dec"], atol=TOLERANCE)
    np.testing.assert_allclose(module.reconstruct(H)[0], functions.reconstruct(H)[0], atol=1e-3)
    tables = sa.evaluate(models, module, n_samples=200)
    alone = sa.evaluate(models, module[1], n_samples=200)
    assert tables.saes["fvu"].iloc[1] == alone.saes["fvu"].iloc[0]
    assert tables.saes["architecture"].tolist() == ["external"] * 2


@pytest.mark.parametrize(
    "saes", [WEIGHTS | BIASES, lambda h: relu(h @ WEIGHTS["W_enc"])], ids=["arrays", "function"]
)
def test_every_table_of_saes_can_be_made(saes: Any) -> None:
    models = sa.import_toy_model(np.eye(M), probability=0.3, layout="hidden_feature")
    decoder = (lambda a: a @ WEIGHTS["W_dec"]) if callable(saes) else None
    evaluation = evaluate(models, sa.import_saes(saes, decoder, n_hidden=M), n_samples=50)
    assert history_table(evaluation).empty
    assert len(latent_units(evaluation)) == N_LATENTS


def test_an_identity_is_perfect() -> None:
    models = sa.import_toy_model(np.eye(M), probability=0.3, layout="hidden_feature")
    saes = sa.import_saes(lambda h: h, lambda a: a, n_hidden=M)
    (row,) = sa.evaluate(models, saes, n_samples=500).saes.itertuples()
    assert row.fvu == pytest.approx(0, abs=1e-9)
    assert row.recall_represented == row.mmcs == 1


def test_functions_are_neither_written_nor_exported(tmp_path: Path) -> None:
    saes = sa.import_saes(lambda h: h, lambda a: a, n_hidden=M)
    for write in (
        lambda: sa.save(saes, tmp_path / "a.safetensors"),
        lambda: write_saelens(saes, 0, tmp_path / "b"),
    ):
        with pytest.raises(ArgumentError, match="functions: must be arrays"):
            write()
    assert list(tmp_path.iterdir()) == []


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sa.import_saes(3), "source is 3: must be a folder"),
        (lambda: sa.import_saes([]), "source is empty"),
        (lambda: sa.import_saes({"W_enc": WEIGHTS["W_enc"]}), "source has no W_dec"),
        (lambda: sa.import_saes(WEIGHTS | {"W_x": 1}), "source holds 'W_x'"),
        (lambda: sa.import_saes({"W_enc": drawn(3, 7), "W_dec": drawn(3, 7)}), r"W_dec has shape \(3, 7\)"),
        (lambda: sa.import_saes(WEIGHTS | {"b_enc": drawn(3)}), r"b_enc has shape \(3,\): must be \(7,\)"),
        (lambda: sa.import_saes(WEIGHTS, architecture="topk"), "k is missing"),
        (lambda: sa.import_saes(WEIGHTS, architecture="topk", k=9), "k is 9: must be from 1 to 7"),
        (lambda: sa.import_saes(WEIGHTS, architecture="gated"), "source has no r_mag"),
        (lambda: sa.import_saes(WEIGHTS, architecture="relus"), "architecture is 'relus'"),
        (lambda: sa.import_saes(WEIGHTS | {"k": 2, "threshold": 0.1}), "must be topk or batch_topk"),
        (lambda: sa.import_saes(WEIGHTS | BIASES | {"threshold": 0.1}), "apply_b_dec_to_input is missing"),
        (lambda: sa.import_saes(lambda h: h), "decoder is missing"),
        (lambda: sa.import_saes(lambda h: h, lambda a: a), "n_hidden is missing"),
        (lambda: sa.import_saes(lambda h: h[:1], lambda a: a, n_hidden=2), r"source gives shape \(1, 2\)"),
        (lambda: sa.import_saes([WEIGHTS, SMALLER]), r"source\[1\] differs from source\[0\]"),
        (lambda: sa.import_saes("nowhere"), "nowhere: is no folder"),
        (lambda: sa.import_saes(WEIGHTS, seeds=[1, 2]), "seeds has 2 values: must have one an SAE, 1"),
    ],
)
def test_what_is_refused_is_said_in_one_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(AtlasError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"architecture": "temporal"}, "architecture is 'temporal': must be standard, topk"),
        ({"activation_fn_str": "tanh-relu"}, "activation_fn is 'tanh-relu'"),
        ({"normalize_activations": "layer_norm"}, "normalize_activations is 'layer_norm': must be none"),
        ({"reshape_activations": "hook_z"}, "reshape_activations is 'hook_z'"),
    ],
)
def test_saes_that_compute_something_else_are_refused(
    configuration: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = folder_of(tmp_path / "sae", configuration, WEIGHTS | BIASES, "sae_weights")
    with pytest.raises(ArtefactError, match=message):
        sa.import_saes(path)


# --- the workflow ------------------------------------------------------------------------------------------

EXPERIMENT: dict[str, Any] = {
    "n_features": 4,
    "n_hidden": M,
    "seeds": 2,
    "cases": {"only": {}},
    "saes": {"theirs": {"architecture": "external", "n_latents": N_LATENTS, "source": "users_saes:fit"}},
}
USERS = """
import numpy as np

def fit(models, n_latents):
    rng = np.random.default_rng(0)
    n = len(models)
    return {"W_enc": rng.normal(size=(n, models.n_hidden, n_latents)),
            "W_dec": rng.normal(size=(n, n_latents, models.n_hidden))}

def wide(models, n_latents):
    return fit(models, n_latents + 1)

def broken(models, n_latents):
    return 1 / 0
"""


@pytest.fixture
def models_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    models = sa.import_toy_models(np.stack([drawn(M, 4)] * 2), probability=0.2, n_features=4)
    write_models(models, tmp_path / "models.safetensors", {}, "test")
    (tmp_path / "users_saes.py").write_text(USERS)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "models.safetensors"


def run(models_file: Path, source: str, output: Path) -> int:
    spec = {"architecture": "external", "n_latents": N_LATENTS, "seeds": [0, 1], "source": source}
    return main(["saes", "--models", str(models_file), "--spec", json.dumps(spec), "--output", str(output)])


def test_a_function_is_called_only_where_its_module_is_allowed(
    models_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.delenv(MODULES_VARIABLE, raising=False)
    assert run(models_file, "users_saes:fit", tmp_path / "saes.safetensors") == 1
    assert f"set {MODULES_VARIABLE}=users_saes to allow it" in capsys.readouterr().err
    monkeypatch.setenv(MODULES_VARIABLE, "users_saes")
    assert run(models_file, "users_saes:fit", tmp_path / "saes.safetensors") == 0
    saes = read_saes(tmp_path / "saes.safetensors")
    assert (len(saes), saes.seeds.tolist(), saes.settings.architecture) == (2, [0, 1], "external")
    for name, message in (
        ("wide", "8 latents: must have 2 SAEs of 3 hidden dimensions and 7 latents"),
        ("broken", "ZeroDivisionError: division by zero"),
        ("missing", "AttributeError"),
    ):
        assert run(models_file, f"users_saes:{name}", tmp_path / "other.safetensors") == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "other.safetensors").exists()


def test_files_and_folders_are_taken_by_seed(
    models_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saes = by_hand("jumprelu")
    for seed in (0, 1):
        write_saelens(saes, seed, tmp_path / f"seed_{seed}")
    output = tmp_path / "saes.safetensors"
    assert run(models_file, str(tmp_path / "seed_{seed}"), output) == 0
    np.testing.assert_allclose(read_saes(output).encode(H), saes.encode(H)[:2], atol=TOLERANCE)
    sa.save(sa.import_saes([WEIGHTS, WEIGHTS | BIASES], seeds=[1, 0]), tmp_path / "mine.safetensors")
    assert run(models_file, str(tmp_path / "mine.safetensors"), output) == 0
    np.testing.assert_allclose(read_saes(output).encode(H)[0], relu(pre()), atol=TOLERANCE)
    sa.save(sa.import_saes(WEIGHTS, seeds=[3]), tmp_path / "other.safetensors")
    assert run(models_file, str(tmp_path / "other.safetensors"), output) == 1
    assert "must hold one SAE of each seed [0, 1]" in capsys.readouterr().err


def test_a_configuration_needs_a_source_for_external_saes_alone() -> None:
    check_saes(load({"experiments": {"own": EXPERIMENT}}))
    for settings in ({"architecture": "external"}, {"architecture": "relu", "source": "somewhere"}):
        saes = {"theirs": {"n_latents": 5, **settings}}
        with pytest.raises(ConfigError, match=r"saes\.theirs\.source: .*allowed is module:function"):
            check_saes(load({"experiments": {"own": EXPERIMENT | {"saes": saes}}}))


def test_a_job_reads_the_files_of_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it runs again where they change; a function's module is one of them."""
    monkeypatch.chdir(tmp_path)
    Path("users_saes.py").write_text(USERS)
    write_saelens(by_hand("relu"), 0, Path("theirs/only_0"))
    saes = EXPERIMENT["saes"] | {
        "folders": EXPERIMENT["saes"]["theirs"] | {"source": "theirs/{case}_{seed}"},
        "trained": {"n_latents": 5},
    }
    config = load({"experiments": {"own": EXPERIMENT | {"saes": saes}}})
    inputs = JobInputs(config)
    found = {
        name: inputs.sae_source(SimpleNamespace(experiment="own", case="only", sae=name)) for name in saes
    }
    assert found["theirs"] == ["users_saes.py"]
    assert sorted(found["folders"]) == ["theirs/only_0/cfg.json", "theirs/only_0/sae_weights.safetensors"]
    assert found["trained"] == []


def test_external_saes_are_not_trained() -> None:
    models = sa.import_toy_model(drawn(M, 4), probability=0.2, n_features=4)
    with pytest.raises(TrainingError, match=r"must be imported, as sa\.import_saes does"):
        sa.train_saes(models, n_latents=3, architecture="external")


# --- SAELens itself ----------------------------------------------------------------------------------------


@pytest.mark.saelens
@pytest.mark.parametrize("subtracts", [True, False])
@pytest.mark.parametrize("architecture", ["standard", "topk", "jumprelu", "gated"])
def test_from_saelens_and_back_reconstructions_stay(
    architecture: str, subtracts: bool, tmp_path: Path
) -> None:
    sae_lens = pytest.importorskip("sae_lens")
    named = {"standard": "Standard", "topk": "TopK", "jumprelu": "JumpReLU", "gated": "Gated"}[architecture]
    more = {"k": 2} if architecture == "topk" else {}
    configuration = getattr(sae_lens, f"{named}SAEConfig")(
        d_in=M, d_sae=N_LATENTS, apply_b_dec_to_input=subtracts, **more
    )
    theirs = getattr(sae_lens, f"{named}SAE")(configuration)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            values = torch.from_numpy(drawn(*parameter.shape))
            parameter.copy_(values.abs() if name == "threshold" else values)
        expected = theirs(torch.from_numpy(H)).numpy()
    theirs.save_model(tmp_path / "theirs")
    ours = sa.import_saes(tmp_path / "theirs")
    np.testing.assert_allclose(ours.reconstruct(H)[0], expected, atol=TOLERANCE)
    write_saelens(ours, 0, tmp_path / "back")
    with torch.no_grad():
        back = sae_lens.SAE.load_from_disk(str(tmp_path / "back"))(torch.from_numpy(H)).numpy()
    np.testing.assert_allclose(back, expected, atol=TOLERANCE)
