"""Compares an experiment's toy models with the best solutions for their schedules."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from superposition_atlas.errors import ArtefactError
from superposition_atlas.maps.comparison import searches_of
from superposition_atlas.maps.feedback import with_descents
from superposition_atlas.maps.measures import Schedules, as_uncentred, excess_table, solution_table
from superposition_atlas.maps.points import point_key, rounded
from superposition_atlas.maps.solutions import solutions_of
from superposition_atlas.metrics.features import represented
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import MapPoints
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.storage.tensors import read_tensors


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--models", required=True, type=Path, nargs="+", help="of each case ({case}.safetensors)"
    )
    parser.add_argument("--shown-seeds", required=True, type=int, help="how many seeds the figures show")
    parser.add_argument("--n-starts", default=12, type=int, help="random starts of each search")
    parser.add_argument("--output-losses", required=True, type=Path, help="Parquet, one row a toy model")
    parser.add_argument("--output-solutions", required=True, type=Path, help="Parquet, one row a solution")


def run(arguments: argparse.Namespace) -> None:
    """Solves every schedule of the experiment and writes both tables.

    case: name of the case. seed: of the toy model. shown: whether the figures draw it. loss: mean training
    loss of the last 100 steps. key: hash of the schedule, as in maps. weights: columns of W, a list of
    n_features lists. represented: ‖W_i‖ > 0.5, a list.
    """
    cases = [read_models(path) for path in arguments.models]
    for path, case in zip(arguments.models, cases, strict=True):
        if case.structure is not None:
            raise ArtefactError(
                f"{path}: has a structure, and best solutions are sought for independent features"
            )
    W, b = (np.concatenate([getattr(case, name) for case in cases]) for name in ("W", "b"))
    trainings = [case.settings.as_dict() for case in cases for _ in case.seeds]
    names = [
        {"case": path.stem, "seed": seed, "shown": place < arguments.shown_seeds, "loss": loss}
        for path, case in zip(arguments.models, cases, strict=True)
        for place, (seed, loss) in enumerate(zip(case.seeds, case.loss, strict=True))
    ]
    schedules = _schedules(arguments.models, [len(case) for case in cases])
    points, keys = _distinct(schedules, cases[0].n_hidden)
    found = solutions_of(points, range(len(points)), searches_of(trainings), arguments.n_starts)
    found = with_descents(found, points, keys, W, b, trainings)
    found_W = np.stack(found["W"].to_list()).reshape(len(found), *W.shape[1:])
    solved = solution_table(found, found_W, Schedules.at(points, found["key"]))
    losses = excess_table(
        pd.DataFrame(names).assign(key=keys),
        W,
        as_uncentred(b, W, schedules.probability, trainings),
        schedules,
        trainings,
        solved,
    )
    # A vector a feature, as in features.parquet, for figures.
    solved["weights"] = [list(one.T) for one in found_W]
    solved["represented"] = list(represented(found_W))
    solutions = losses[["case", "key"]].drop_duplicates().merge(solved, on="key")
    spec = {
        "models": [str(path) for path in arguments.models],
        "shown_seeds": arguments.shown_seeds,
        "n_starts": arguments.n_starts,
    }
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.losses"))
    write_table(losses, arguments.output_losses, provenance)
    write_table(solutions, arguments.output_solutions, provenance)


def _schedules(paths: list[Path], n_models: list[int]) -> Schedules:
    """Schedules of the toy models, rounded like the points of maps: the files have float32."""
    rows: dict[str, list[np.ndarray]] = {"importance": [], "probability": []}
    for path, n_own in zip(paths, n_models, strict=True):
        spec = read_tensors(path)[1]["spec"]
        if not rows.keys() <= spec.keys():
            raise ArtefactError(f"{path}: does not say which schedule its toy models were trained on")
        for name, values in rows.items():
            variants = rounded(np.array(spec[name], dtype=np.float64))
            values.append(variants[np.arange(n_own) % len(variants)])
    return Schedules(*(np.concatenate(values) for values in rows.values()))


def _distinct(schedules: Schedules, n_hidden: int) -> tuple[MapPoints, list[str]]:
    """Each schedule once, and the key of every row."""
    pairs = zip(schedules.importance, schedules.probability, strict=True)
    keys = [point_key(n_hidden, *pair) for pair in pairs]
    distinct, first = np.unique(keys, return_index=True)
    points = MapPoints(distinct.tolist(), schedules.importance[first], schedules.probability[first], n_hidden)
    return points, keys
