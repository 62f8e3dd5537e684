"""Joins the shards of a case's toy models into one ensemble, in the order of their seeds."""

import argparse
import json
from pathlib import Path

import numpy as np

from superposition_atlas.errors import ArtefactError
from superposition_atlas.joined_models import joined
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.experiment_files import read_experiment
from superposition_atlas.storage.model_files import read_models, write_models
from superposition_atlas.storage.tensors import read_tensors


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--schedules", required=True, type=Path, help="the experiment's schedules (Parquet)")
    parser.add_argument("--case", required=True, help="name of the case")
    parser.add_argument("--models", required=True, type=Path, nargs="+", help="its shards (safetensors)")
    parser.add_argument("--output", required=True, type=Path, help="safetensors file to write")


def run(arguments: argparse.Namespace) -> None:
    """Writes what `train` writes of all seeds at once, to the same bytes."""
    experiment = read_experiment(arguments.schedules)
    spec = experiment.spec_of(experiment.case(arguments.case).name)
    for path in arguments.models:
        trained = read_tensors(path)[1]["spec"]
        if {**trained, "seeds": None} != {**json.loads(json.dumps(spec)), "seeds": None}:
            raise ArtefactError(
                f"{path}: got toy models of another experiment or case, or of other settings, "
                f"allowed are those of {arguments.case} in {arguments.schedules}"
            )
    models = joined([read_models(path) for path in arguments.models])
    if len(np.unique(models.seeds)) < len(models):
        raise ArtefactError(f"{arguments.models[0].parent}: has a seed twice, allowed is once in all shards")
    wanted = np.array(experiment.seeds, dtype=np.uint64)
    missing = wanted[~np.isin(wanted, models.seeds)]
    if len(missing):
        raise ArtefactError(f"{arguments.models[0].parent}: has no toy model of seed {missing[0]}")
    order = np.argsort(models.seeds)
    models = models.select(order[np.searchsorted(models.seeds, wanted, sorter=order)])
    write_models(models, arguments.output, spec, code_digest("superposition_atlas.cli.commands.train"))
