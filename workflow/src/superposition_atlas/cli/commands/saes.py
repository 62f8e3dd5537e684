"""Trains SAEs on those toy models of a case whose seeds the configuration names, or takes trained ones."""

import argparse
import logging
from pathlib import Path

from superposition_atlas.cli.shared_options import add_spec
from superposition_atlas.sae.settings import EXTERNAL
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.external_saes import external_saes
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.sae_files import write_saes

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--models", required=True, type=Path, help="the case's models (safetensors)")
    add_spec(parser, "the SAE's settings", "seeds")
    parser.add_argument("--threads", default=1, type=int, help="threads of the fused engine")
    parser.add_argument("--checkpoint", type=Path, help="file to keep training in, and to go on from")
    parser.add_argument("--checkpoint-seconds", default=60.0, type=float, help="between two checkpoints")
    parser.add_argument("--output", required=True, type=Path, help="safetensors file to write")


def run(arguments: argparse.Namespace) -> None:
    """Trains the SAEs and writes them."""
    models = read_models(arguments.models)
    settings = dict(arguments.spec)
    models = models.of_seeds(settings.pop("seeds"))
    if settings["architecture"] == EXTERNAL:
        saes = external_saes(models, settings["source"], settings["n_latents"])
    else:
        saes = train_saes(
            models,
            threads=arguments.threads,
            progress=None,
            checkpoint=arguments.checkpoint,
            checkpoint_seconds=arguments.checkpoint_seconds,
            **settings,
        )
    spec = {"models": str(arguments.models), **arguments.spec}
    write_saes(saes, arguments.output, spec, code_digest("superposition_atlas.cli.commands.saes"))
    if arguments.checkpoint is not None:
        arguments.checkpoint.unlink(missing_ok=True)  # only now that the SAEs are safe
    n_resampled = int(saes.n_resampled.sum())
    logger.info("%d SAEs, %d latents resampled in all", len(saes), n_resampled)
