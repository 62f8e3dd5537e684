"""A user's own architecture, the example of the documentation, goes through every stage."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from superposition_atlas import schedules
from superposition_atlas.cli.main import main
from superposition_atlas.config import load
from superposition_atlas.config.saes import check_saes
from superposition_atlas.errors import ArtefactError, ConfigError, TrainingError
from superposition_atlas.figures import catalogue
from superposition_atlas.figures.draw import sae_pareto
from superposition_atlas.figures.parts import sae_series, style
from superposition_atlas.report.facts.sae_recovery_facts import comparison
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.report.sources import Sources
from superposition_atlas.sae.architectures import registry
from superposition_atlas.sae.architectures.registry import FILES_VARIABLE, by_name, names
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import write_models
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.saved import load as load_ensemble
from superposition_atlas.storage.saved import save
from superposition_atlas.training.train_toy_models import train

ROOT = Path(__file__).parents[2]
CODE = {"spec": {}, "code": "test"}


def example() -> str:
    """The file that the documentation shows."""
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/saes.md").read_text(encoding="utf-8"), re.DOTALL
    )
    (text,) = [block for block in blocks if "ARCHITECTURE = " in block]
    return str(text)


@pytest.fixture
def users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "square_root.py"
    path.write_text(example(), encoding="utf-8")
    monkeypatch.setenv(FILES_VARIABLE, str(path))
    return path


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    registry.unregister("square_root")


CONFIG = {
    "experiments": {
        "own": {
            "n_features": 5,
            "n_hidden": 2,
            "seeds": 2,
            "cases": {"only": {}},
            "saes": {
                "square_root": {
                    "architecture": "square_root",
                    "n_latents": 5,
                    "steps": 50,
                    "dead_window": 10,
                    "seeds": 2,
                },
                "pca": {"architecture": "pca", "n_latents": 5, "seeds": 2},
            },
        }
    }
}


def test_a_whole_file_of_an_unregistered_architecture_is_not_called_anything_else(
    users_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = train(
        schedules.uniform(5, 0.1), n_hidden=2, seeds=range(2), steps=2, batch_size=4, engine="torch"
    )
    saes = train_saes(models, architecture="square_root", n_latents=5, steps=2, batch_size=4)
    save(saes, tmp_path / "saes.safetensors")
    monkeypatch.delenv(FILES_VARIABLE)
    with pytest.raises(ArtefactError, match=f"square_root.*is not known here: register it.*{FILES_VARIABLE}"):
        load_ensemble(tmp_path / "saes.safetensors")
    monkeypatch.setenv(FILES_VARIABLE, str(users_file))
    again = load_ensemble(tmp_path / "saes.safetensors")
    np.testing.assert_array_equal(again.parameters["W_enc"], saes.parameters["W_enc"])


def test_an_architecture_of_a_users_own_goes_through_every_stage(users_file: Path, tmp_path: Path) -> None:
    config = load(yaml.safe_load(yaml.safe_dump(CONFIG)))
    check_saes(config)
    models = train(
        schedules.uniform(5, 0.1), n_hidden=2, seeds=range(2), steps=20, batch_size=16, engine="torch"
    )
    write_models(models, tmp_path / "models.safetensors", {}, "test")

    saes = [tmp_path / f"{name}.safetensors" for name in ("square_root", "pca")]
    for path in saes:
        spec = config.experiments["own"].saes[path.stem].settings | {"seeds": [0, 1]}
        arguments = ["saes", "--models", str(tmp_path / "models.safetensors"), "--spec", json.dumps(spec)]
        assert main([*arguments, "--output", str(path)]) == 0

    folder = tmp_path / "results/metrics/own"
    outputs = {
        name: folder / f"{name}.parquet"
        for name in ("saes", "latents", "recovered", "history", "polysemanticity")
    }
    folder.mkdir(parents=True)
    arguments = ["recovery", "--models", str(tmp_path / "models.safetensors"), "--case", "only"]
    arguments += ["--shown-seeds", "2", "--saes", *map(str, saes)]
    assert (
        main(
            [
                *arguments,
                *(text for name, path in outputs.items() for text in (f"--output-{name}", str(path))),
            ]
        )
        == 0
    )
    assert set(read_table(outputs["saes"])["architecture"]) == {"square_root", "pca"}
    compared = [f"--output-{name}={folder}/sae_{name}.parquet" for name in ("levels", "contrasts")]
    assert main(["compare-saes", "--saes", str(outputs["saes"]), *compared]) == 0

    modules = {figure.module for figure in catalogue.figures(config)}
    assert {"sae_pareto", "sae_by_feature"} <= modules
    schedule = pd.DataFrame(
        {"case": "only", "variant": 0, "feature": range(5), "importance": 1.0, "probability": 0.1}
    )
    spec = {
        "name": "own", "title": "own", "family": "linear", "n_features": 5, "n_hidden": 2, "shown_seeds": 2,
        "claims": False, "seeds": [0, 1], "cases": {"only": {"title": "only", "role": "", "training": {}}},
    }  # fmt: skip
    write_table(schedule, tmp_path / "schedules.parquet", {"spec": spec, "code": "test"})
    with style.applied():
        figure = sae_pareto.draw({"saes": outputs["saes"], "schedules": tmp_path / "schedules.parquet"})
        series = {one.name: one.look for one in sae_series.split(read_table(outputs["saes"]))}
    assert series["square_root"]["marker"] == by_name("square_root").look.marker
    assert "square root" in {text.get_text() for legend in figure.legends for text in legend.get_texts()}

    assert (
        main(["export", "--saes", str(saes[0]), "--seed", "1", "--output", str(tmp_path / "exported")]) == 0
    )
    exported = json.loads((tmp_path / "exported/cfg.json").read_text())
    assert exported["architecture"] == by_name("square_root").saelens.name

    sources = Sources(
        config=config,
        results=tmp_path / "results",
        benchmarks=tmp_path,
        captions=tmp_path,
        published=tmp_path,
    )
    facts = comparison(Ledger(sources), config.experiments["own"])
    assert facts.n_models == 2
    assert [(sae.label, sae.is_baseline, sae.n) for sae in facts.saes] == [
        (by_name("square_root").label, False, 1),
        (by_name("pca").label, True, 1),
    ]


def test_within_a_process_it_is_registered(restored: None) -> None:
    namespace: dict[str, Any] = {}
    exec(compile(example(), "square_root.py", "exec"), namespace)
    registry.register(namespace["ARCHITECTURE"])
    assert names()[-1] == "square_root"
    models = train(schedules.uniform(5, 0.1), n_hidden=2, seeds=[3], steps=0, engine="torch")
    saes = train_saes(models, architecture="square_root", n_latents=5, steps=20, batch_size=16, dead_window=5)
    assert saes.engine == "torch"
    assert np.isfinite(saes.W_dec).all()
    with pytest.raises(
        TrainingError, match="tied is True: must be its default, False, with architecture square_root"
    ):
        train_saes(models, architecture="square_root", n_latents=5, tied=True)


def test_an_unknown_architecture_is_named_with_those_there_are() -> None:
    with pytest.raises(
        ConfigError, match=r"own\.saes\.square_root\.architecture: got 'square_root', allowed is relu, gated"
    ):
        check_saes(load(CONFIG))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "must be a Python file that exists"),
        ("x = 1", "it must define ARCHITECTURE"),
        ("1 / 0", r"it can't be imported \(ZeroDivisionError"),
        (
            "from superposition_atlas.sae.architectures.relu import ARCHITECTURE",
            "must have another name than relu",
        ),
    ],
)
def test_a_file_that_holds_no_architecture_is_named(
    text: str | None, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv(FILES_VARIABLE, str(path))
    with pytest.raises(TrainingError, match=named):
        by_name("relu")


def test_results_are_rebuilt_when_a_users_file_changes(users_file: Path) -> None:
    def digests() -> list[str]:
        return [
            code_digest(f"superposition_atlas.cli.commands.{name}") for name in ("saes", "recovery", "train")
        ]

    before = digests()
    users_file.write_text(example() + "\nADDED = 1\n")
    assert [one != other for one, other in zip(before, digests(), strict=True)] == [True, True, False]


def test_every_architectures_file_moves_the_digest_of_saes() -> None:
    script = (
        "from superposition_atlas.storage import code_digest as c; import sys;"
        "seen, waiting = set(), ['superposition_atlas.cli.commands.saes'];\n"
        "while waiting:\n"
        "    name = waiting.pop()\n"
        "    if name not in seen:\n"
        "        seen.add(name); waiting += c._imports(name)\n"
        "print('\\n'.join(seen))"
    )
    reached = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ
    )
    sae = ROOT / "workflow/src/superposition_atlas/sae"
    for path in (*sae.glob("architectures/*.py"), *sae.glob("fused/*.py")):
        module = ".".join(("superposition_atlas.sae", *path.relative_to(sae).with_suffix("").parts))
        assert module.removesuffix(".__init__") in reached.stdout.split() or path.stem == "__init__"
