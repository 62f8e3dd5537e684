"""Trains what slide 3's pivot tables are drawn from: toy models, an SAE on each, and layers of attention."""

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from superposition_atlas.attention.train_attention import train_attention
from superposition_atlas.cli.shared_options import add_spec
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.schedules import explicit
from superposition_atlas.storage.attention_files import write_attention
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import write_models
from superposition_atlas.storage.sae_files import write_saes
from superposition_atlas.training.train_toy_models import train

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    sizes, trained = ("n_features", "n_hidden", "probability", "seeds"), ("toy_model", "sae", "training")
    add_spec(parser, "the settings by name", *sizes, *trained, "heads", each=True)
    parser.add_argument("--threads", default=1, type=int, help="threads of the engines")
    parser.add_argument(
        "--folder", required=True, type=Path, help="to write, a folder in it for each setting"
    )


def run(arguments: argparse.Namespace) -> None:
    """Trains every setting; one job for all, since starting takes as long as training one."""
    for name, spec in arguments.spec.items():
        _train(name, spec, arguments.folder / name, arguments.threads)


def _train(name: str, spec: Mapping[str, Any], folder: Path, threads: int) -> None:
    code = code_digest("superposition_atlas.cli.commands.attention")
    schedule = explicit(np.ones(spec["n_features"]), spec["probability"])
    models = train(
        schedule,
        spec["n_hidden"],
        spec["seeds"],
        device="cpu",
        threads=threads,
        progress=None,
        **spec["toy_model"],
    )
    write_models(models, folder / "toy_models.safetensors", spec, code)
    saes = train_saes(models, threads=threads, progress=None, **spec["sae"])
    write_saes(saes, folder / "saes.safetensors", spec, code)
    for n_heads in spec["heads"]:
        attention = train_attention(models, n_heads=n_heads, progress=None, **spec["training"])
        write_attention(attention, folder / f"heads_{n_heads}.safetensors", spec, code)
        logger.info("%s, %d heads: median loss %.5f", name, n_heads, np.median(attention.loss))
