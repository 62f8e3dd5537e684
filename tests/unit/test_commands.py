"""The commands, as the workflow's rules call them: a small real chain, and what they say to bad input."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from superposition_atlas import config
from superposition_atlas.cli.commands import explain
from superposition_atlas.cli.main import COMMANDS, FOR_PEOPLE, FOR_RULES, main
from superposition_atlas.observations import claims
from superposition_atlas.observations.words import STATES
from superposition_atlas.schedules import Schedule, uniform
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.experiment_files import read_experiment
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.storage.parquet import read_table, table_provenance
from superposition_atlas.storage.provenance import package_versions
from superposition_atlas.storage.sae_files import read_saes
from superposition_atlas.storage.tensors import read_tensors
from superposition_atlas.training.train_toy_models import train

SPEC: dict[str, Any] = {
    "experiments": {
        "talk": {
            "title": "A small talk",
            "n_features": 5,
            "n_hidden": 2,
            "seeds": [5, 0, 7, 3],
            "shown_seeds": 2,
            "importance": {"family": "geometric", "first": 1.0, "ratio": 0.9},
            "probability": {"family": "linear", "first": 0.9, "last": 0.1},
            "training": {"steps": 60, "batch_size": 16, "learning_rate": 0.01, "init_scale": 0.2},
            "claims": True,
            "cases": {
                "case1": {"role": "aligned", "title": "The more important, the less sparse"},
                "case2": {
                    "role": "reversed",
                    "probability": {"family": "permutation", "of": "base", "order": "reversed"},
                },
                "post4": {"role": "equal", "importance": {"family": "constant", "value": 1.0}},
                "uniform": {
                    "role": "densities",
                    "probability": {
                        "family": "per_instance",
                        "of": {"family": "geometric", "first": 1.0, "last": 0.1},
                        "count": 3,
                    },
                },
                "slow": {"training": {"steps": 80}},
            },
            "saes": {
                name: {
                    "n_latents": 4,
                    "resampling": resampling,
                    "steps": 40,
                    "batch_size": 16,
                    "resample_every": 20,
                    "dead_window": 10,
                    "record_steps": [0, 40],
                    "seeds": 3,
                }
                for name, resampling in (("relu_none", "none"), ("relu_simple", "simple"))
            },
        }
    }
}
CASES = tuple(SPEC["experiments"]["talk"]["cases"])
SEEDS = SPEC["experiments"]["talk"]["seeds"]
RECOVERY_TABLES = ("saes", "latents", "recovered", "history", "polysemanticity")

# The contract: columns that figures, report and other people's notebooks go by.
CONTRACT = {
    "schedules": {"case", "feature", "importance", "probability"},
    "models": {
        "case",
        "seed",
        "loss",
        "frobenius_norm",
        "n_represented",
        "n_represented_l1",
        "n_dedicated",
    },
    "features": {
        "case",
        "seed",
        "feature",
        "importance",
        "probability",
        "norm",
        "bias",
        "dimensionality",
        "interference",
        "net_interference",
        "represented",
        "dedicated",
    },
    "saes": {
        "case",
        "seed",
        "architecture",
        "sparsity_coefficient",
        "n_latents",
        "l0",
        "fvu",
        "mmcs",
        "recall_represented",
        "recall_all",
        "uniqueness",
        "dead_fraction",
    },
    "claims": {
        "observation",
        "experiment",
        "case",
        "family",
        "n_seeds",
        "n_holding",
        "fraction",
        "ci_low",
        "ci_high",
        "verdict",
    },
}


def run(command: str, *arguments: object) -> None:
    assert main([command, *map(str, arguments)]) == 0


class Chain:
    """The paths of a small chain, and the commands that make it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.schedules = folder / "schedules.parquet"
        self.claims = folder / "claims.parquet"

    def models(self, case: str) -> Path:
        return self.folder / "models" / f"{case}.safetensors"

    def sae(self, case: str, name: str) -> Path:
        return self.folder / "saes" / case / f"{name}.safetensors"

    def table(self, name: str, case: str | None = None) -> Path:
        return self.folder / "metrics" / (case or "all") / f"{name}.parquet"

    def write_schedules(self) -> None:
        spec = json.dumps(SPEC)
        run("schedules", "--experiment", "talk", "--spec", spec, "--output", self.schedules)

    def train(self, case: str, *more: object) -> None:
        run("train", "--schedules", self.schedules, "--case", case, "--output", self.models(case), *more)

    def measure(self, case: str) -> None:
        outputs = [
            word for name in ("models", "features") for word in (f"--output-{name}", self.table(name, case))
        ]
        run("features", "--models", self.models(case), "--case", case, "--shown-seeds", 2, *outputs)

    def recover(self, case: str) -> None:
        names = []
        for name, sae in config.load(SPEC).experiments["talk"].saes.items():
            names.append(self.sae(case, name))
            spec = json.dumps(config.sae_spec(sae))
            run("saes", "--models", self.models(case), "--spec", spec, "--output", names[-1])
        outputs = [word for name in RECOVERY_TABLES for word in (f"--output-{name}", self.table(name, case))]
        case_arguments = ("--models", self.models(case), "--case", case, "--shown-seeds", 2)
        run("recovery", *case_arguments, "--saes", *names, *outputs)

    def collect(self, name: str, cases: tuple[str, ...]) -> None:
        tables = [self.table(name, case) for case in cases]
        run("collect", "--tables", *tables, "--output", self.table(name))

    def write_claims(self) -> None:
        features = self.table("features")
        run("claims", "--schedules", self.schedules, "--features", features, "--output", self.claims)

    def contents(self) -> dict[str, bytes]:
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


def build(folder: Path) -> Chain:
    chain = Chain(folder)
    chain.write_schedules()
    for case in CASES:
        chain.train(case)
        chain.measure(case)
    chain.recover("case1")
    for name in ("models", "features"):
        chain.collect(name, CASES)
    for name in RECOVERY_TABLES:
        chain.collect(name, ("case1",))
    chain.write_claims()
    return chain


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return build(tmp_path_factory.mktemp("chain"))


# --- the chain ---------------------------------------------------------------------------------------------


def test_the_tables_have_the_columns_of_the_contract(chain: Chain) -> None:
    tables = {"schedules": chain.schedules, "claims": chain.claims}
    for name, columns in CONTRACT.items():
        path = tables.get(name, chain.table(name))
        assert columns <= set(read_table(path).columns), name


def test_the_chain_leaves_its_outputs_and_nothing_else(chain: Chain) -> None:
    per_case = {f"models/{case}.safetensors" for case in CASES}
    per_case |= {f"metrics/{case}/{name}.parquet" for case in CASES for name in ("models", "features")}
    recovery = {f"metrics/{case}/{name}.parquet" for case in ("case1", "all") for name in RECOVERY_TABLES}
    saes = {f"saes/case1/{name}.safetensors" for name in ("relu_none", "relu_simple")}
    joined = {
        "schedules.parquet",
        "claims.parquet",
        "metrics/all/models.parquet",
        "metrics/all/features.parquet",
    }
    assert set(chain.contents()) == per_case | recovery | saes | joined


def test_the_same_commands_give_the_same_bytes(chain: Chain) -> None:
    before = chain.contents()
    build(chain.folder)
    assert chain.contents() == before


def test_schedules_are_the_configured_families(chain: Chain) -> None:
    table = read_table(chain.schedules)
    cases = {name: rows.set_index(["variant", "feature"]) for name, rows in table.groupby("case")}
    assert list(table["case"].unique()) == list(CASES)
    np.testing.assert_allclose(cases["case1"]["probability"], [0.9, 0.7, 0.5, 0.3, 0.1])
    np.testing.assert_allclose(cases["case1"]["importance"], 0.9 ** np.arange(5))
    np.testing.assert_allclose(cases["case2"]["probability"], [0.1, 0.3, 0.5, 0.7, 0.9])
    np.testing.assert_allclose(cases["post4"]["importance"], 1.0)
    assert len(cases["uniform"]) == 3 * 5
    for variant, density in enumerate((1.0, 0.1**0.5, 0.1)):
        np.testing.assert_allclose(cases["uniform"].loc[variant]["probability"], density)
        np.testing.assert_allclose(cases["uniform"].loc[variant]["importance"], 0.9 ** np.arange(5))


def test_later_stages_read_the_experiment_back_whole(chain: Chain) -> None:
    experiment = read_experiment(chain.schedules)
    loaded = config.load(SPEC).experiments["talk"]
    for key in ("name", "title", "family", "n_features", "n_hidden", "seeds", "shown_seeds", "claims"):
        assert getattr(experiment, key) == getattr(loaded, key), key
    assert list(experiment.cases) == list(loaded.cases)
    for name, case in experiment.cases.items():
        assert case.title == loaded.cases[name].title
        assert case.training == loaded.cases[name].training.as_dict()
        np.testing.assert_array_equal(*np.broadcast_arrays(case.importance, loaded.cases[name].importance))
        np.testing.assert_array_equal(case.probability, loaded.cases[name].probability)


def test_models_are_trained_on_their_cases_schedule_and_settings(chain: Chain) -> None:
    models = {case: read_models(chain.models(case)) for case in CASES}
    for case, trained in models.items():
        assert trained.seeds.tolist() == SEEDS
        assert trained.W.shape == (4, 2, 5)
        assert trained.settings.steps == (80 if case == "slow" else 60)
        assert trained.settings.init_scale == 0.2
    # The k-th seed takes variant k mod 3.
    np.testing.assert_allclose(models["uniform"].probability[:, 0], [1.0, 0.1**0.5, 0.1, 1.0])
    np.testing.assert_allclose(models["case2"].probability[:, 0], 0.1)
    assert not np.allclose(models["case1"].W, models["case2"].W)


@pytest.mark.parametrize("case", ["uniform", "slow"])
def test_the_command_trains_what_the_library_trains(chain: Chain, case: str) -> None:
    described = config.load(SPEC).experiments["talk"].cases[case]
    variant = np.arange(len(SEEDS)) % len(described.probability)
    models = train(
        Schedule(described.importance[[0] * len(SEEDS)], described.probability[variant]),
        n_hidden=2,
        seeds=SEEDS,
        **described.training.as_dict(),
    )
    by_command = read_models(chain.models(case))
    for name in ("W", "b", "loss"):
        np.testing.assert_array_equal(getattr(by_command, name), getattr(models, name))
    assert by_command.engine == models.engine


def test_more_threads_train_the_same_models(chain: Chain, tmp_path: Path) -> None:
    arguments = ("--schedules", chain.schedules, "--case", "case1", "--output", tmp_path / "m.safetensors")
    run("train", *arguments, "--engine", "fused", "--threads", 2)
    one = read_models(chain.models("case1"))
    two = read_models(tmp_path / "m.safetensors")
    if one.engine == two.engine:
        np.testing.assert_array_equal(one.W, two.W)
    else:  # a GPU took the first
        np.testing.assert_allclose(one.W, two.W, atol=0.05)


def test_tables_have_a_row_for_every_case_seed_and_feature(chain: Chain) -> None:
    models, features = (read_table(chain.table(name)) for name in ("models", "features"))
    assert len(models) == len(CASES) * len(SEEDS)
    assert not models.duplicated(["case", "seed"]).any()
    assert len(features) == len(models) * 5
    assert not features.duplicated(["case", "seed", "feature"]).any()
    for table in (models, features):
        # The first seeds as they are listed, not the smallest.
        assert set(table.loc[table["shown"], "seed"]) == {5, 0}
    counts = features.groupby(["case", "seed"])["represented"].sum()
    expected = models.set_index(["case", "seed"])["n_represented"].sort_index()
    assert counts.to_list() == expected.to_list()


def test_recovery_measures_each_sae_on_its_own_model(chain: Chain) -> None:
    saes = read_table(chain.table("saes"))
    assert set(saes["sae"]) == {"relu_none", "relu_simple"}
    assert saes.groupby("sae")["seed"].apply(list).to_dict() == dict.fromkeys(
        ("relu_none", "relu_simple"), SEEDS[:3]
    )
    latents, history = (read_table(chain.table(name)) for name in ("latents", "history"))
    assert len(latents) == 2 * 3 * 4
    assert len(history) == 2 * 2 * 3 * 4
    assert set(history["step"]) == {0, 40}
    units = read_table(chain.table("polysemanticity"))
    assert len(units) == 2 * 3 * 4 + 3 * 2
    assert set(units.loc[units["sae"].isna(), "kind"]) == {"neuron"}


def test_collecting_changes_nothing_but_the_number_of_rows(chain: Chain) -> None:
    parts = [read_table(chain.table("models", case)) for case in CASES]
    pd.testing.assert_frame_equal(read_table(chain.table("models")), pd.concat(parts, ignore_index=True))


def test_claims_are_those_of_the_features(chain: Chain) -> None:
    table = read_table(chain.claims)
    assert set(table["experiment"]) == {"talk"}
    assert set(table["family"]) == {"linear"}
    assert {
        "O1",
        "O1-three",
        "O2",
        "O2-every",
        "O3",
        "O3-almost",
        "P1-fewest",
        "P1-least",
        "P1-top",
        "P2",
        "P2-row",
        "P4",
    } == set(table["observation"])
    assert set(table["n_seeds"]) == {2, 4}
    row = table[(table["observation"] == "O1") & (table["case"] == "case1") & (table["sample"] == "all")]
    features = read_table(chain.table("features", "case1"))
    all_represented = features.groupby("seed")["represented"].all()
    assert row.loc[row["primary"], "n_holding"].item() == int((~all_represented).sum())
    assert set(table["state"]) <= {"", *STATES}
    assert list(table.columns) == list(claims.COLUMNS)


def test_every_artefact_names_spec_and_code(chain: Chain) -> None:
    makers = {
        chain.schedules: "schedules",
        chain.models("case1"): "train",
        chain.sae("case1", "relu_none"): "saes",
        chain.table("features", "case1"): "features",
        chain.table("saes", "case1"): "recovery",
        chain.table("features"): "collect",
        chain.claims: "claims",
    }
    for path, command in makers.items():
        provenance = table_provenance(path) if path.suffix == ".parquet" else read_tensors(path)[1]
        assert provenance["code"] == code_digest(f"superposition_atlas.cli.commands.{command}")
        assert provenance["spec"], path
        assert provenance["versions"] == package_versions()


@pytest.mark.parametrize("which", ["schedules", "models"])
def test_explain_prints_the_provenance(chain: Chain, capsys: pytest.CaptureFixture[str], which: str) -> None:
    path = chain.schedules if which == "schedules" else chain.models("case2")
    run("explain", path)
    printed = json.loads(capsys.readouterr().out)
    if which == "schedules":
        assert printed.items() >= table_provenance(path).items()
        assert printed["spec"]["seeds"] == SEEDS
    else:
        assert printed.items() >= read_tensors(path)[1].items()
        np.testing.assert_allclose(printed["spec"]["probability"], [[0.1, 0.3, 0.5, 0.7, 0.9]])


def test_check_config_says_what_a_configuration_comes_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(json.dumps(SPEC))
    second.write_text("experiments: {talk: {seeds: 6}}")
    run("check-config", first)
    assert capsys.readouterr().out == (
        "talk: 5 features in 2 dimensions, 5 cases, 20 toy models, 2 SAEs a toy model\n"
    )
    run("check-config", first, second)
    assert "30 toy models" in capsys.readouterr().out
    second.write_text("experiments: {least: {like: talk, claims: true}, least_all: {like: least}}")
    assert main(["check-config", str(first), str(second)]) == 1
    assert capsys.readouterr().err.startswith(
        "error: experiments.least_all: got a name that gives the figure"
    )


# --- bad input ---------------------------------------------------------------------------------------------


def wrong_spec(**changes: Any) -> str:
    return json.dumps({"experiments": {"talk": SPEC["experiments"]["talk"] | changes}})


def written(path: Path) -> Path:
    """A file that is not one of the pipeline's."""
    path.write_bytes(b"PK")
    return path


def truncated(path: Path, folder: Path) -> Path:
    copy = folder / path.name
    copy.write_bytes(path.read_bytes()[:-7])
    return copy


Arguments = Callable[[Chain, Path], list[object]]
OUT = "must-not-be-written"
FIGURE = '{"module": "%s", "inputs": {}, "options": {}}'

BAD: dict[str, tuple[Arguments, str]] = {
    "schedules: no such experiment": (
        lambda c, t: ["schedules", "--experiment", "walk", "--spec", json.dumps(SPEC), "--output", t / OUT],
        "--experiment walk: allowed is one of talk",
    ),
    "schedules: a wrong value": (
        lambda c, t: [
            *("schedules", "--experiment", "talk", "--output", t / OUT),
            *("--spec", wrong_spec(n_hidden=0)),
        ],
        "experiments.talk.n_hidden: got 0",
    ),
    "train: no schedules": (
        lambda c, t: ["train", "--schedules", t / "none.parquet", "--case", "case1", "--output", t / OUT],
        "none.parquet: no such file",
    ),
    "train: no such shard": (
        lambda c, t: [
            *("train", "--schedules", c.schedules, "--case", "case1", "--output", t / OUT),
            *("--shard", 3, "--shards", 3),
        ],
        "--shard is 3: must be at most 2",
    ),
    "train: no shards": (
        lambda c, t: [
            *("train", "--schedules", c.schedules, "--case", "case1", "--output", t / OUT, "--shards", 0)
        ],
        "--shards is 0: must be at least 1",
    ),
    "join-models: another case's": (
        lambda c, t: [
            *("join-models", "--schedules", c.schedules, "--case", "case1", "--output", t / OUT),
            *("--models", c.models("case1"), c.models("case2")),
        ],
        "case2.safetensors: got toy models of another experiment or case",
    ),
    "join-models: one twice": (
        lambda c, t: [
            *("join-models", "--schedules", c.schedules, "--case", "case1", "--output", t / OUT),
            *("--models", c.models("case1"), c.models("case1")),
        ],
        "has a seed twice",
    ),
    "train: no such case": (
        lambda c, t: ["train", "--schedules", c.schedules, "--case", "case9", "--output", t / OUT],
        "experiment talk has no case 'case9'; it has case1, case2, post4, uniform, slow",
    ),
    "train: another table": (
        lambda c, t: [
            *("train", "--schedules", c.table("models"), "--case", "case1"),
            *("--output", t / OUT),
        ],
        "has no column 'variant'",
    ),
    "train: truncated schedules": (
        lambda c, t: [
            *("train", "--schedules", truncated(c.schedules, t), "--case", "case1"),
            *("--output", t / OUT),
        ],
        "schedules.parquet: not the Parquet file that this pipeline wrote",
    ),
    "train: no threads": (
        lambda c, t: [
            *("train", "--schedules", c.schedules, "--case", "case1", "--threads", 0),
            *("--output", t / OUT),
        ],
        "threads is 0: must be at least 1",
    ),
    "train: the fused engine on a GPU": (
        lambda c, t: [
            *("train", "--schedules", c.schedules, "--case", "case1", "--engine", "fused"),
            *("--device", "cuda", "--output", t / OUT),
        ],
        "engine fused runs on the CPU only",
    ),
    "train: an output that can't be": (
        lambda c, t: [
            *("train", "--schedules", c.schedules, "--case", "case1"),
            *("--output", c.schedules / OUT),
        ],
        f"schedules.parquet/{OUT}: can't be written",
    ),
    "features: truncated models": (
        lambda c, t: [
            *("features", "--models", truncated(c.models("case1"), t), "--case", "case1"),
            *("--shown-seeds", 2, "--output-models", t / OUT, "--output-features", t / OUT),
        ],
        "case1.safetensors: not the safetensors file that this pipeline wrote",
    ),
    "features: SAEs for models": (
        lambda c, t: [
            *("features", "--models", c.sae("case1", "relu_none"), "--case", "case1"),
            *("--shown-seeds", 2, "--output-models", t / OUT, "--output-features", t / OUT),
        ],
        "relu_none.safetensors: holds no toy models",
    ),
    "recovery: models for SAEs": (
        lambda c, t: [
            *("recovery", "--models", c.models("case1"), "--saes", c.models("case1"), "--case", "case1"),
            *("--shown-seeds", 2),
            *(word for name in RECOVERY_TABLES for word in (f"--output-{name}", t / OUT)),
        ],
        "case1.safetensors: holds no SAEs",
    ),
    "collect: one table is missing": (
        lambda c, t: [
            *("collect", "--tables", c.table("models", "case1"), t / "none.parquet"),
            *("--output", t / OUT),
        ],
        "none.parquet: no such file",
    ),
    "claims: a table of models": (
        lambda c, t: [
            *("claims", "--schedules", c.schedules, "--features", c.table("models")),
            *("--output", t / OUT),
        ],
        "has no column 'feature'",
    ),
    "claims: not a file each": (
        lambda c, t: [
            *("claims", "--schedules", c.schedules, "--output", t / OUT),
            *("--features", c.table("features"), c.table("features")),
        ],
        "--features: got 2 files, allowed is one a file of --schedules (1)",
    ),
    "explain: another kind of file": (
        lambda c, t: ["explain", written(t / "report.zip")],
        "got a file that carries no provenance, allowed is one of .gif, .html, .json, .parquet, .pdf, .png",
    ),
    "explain: no file": (lambda c, t: ["explain", t / "none.parquet"], "none.parquet: no such file"),
    "explain: a name that can't be": (
        lambda c, t: ["explain", t / f"{'long' * 1000}.parquet"],
        "can't be read (File name too long)",
    ),
    "explain: a truncated file": (
        lambda c, t: ["explain", truncated(c.models("case1"), t)],
        "case1.safetensors: not the safetensors file that this pipeline wrote",
    ),
    "check-config: no file": (lambda c, t: ["check-config", t / "none.yaml"], "none.yaml"),
    "figure: no such module": (
        lambda c, t: ["figure", "--spec", FIGURE % "nothing", "--output", t / OUT],
        "module is 'nothing': there is no such figure",
    ),
    "figure: a missing option": (
        lambda c, t: ["figure", "--spec", FIGURE % "bias", "--output", t / OUT],
        "--spec: options.titles is missing",
    ),
    "figure: a module that is a path": (
        lambda c, t: ["figure", "--spec", FIGURE % "..main", "--output", t / OUT],
        "must be the name of a figure's module",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_line_and_leaves_nothing_behind(
    chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    arguments, message = BAD[what]
    words = [str(word) for word in arguments(chain, tmp_path)]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*")}
    results = chain.contents()
    assert main(words) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*")} == before
    assert chain.contents() == results


def command_line(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "superposition_atlas", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_the_command_line_ends_with_1_one_line_and_no_traceback(chain: Chain, tmp_path: Path) -> None:
    output = tmp_path / "features.parquet"
    result = command_line(
        *("features", "--models", truncated(chain.models("case1"), tmp_path), "--case", "case1"),
        *("--shown-seeds", 2, "--output-models", output, "--output-features", output),
    )
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        f"error: {tmp_path / 'case1.safetensors'}: not the safetensors file that this pipeline wrote"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["case1.safetensors"]


def test_training_is_quiet_where_there_is_no_terminal(chain: Chain, tmp_path: Path) -> None:
    result = command_line(
        *("train", "--schedules", chain.schedules, "--case", "case1"),
        *("--output", tmp_path / "m.safetensors"),
    )
    assert (result.returncode, result.stdout) == (0, "")
    *estimate, line = result.stderr.splitlines()
    assert line.startswith("4 models, median loss 0.")
    # It takes so little time that it may be over before there is an estimate.
    assert len(estimate) <= 1
    assert all(said.startswith("4 toy models 5 → 2, 60 steps of 16 samples") for said in estimate)


# --- the command line itself -------------------------------------------------------------------------------


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", printed, re.MULTILINE)
    people, rules = (
        printed.index(title) for title in ("commands for people:", "that the workflow's rules call:")
    )
    assert all(people < printed.index(f"  {name} ") < rules for name in FOR_PEOPLE)
    assert all(rules < printed.index(f"  {name} ") for name in FOR_RULES)


def test_commands_for_rules_are_those_that_rules_call() -> None:
    rules = "".join(path.read_text() for path in Path(__file__).parents[2].glob("workflow/rules/*.smk"))
    assert set(re.findall(r"python -m superposition_atlas ([\w-]+)", rules)) == set(FOR_RULES)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_for_all_its_arguments(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert COMMANDS[name] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", [[], ["dance"], ["train"], ["train", "--case"], ["explain", "a", "b"]])
def test_a_wrong_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "spec", "said"),
    [
        ("saes", "{", "no JSON (Expecting property name"),
        ("saes", "[" * 100_000, "no JSON ("),
        ("schedules", "[1]", "it is [1]: must be a JSON object"),
        ("saes", "{}", "seeds is missing"),
        ("map-weights", '{"seeds": 3}', "variants is missing"),
        ("map-points", '{"n_features": 5, "points": {}}', "n_hidden is missing"),
        ("attention", '{"uniform": {}}', "uniform.n_features is missing"),
        ("playground", '{"xor": 1}', "xor is 1: must be a JSON object"),
    ],
)
def test_a_spec_that_says_too_little_is_refused(
    command: str, spec: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--spec", spec])
    assert caught.value.code == 2
    assert f"error: argument --spec: {said}" in capsys.readouterr().err


def test_a_spec_may_come_through_standard_input(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As rules give it: an argument may be 128 KiB at most."""
    path = tmp_path / "schedules.parquet"
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(SPEC)))
    run("schedules", "--experiment", "talk", "--spec", "-", "--output", path)
    assert path.read_bytes() == chain.schedules.read_bytes()


def test_what_is_wrong_in_standard_input_is_said_as_of_an_argument(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("[1]"))
    with pytest.raises(SystemExit):
        main(["saes", "--spec", "-"])
    assert "error: argument --spec: it is [1]: must be a JSON object" in capsys.readouterr().err


def test_an_interruption_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(path: Path) -> dict[str, Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(explain, "require_file", interrupted)
    assert main(["explain", "x.parquet"]) == 130
    assert capsys.readouterr().err == "error: explain was interrupted; run the same command again\n"


def test_a_mistake_of_the_programs_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> dict[str, Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(explain, "require_file", broken)
    with pytest.raises(ZeroDivisionError):
        main(["explain", "x.parquet"])


def test_commands_that_train_nothing_do_not_load_what_trains() -> None:
    commands = ["schedules", "map-points", "features", "collect", "claims", "explain"]
    script = (
        "import sys; from superposition_atlas.cli.main import COMMANDS, main\n"
        f"for command in {commands}:\n"
        "    try: main([command, '--help'])\n"
        "    except SystemExit: pass\n"
        "    print('LOADED BY', command, *sorted({'torch', 'numba'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = [line for line in result.stdout.splitlines() if line.startswith("LOADED BY")]
    assert loaded == [f"LOADED BY {command}" for command in commands]


def test_jobs_that_measure_and_draw_nothing_do_not_load_pandas(chain: Chain, tmp_path: Path) -> None:
    """Most jobs of a run are such, and shorter than its import."""
    sae = json.dumps(config.sae_spec(config.load(SPEC).experiments["talk"].saes["relu_simple"]))
    schedules, models, saes, joined = (
        str(tmp_path / name) for name in ("s.parquet", "m.safetensors", "a.safetensors", "j.parquet")
    )
    commands = [
        ["schedules", "--experiment", "talk", "--spec", json.dumps(SPEC), "--output", schedules],
        ["train", "--schedules", schedules, "--case", "case1", "--engine", "fused", "--output", models],
        ["saes", "--models", models, "--spec", sae, "--output", saes],
        ["collect", "--tables", str(chain.table("models", "case1")), "--output", joined],
        ["explain", models],
    ]
    script = (
        "import sys; from superposition_atlas.cli.main import COMMANDS, main\n"
        f"for command in {commands!r}: assert main(command) == 0\n"
        "print('LOADED', *sorted({'pandas', 'torch'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "LOADED"


def test_saes_are_trained_on_the_toy_models_of_exactly_their_seeds(tmp_path: Path) -> None:
    """A list of small and large seeds is one of floats to numpy, in which these two are one."""
    seeds = [2**63 + 1, 2**63 + 2, 5]
    trained = train(uniform(3, 0.5), 2, seeds, steps=0)
    models, saes = tmp_path / "models.safetensors", tmp_path / "random.safetensors"
    write_models(trained, models, {}, "code")
    spec = {"seeds": seeds[1:], "architecture": "random", "n_latents": 3}
    run("saes", "--models", models, "--spec", json.dumps(spec), "--output", saes)
    tables = {name: tmp_path / f"{name}.parquet" for name in RECOVERY_TABLES}
    outputs = [word for name, path in tables.items() for word in (f"--output-{name}", path)]
    run("recovery", "--models", models, "--case", "a", "--shown-seeds", 3, "--saes", saes, *outputs)
    assert read_saes(saes).seeds.tolist() == seeds[1:]
    for name, path in tables.items():
        table = read_table(path)
        if len(table):
            assert set(table["seed"].tolist()) == set(seeds[1:]), name
