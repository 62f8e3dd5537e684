"""`explain`: it says what stands at any path, and never tells to delete what is whole or foreign."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from superposition_atlas import schedules
from superposition_atlas.cli.main import main
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.storage import layout
from superposition_atlas.storage.interchange import write_saelens, write_toy_model
from superposition_atlas.storage.model_files import write_models
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.toy_model import ToyModels
from superposition_atlas.training.train_toy_models import train

SPEC = {"title": "Spärlich → 稀疏"}


@pytest.fixture(scope="module")
def models() -> ToyModels:
    return train(schedules.Schedule(np.ones(3), np.full(3, 0.2)), 2, [5], steps=2, engine="fused")


@pytest.fixture
def results(models: ToyModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables and toy models of experiments, one of them called results, written as rules write them."""
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame({"case": ["a"]})
    for path in (layout.case_schedules("talk", "case1"), layout.case_table("results", "results", "models")):
        write_table(table, Path(path), provenance_of(SPEC, "code"))
    write_models(models, Path(layout.models("results", "results")), SPEC, "code")
    write_toy_model(models, 0, tmp_path / "exported.safetensors", provenance_of(SPEC, "code"))
    return tmp_path / "results"


def explained(path: Path | str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert main(["explain", str(path)]) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    assert found["spec"] == SPEC
    return found


def test_a_path_may_be_typed_in_any_way(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (results.parent / "link").symlink_to(results / "schedules")
    assert explained("link/talk/case1.parquet", capsys)["made_by"] == "schedules"
    monkeypatch.chdir(results / "models")
    assert explained("../schedules/talk/case1.parquet", capsys)["made_by"] == "schedules"
    assert explained("results/results.safetensors", capsys)["made_by"] == "train"
    table = explained(results / "metrics/results/cases/results/models.parquet", capsys)
    assert table["made_by"] == "features"
    assert "results/metrics/results/cases/results/models.parquet" in str(table["rebuild"])


def test_a_copy_or_a_move_is_whole(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = results.rename(results.parent / "of_last_year")
    path = moved / "schedules/talk/case1.parquet"
    assert explained(path, capsys)["kind"] == "a file of this pipeline, outside results/"
    again = results.parent / "results/models/talk/other.parquet"
    again.parent.mkdir(parents=True)
    path.rename(again)
    explained(again, capsys)


def test_what_export_wrote_is_explained(
    results: Path, models: ToyModels, capsys: pytest.CaptureFixture[str]
) -> None:
    saes = train_saes(models, n_latents=3, steps=2)
    write_saelens(saes, 0, results.parent / "sae", provenance_of(SPEC, "code"))
    for name in ("exported.safetensors", "sae/cfg.json"):
        assert explained(results.parent / name, capsys)["made_by"] == "export"
    assert main(["explain", str(results.parent / "sae/sae_weights.safetensors")]) == 1
    assert "carries no provenance: this pipeline did not make it" in capsys.readouterr().err


def foreign(folder: Path) -> dict[str, str]:
    """Files of others, and what is to be said of each."""
    save_file({"W": np.ones(3, np.float32)}, folder / "foreign.safetensors")
    pd.DataFrame({"a": [1]}).to_parquet(folder / "foreign.parquet")
    for name in ("weights.pt", "notes.parquet", "picture.png", "empty.json"):
        (folder / name).write_bytes(
            {"weights.pt": b"PK\x03\x04", "empty.json": b""}.get(name, b"some notes\n")
        )
    (folder / "cut.parquet").write_bytes((folder / "foreign.parquet").read_bytes()[:50])
    (folder / "folder.parquet").mkdir()
    os.mkfifo(folder / "pipe.parquet")
    (folder / "loop.parquet").symlink_to("loop.parquet")
    (folder / "nowhere.parquet").symlink_to("gone.parquet")
    return {
        "foreign.safetensors": "carries no provenance: this pipeline did not make it",
        "foreign.parquet": "carries no provenance: this pipeline did not make it",
        "weights.pt": "got a file that carries no provenance",
        "notes.parquet": "got a text file, allowed is a file of this pipeline (Parquet)",
        "picture.png": "got a text file, allowed is a file of this pipeline (PNG)",
        "empty.json": "got an empty file",
        "cut.parquet": "a Parquet file that ends early, or that this pipeline did not make",
        "folder.parquet": "got a folder, allowed is a file",
        "pipe.parquet": "got a named pipe, allowed is a file",
        "loop.parquet": "can't be read (Too many levels of symbolic links)",
        "nowhere.parquet": "a link to gone.parquet, which does not exist",
        "missing.parquet": "no such file",
    }


def test_of_what_is_not_ours_it_says_what_it_is(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, message in foreign(results.parent).items():
        assert main(["explain", str(results.parent / name)]) == 1
        printed = capsys.readouterr().err
        assert printed.startswith(f"error: {results.parent / name}: {message}"), name
        assert printed.count("\n") == 1
        assert "delete" not in printed
        assert "damaged" not in printed


def run(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "superposition_atlas", "explain", str(path)]
    return subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_a_terminal_that_is_not_utf_8_gets_escapes_that_are_json(results: Path) -> None:
    for encoding in ("ascii", "latin-1"):
        result = run(results / "schedules/talk/case1.parquet", PYTHONIOENCODING=encoding)
        assert (result.returncode, result.stderr) == (0, "")
        assert json.loads(result.stdout)["spec"] == SPEC


def test_a_reader_may_end_early(results: Path) -> None:
    command = f"{sys.executable} -m superposition_atlas explain {results}/schedules/talk/case1.parquet"
    # The pipe has no reader from the start.
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {{ sleep 0.3; {command}; }} | true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (141, "")
