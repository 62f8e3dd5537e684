"""Follows the competing structures of a map in which one feature's density varies."""

import argparse
from pathlib import Path

import pandas as pd

from superposition_atlas.maps.branches import Place, branch_table, branches, crossings, structure_of
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import read_map_models, read_points, read_solutions
from superposition_atlas.storage.parquet import read_table, write_table
from superposition_atlas.storage.provenance import provenance_of

_BIAS = "trained"
# The last three are those of a map in which one feature is varied.
_OF_POINTS = ("key", "importance", "probability", "varied", "feature", "importance_ratio")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--points", required=True, type=Path, nargs="+", help="points of all shards")
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="toy models of all shards")
    parser.add_argument("--solutions", required=True, type=Path, nargs="+", help="solutions of all shards")
    parser.add_argument("--models", required=True, type=Path, help="the map's table of toy models")
    parser.add_argument("--output-branches", required=True, type=Path, help="one row a structure and point")
    parser.add_argument("--output-crossings", required=True, type=Path, help="one row a crossing of two")
    parser.add_argument("--output-models", required=True, type=Path, help="one row a toy model")


def run(arguments: argparse.Namespace) -> None:
    """Writes the three tables. importance_ratio: I_{i+1} / I_i of the schedules."""
    points = pd.concat([read_table(path, _OF_POINTS) for path in arguments.points], ignore_index=True)
    first = read_points(arguments.points[0])
    n_hidden = first.n_hidden
    places = {
        row["key"]: Place(row["key"], row["varied"], row["feature"], row["importance"], row["probability"])
        for row in points.to_dict("records")
    }
    found, W = read_solutions(arguments.solutions, n_hidden, first.n_features)
    followed, crossed = [], []
    for ratio, own in points.groupby("importance_ratio", sort=False):
        searched = (found["kind"] == "minimum") & (found["bias"] == _BIAS) & found["key"].isin(own["key"])
        minima = [
            (places[found["key"][row]], W[row], found["b"][row], found["loss"][row])
            for row in searched.index[searched]
        ]
        table = branch_table(branches(minima))
        followed.append(table.assign(importance_ratio=ratio))
        crossed.append(crossings(table).assign(importance_ratio=ratio))
    spec = {"tables": [str(path) for path in (*arguments.points, *arguments.weights, *arguments.solutions)]}
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.map_branches"))
    for output, table in (
        (arguments.output_branches, pd.concat(followed, ignore_index=True)),
        (arguments.output_crossings, pd.concat(crossed, ignore_index=True)),
        (arguments.output_models, _models(arguments.weights, n_hidden, arguments.models, places, points)),
    ):
        write_table(table, output, provenance)


def _models(
    paths: list[Path], n_hidden: int, measured: Path, places: dict[str, Place], points: pd.DataFrame
) -> pd.DataFrame:
    """The structure of every toy model.

    key: of the schedule. variant: way of training. seed: within the schedule's block. structure: its shape.
    exact_loss: expected loss. relative_loss: over that of representing nothing. is_lowest: of its seeds.
    varied: p_i of the varied feature.
    """
    shards = [read_map_models(path, n_hidden) for path in paths]
    rows = [
        {"key": key, "variant": variant, "seed": seed, "structure": structure_of(W, places[key].feature)}
        for models in shards
        for key, variant, seed, W in zip(models.key, models.variant, models.seed, models.W, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["key", "variant", "seed", "structure"])
    if not rows:
        return table
    losses = read_table(measured, ["key", "variant", "seed", "exact_loss"])
    table = table.merge(losses, on=["key", "variant", "seed"], validate="one_to_one")
    table["relative_loss"] = [
        loss / places[key].loss_of_nothing
        for key, loss in zip(table["key"], table["exact_loss"], strict=True)
    ]
    lowest = table.groupby(["key", "variant"])["exact_loss"].transform("min")
    table["is_lowest"] = table["exact_loss"] == lowest
    return table.merge(points[["key", "varied", "importance_ratio"]], on="key")
