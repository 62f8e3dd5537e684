"""Writes an experiment's schedules: one row a case, variant and feature, and the experiment's spec."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from superposition_atlas import config
from superposition_atlas.cli.shared_options import add_spec
from superposition_atlas.errors import ConfigError
from superposition_atlas.sampling.structure import ALL, SHARED, Intervals, independent, is_shared
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.parquet import write_columns
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--experiment", required=True, help="name of the experiment")
    add_spec(parser, "the configuration")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file to write")


def run(arguments: argparse.Namespace) -> None:
    """Resolves the experiment and writes its schedules.

    case: name of the case. variant: number of the schedule, from 0; a case may vary over its seeds. feature:
    index i. importance: I_i. probability: p_i.
    """
    experiments = config.load(arguments.spec).experiments
    if arguments.experiment not in experiments:
        raise ConfigError(f"--experiment {arguments.experiment}: allowed is one of {', '.join(experiments)}")
    experiment = experiments[arguments.experiment]
    is_structured = any(case.structure is not None for case in experiment.cases.values())
    parts: list[dict[str, np.ndarray]] = []
    for case in experiment.cases.values():
        importance, probability = np.broadcast_arrays(case.importance, case.probability)
        n_variants, n_features = probability.shape
        parts.append(
            {
                "case": np.full(probability.size, case.name),
                "variant": np.repeat(np.arange(n_variants), n_features),
                "feature": np.tile(np.arange(n_features), n_variants),
                "importance": importance.reshape(-1),
                "probability": probability.reshape(-1),
            }
            | (_structure_columns(case.structure, probability.shape) if is_structured else {})
        )
    code = code_digest("superposition_atlas.cli.commands.schedules")
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    write_columns(columns, arguments.output, provenance_of(_description(experiment), code))


def _structure_columns(structure: Intervals | None, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Columns of dependent features.

    group: first feature of the feature's group, -1 for none. interval_start: where its interval begins, 0 to
    1.
    """
    rows = np.broadcast_to(independent(shape) if structure is None else structure, (*shape, 2))
    group = np.where(is_shared(rows), rows[..., 0].astype(np.int64) - SHARED, -1)
    return {"group": group.reshape(-1), "interval_start": (rows[..., 1] / ALL).reshape(-1)}


def _description(experiment: config.Experiment) -> dict[str, Any]:
    """Everything but numbers that later stages need; `experiment_files.read_experiment` reads them back."""
    cases = {
        case.name: {"title": case.title, "role": case.role, "training": case.training.as_dict()}
        for case in experiment.cases.values()
    }
    keys = ("name", "title", "family", "n_features", "n_hidden", "shown_seeds", "claims")
    described = {key: getattr(experiment, key) for key in keys}
    if any(case.structure is not None for case in experiment.cases.values()):
        described["structured"] = True
    return described | {"seeds": list(experiment.seeds), "cases": cases}
