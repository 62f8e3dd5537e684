"""Says what a result was made from: the provenance that every artefact carries."""

import argparse
import json
from pathlib import Path

from superposition_atlas import storage
from superposition_atlas.errors import ArtefactError


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("file", type=Path, help="a .parquet or .safetensors file of results/")


def run(arguments: argparse.Namespace) -> None:
    """Prints the provenance as JSON."""
    if arguments.file.suffix == ".parquet":
        provenance = storage.table_provenance(arguments.file)
    elif arguments.file.suffix == ".safetensors":
        provenance = storage.read_tensors(arguments.file)[1]
    else:
        raise ArtefactError(f"{arguments.file}: only .parquet and .safetensors files carry provenance")
    print(json.dumps(provenance, indent=2, sort_keys=True, ensure_ascii=False))
