"""Every number of the report with the table that it is from; they stand in report.json."""

import math
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas.errors import ArtefactError
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage.parquet import read_table


class Ledger:
    """Reads tables, and notes what was computed from them."""

    def __init__(self, sources: Sources) -> None:
        """Notes nothing yet."""
        self.sources = sources
        self.numbers: list[dict[str, Any]] = []

    def read(self, path: str, columns: Sequence[str]) -> pd.DataFrame:
        """A table that `storage.layout` calls `path`.

        Raises:
            ArtefactError: if the table is missing, damaged, or lacks a column.
        """
        return read_table(self.sources.locate(path), list(dict.fromkeys(columns)))

    def note(self, table: str, name: str, facts: Any) -> Any:
        """Notes all numbers among some facts, at any depth, and returns the facts."""
        if is_dataclass(facts) and not isinstance(facts, type):
            for field in fields(facts):
                self.note(table, f"{name}.{field.name}", getattr(facts, field.name))
        elif isinstance(facts, dict):
            for key, value in facts.items():
                self.note(table, f"{name}.{key}", value)
        elif isinstance(facts, list | tuple):
            for index, value in enumerate(facts):
                self.note(table, f"{name}.{index}", value)
        elif isinstance(facts, bool | np.bool_) or facts is None or isinstance(facts, str):
            pass
        elif math.isfinite(facts):
            value = facts.item() if hasattr(facts, "item") else facts
            self.numbers.append({"name": name, "value": value, "table": table})
        return facts


def read_csv(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table of the checkout.

    Raises:
        ArtefactError: if it can't be read or lacks a column.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False)
    except FileNotFoundError:
        raise ArtefactError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise ArtefactError(f"{path}: not a table in CSV ({error})") from None
    for column in columns:
        if column not in table:
            raise ArtefactError(f"{path}: has no column {column!r}; it has {', '.join(table.columns)}")
    return table
