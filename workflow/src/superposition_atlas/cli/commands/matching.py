"""Compares an experiment's toy models with the matching of their schedules."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from superposition_atlas.maps.matching_summary import SCHEMA, is_matched, matching_row, schedules_in
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.model_files import read_models
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--models", required=True, type=Path, nargs="+", help="of each case ({case}.safetensors)"
    )
    parser.add_argument("--shown-seeds", required=True, type=int, help="how many seeds the figures show")
    parser.add_argument("--output", required=True, type=Path, help="Parquet, one row a case and schedule")


def run(arguments: argparse.Namespace) -> None:
    """Writes the table; toy models for which the matching's costs do not hold have no row.

    case: name of the case. schedule: number of the case's schedule, from 0; a case may vary over its seeds.
    """
    rows = [row for path in arguments.models for row in _rows(path, arguments.shown_seeds)]
    schema = pa.schema([("case", pa.string()), ("schedule", pa.int64()), *SCHEMA])
    spec = {"models": [str(path) for path in arguments.models], "shown_seeds": arguments.shown_seeds}
    provenance = provenance_of(spec, code_digest("superposition_atlas.cli.commands.matching"))
    write_table(pd.DataFrame(rows, columns=schema.names), arguments.output, provenance, schema)


def _rows(path: Path, n_shown: int) -> Iterator[dict[str, Any]]:
    models = read_models(path)
    if not is_matched(models.settings) or models.structure is not None:
        return
    for number, own in enumerate(schedules_in(models)):
        importance, probability = (
            getattr(own, name)[0].astype(np.float64) for name in ("importance", "probability")
        )
        row = matching_row(importance, probability, own.n_hidden, own, n_shown)
        yield {"case": path.stem, "schedule": number, **row}
