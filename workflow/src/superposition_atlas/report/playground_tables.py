"""The report's table of slide 4's networks: how many of each name solve their data set, and how well."""

from typing import Any

from superposition_atlas.errors import ArtefactError
from superposition_atlas.metrics.intervals import exact_interval
from superposition_atlas.report.shared_tables import finite
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table

Row = dict[str, Any]

_COLUMNS = (
    "network",
    "seed",
    "is_regression",
    "n_training",
    "n_test",
    "test_loss",
    "test_error",
    "test_fvu",
    "threshold",
    "solved",
)


def networks(sources: Sources) -> list[Row]:
    """One row a name, in the order of the configuration, with the exact 95 % interval of the share solved.

    Raises:
        ArtefactError: if the table is missing, damaged, or lacks a column or a name.
    """
    if not sources.config.playground:
        return []
    path = sources.locate(layout.playground_table("runs"))
    runs = read_table(path, _COLUMNS)
    rows = []
    for name, configured in sources.config.playground.items():
        own = runs[runs["network"] == name]
        if own.empty:
            raise ArtefactError(f"{path}: has no rows of the network {name!r}")
        first = own.iloc[0]
        error = own["test_fvu" if first["is_regression"] else "test_error"]
        n_solved = int(own["solved"].sum())
        low, high = exact_interval(n_solved, len(own))
        rows.append(
            {
                "name": name,
                "title": configured.title,
                "settings": configured.settings.as_dict(),
                "is_regression": bool(first["is_regression"]),
                "n_training": int(first["n_training"]),
                "n_test": int(first["n_test"]),
                "n_seeds": len(own),
                "n_solved": n_solved,
                "threshold": float(first["threshold"]),
                "ci_low": low,
                "ci_high": high,
                "error": {"median": finite(error.median()), "high": finite(error.max())},
                "loss": {"median": finite(own["test_loss"].median()), "high": finite(own["test_loss"].max())},
            }
        )
    return rows
