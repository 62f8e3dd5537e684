"""Writes the schedules of one shard of a map, with their coordinates."""

import argparse
from pathlib import Path

from superposition_atlas.cli.shared_options import add_spec, shard
from superposition_atlas.maps.points import in_shard, make_points, points_digest
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import remove_other_shards, write_points


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_spec(parser, "n_features, n_hidden and points of the map", "n_features", "n_hidden", "points")
    parser.add_argument("--shard", required=True, type=int, help="number of the shard, from 0")
    parser.add_argument("--shards", required=True, type=int, help="how many there are")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file to write")


def run(arguments: argparse.Namespace) -> None:
    """Makes all points and writes those of the shard."""
    spec = arguments.spec
    number, shards = shard(arguments.shard, arguments.shards)
    points = make_points(spec["n_features"], spec["n_hidden"], spec["points"])
    own = in_shard(points, number, shards)
    rows = [
        {
            "key": point.key,
            "importance": point.importance,
            "probability": point.probability,
            **point.coordinates,
        }
        for point in own
    ]
    # Not the whole map's axes: a shard that has no part in their change stays as it is.
    about = {
        "n_features": spec["n_features"],
        "n_hidden": spec["n_hidden"],
        "shard": number,
        "shards": shards,
        "points": points_digest(own),
    }
    code = code_digest("superposition_atlas.cli.commands.map_points")
    write_points(rows, points[0].coordinates, arguments.output, about, code)
    remove_other_shards(arguments.output, shards)
