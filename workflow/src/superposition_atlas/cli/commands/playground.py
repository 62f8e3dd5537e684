"""Trains slide 4's networks, all names and seeds, and writes what there is to show of them."""

import argparse
import logging
from pathlib import Path

from superposition_atlas.cli.shared_options import add_spec
from superposition_atlas.errors import TrainingError
from superposition_atlas.playground.network_settings import Settings
from superposition_atlas.playground.run_tables import joined_networks
from superposition_atlas.playground.train_networks import Playground, train_networks
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of

logger = logging.getLogger(__name__)

TABLES = ("runs", "curves", "points", "units", "weights")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    add_spec(parser, "settings and seeds by name", "seeds", each=True)
    for name in TABLES:
        parser.add_argument(f"--output-{name}", required=True, type=Path, help="Parquet file to write")


def run(arguments: argparse.Namespace) -> None:
    """Writes all tables."""
    trained = {name: _trained(name, spec) for name, spec in arguments.spec.items()}
    provenance = provenance_of(
        {"networks": arguments.spec}, code_digest("superposition_atlas.cli.commands.playground")
    )
    for name, table in joined_networks(trained).items():
        write_table(table, getattr(arguments, f"output_{name}"), provenance)


def _trained(name: str, spec: dict[str, object]) -> Playground:
    settings = dict(spec)
    seeds = settings.pop("seeds")
    try:
        trained = train_networks(Settings(**settings), seeds)  # type: ignore[arg-type]  # as the configuration has them
    except TrainingError as error:
        raise TrainingError(f"playground.{name}: {error}") from None
    logger.info(
        "%s: %d networks, largest test loss %.3g", name, len(trained.seeds), trained.test_loss[-1].max()
    )
    return trained
