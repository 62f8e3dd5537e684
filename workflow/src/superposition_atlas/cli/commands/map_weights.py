"""Trains the toy models of one shard of a map, all variants, but for those that are there already."""

import argparse
import logging
from pathlib import Path

import pandas as pd

from superposition_atlas import arguments as check
from superposition_atlas.cli.shared_options import add_spec
from superposition_atlas.maps.train_points import train_points
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.map_files import read_points, remove_other_shards, write_map_models
from superposition_atlas.storage.provenance import provenance_of
from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.train_toy_models import engine_name

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--points", required=True, type=Path, help="the shard's points (Parquet)")
    add_spec(parser, "seeds and variants", "seeds", "variants")
    parser.add_argument("--shards", required=True, type=int, help="how many shards there are")
    parser.add_argument("--engine", default="auto", choices=["auto", "fused", "torch", "cuda"])
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", default=1, type=int, help="threads of the fused engine")
    parser.add_argument("--store", required=True, type=Path, help="folder of what was trained before")
    parser.add_argument("--checkpoint", type=Path, help="file to keep training in, and to go on from")
    parser.add_argument("--output", required=True, type=Path, help="Parquet file to write")


def run(arguments: argparse.Namespace) -> None:
    """Trains what is missing and writes all."""
    shards = check.integer("--shards", arguments.shards)
    points = read_points(arguments.points)
    seeds = arguments.spec["seeds"]
    frames = []
    for variant, training in arguments.spec["variants"].items():
        models = train_points(
            points,
            seeds if isinstance(seeds, list) else range(seeds),
            TrainingSettings(**training),
            store=arguments.store / variant,
            engine=arguments.engine,
            device=arguments.device,
            threads=arguments.threads,
            checkpoint=arguments.checkpoint,
        )
        models.insert(1, "variant", variant)
        frames.append(models)
        if len(models):
            logger.info("%s: %d toy models, median loss %.5f", variant, len(models), models["loss"].median())
    provenance = provenance_of(
        {"points": str(arguments.points), "n_hidden": points.n_hidden, **arguments.spec},
        code_digest("superposition_atlas.cli.commands.map_weights"),
        engine=engine_name(arguments.engine, arguments.device),
    )
    write_map_models(pd.concat(frames, ignore_index=True), arguments.output, provenance)
    remove_other_shards(arguments.output, shards)
