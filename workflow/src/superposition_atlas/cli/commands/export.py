"""Writes one SAE of an ensemble as SAELens reads it, or one toy model as plain safetensors."""

import argparse
import logging
from pathlib import Path

from superposition_atlas.errors import ConfigError
from superposition_atlas.sae.architectures.registry import by_name
from superposition_atlas.storage import interchange
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.sae_files import read_saes
from superposition_atlas.storage.tensors import read_tensors

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--saes", type=Path, help="an ensemble of SAEs (safetensors)")
    source.add_argument("--models", type=Path, help="an ensemble of toy models (safetensors)")
    parser.add_argument("--seed", required=True, type=int, help="seed of the one to write")
    parser.add_argument("--sparsity-coefficient", type=float, help="its λ, where a seed has several")
    parser.add_argument("--k", type=int, help="its k, where a seed has several")
    parser.add_argument(
        "--output", required=True, type=Path, help="folder to write (of an SAE), or file (of a toy model)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Writes the folder or the file; with it goes the provenance of the ensemble."""
    if arguments.saes:
        saes = read_saes(arguments.saes)
        instance = interchange.find_sae(saes, arguments.seed, arguments.sparsity_coefficient, arguments.k)
        provenance = read_tensors(arguments.saes)[1]
        interchange.write_saelens(saes, instance, arguments.output, provenance)
        architecture = by_name(saes.settings.architecture).saelens.name
        logger.info("%s: an SAE that SAELens calls %s", arguments.output, architecture)
        return
    for name in ("sparsity_coefficient", "k"):
        value = getattr(arguments, name)
        if value is not None:
            raise ConfigError(f"{name} is {value}: must be left out with --models")
    models = read_models(arguments.models)
    instance = interchange.find_toy_model(models, arguments.seed)
    provenance = read_tensors(arguments.models)[1]
    interchange.write_toy_model(models, instance, arguments.output, provenance)
