"""Benchmarks run and write what their readers look for; what is compared with trains as well. No clock."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from superposition_atlas.sampling.sample import sample
from superposition_atlas.toy_model import encode, reconstruct

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(script, *arguments):
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_training_writes_times_shares_and_what_ran_where(tmp_path):
    path = tmp_path / "speed.json"
    small = ["--shape", "2x5-2", "--probability", ".1", "--turns", "1", "--seconds", ".01", "--threads", "1"]
    table = run("training.py", *small, "--no-compiled", "--json", str(path))
    assert "2 x (5 -> 2)" in table
    record = json.loads(path.read_text())
    assert {"date", "processor", "cores", "threads", "load_average", "versions"} <= record.keys()
    assert {"python", "numpy", "numba", "torch"} == record["versions"].keys()
    (result,) = record["results"]
    assert result["microseconds_a_step"].keys() == {"fused", "loop", "bmm", "utmost"}
    assert result["times_as_fast_as"].keys() == {"loop", "bmm", "utmost"}
    assert result["share_of_peak"].keys() == record["peak_gflops"].keys() == {"sgemm", "fused_multiply_adds"}
    assert all(share > 0.0 for share in result["share_of_peak"].values())


def test_the_gpus_benchmark_runs_without_one(tmp_path):
    if not os.environ.get("TRITON_INTERPRET"):
        pytest.skip("kernels are interpreted with TRITON_INTERPRET=1 only")
    path = tmp_path / "gpu.json"
    assert "5 → 2" in run("gpu.py", "--dry", "--json", str(path))
    record = json.loads(path.read_text())
    assert record["is_dry"]
    assert {"date", "card", "versions", "peak_teraflops", "toy_models", "saes"} <= record.keys()
    assert record["checked"]["largest_difference_from_reference"] < 1e-4
    for table in record["toy_models"]:
        assert {row["form"] for row in table["loops"]} == {"loop", "bmm"}
        (row,) = table["engine"]
        assert {"seconds", "models_a_second", "times_loop", "share_of_peak"} <= row.keys()
    assert [row["architecture"] for row in record["saes"]] == ["relu"]


def test_a_point_of_the_scaling_curve():
    point = json.loads(run("scaling.py", "--worker", "3", "10", "1", "1"))
    assert (point["instances"], point["steps"]) == (3, 10)
    assert point["largest_memory_mb"] >= point["of_which_before_mb"] > 0.0


def test_theory_writes_times_and_errors(tmp_path):
    path = tmp_path / "theory.json"
    small = ["--features", "2", "3", "--models", "5", "--turns", "1", "--samples", "1000"]
    table = run("theory.py", *small, "--couplings", "1", "1e-6", "--json", str(path))
    assert "relative errors" in table
    record = json.loads(path.read_text())
    assert {"date", "processor", "threads", "versions", "times", "relative_errors"} <= record.keys()
    assert [row["features"] for row in record["times"]] == [2, 3]
    for row in record["times"]:
        assert row["microseconds_a_model"].keys() == {"exact", "gradient", "samples", "plain"}
        assert 0.0 < row["relative_standard_error_of_samples"] < 1.0
    large, small = record["relative_errors"]
    assert large["largest_plain"] < 1e-9  # so it is the same loss that is timed
    assert small["largest_plain"] > 1e-3
    assert max(large["largest_exact"], small["largest_exact"]) < 1e-12


def test_the_search_is_compared_with_random_starts(tmp_path):
    path = tmp_path / "search.json"
    run("search.py", "reliability", "--schedules", "2", "--starts", "20", "--json", str(path))
    record = json.loads(path.read_text())
    assert {"date", "processor", "starts", "tolerance", "n", "n_not_beaten"} <= record.keys()
    assert (record["n"], record["n_not_beaten"]) == (2, 2)
    low, high = record["exact_interval_95"]
    assert 0.0 < low < high == 1.0
    assert [row["features"] for row in record["schedules"]] == [4, 5]


SNAKEFILE = """
rule all:
    input: "results/figures/slide01.png"

rule draw:
    output: "results/figures/slide01.png"
    shell: "python -m superposition_atlas draw {output}"
"""
DRAW = "import pathlib, sys; pathlib.Path(sys.argv[2]).write_text('drawn')"


@pytest.fixture
def repository(tmp_path):
    """A repository whose workflow is one job."""
    root = tmp_path / "repository"
    package = root / "workflow" / "src" / "superposition_atlas"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(DRAW)
    (root / "Snakefile").write_text(SNAKEFILE)
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    return root


def test_whole_measures_each_run_once(repository, tmp_path):
    path = tmp_path / "whole.json"
    one = ["HEAD", "--repository", str(repository), "--folder", str(tmp_path / "runs"), "--json", str(path)]
    assert "| draw |" in run("whole.py", *one, "--kinds", "cold")
    first = json.loads(path.read_text())
    assert {"date", "processor", "cores", "load_average", "versions", "runs"} <= first.keys()
    (cold,) = first["runs"]
    assert cold["stages"]["draw"]["jobs"] == cold["stages"]["snakemake"]["jobs"] == 1
    assert 0 < sum(stage["cpu_seconds"] for stage in cold["stages"].values()) <= cold["cpu_seconds"] + 0.1
    assert 0 < cold["first_slide_seconds"] <= cold["wall_seconds"]
    assert cold["peak_memory_mb"] > 0
    run("whole.py", *one, "--kinds", "cold", "again")
    again, once_more = json.loads(path.read_text())["runs"]
    assert again == cold
    assert once_more["kind"] == "again"
    assert "draw" not in once_more["stages"]


@pytest.fixture
def training(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    threads = torch.get_num_threads()
    yield importlib.import_module("training")
    torch.set_num_threads(threads)


def losses(trainer, of):
    """Of each toy model on one batch that none was trained on."""
    probability = np.tile(of.schedule.probability, (of.n_instances, 1))
    x = sample(range(1000, 1000 + of.n_instances), 0, 20_000, probability)
    W, b = trainer.W.detach().numpy(), trainer.b.detach().numpy()
    out = reconstruct(encode(x, W), W, b)
    return (of.schedule.importance * (out - x) ** 2).mean((1, 2))


def test_all_torch_loops_train_as_the_fused_engine_does(training):
    torch.manual_seed(0)
    loops = training.torch_loops
    of = training.task(training.Shape(16, 20, 2), 0.1, 128)
    expected = training.fused(of, 1)
    trainers = [
        loops.loop(of, 1),
        loops.bmm(of, 1),
        *(loops.utmost(of, draw, 1) for draw in loops.draws(of)),
    ]
    assert len(trainers) == 5
    expected.advance(1500)
    for trainer in trainers:
        before = losses(trainer, of).mean()
        trainer.advance(1500)
        after = losses(trainer, of).mean()
        assert after < 0.8 * before
        assert after == pytest.approx(losses(expected, of).mean(), rel=0.1)
