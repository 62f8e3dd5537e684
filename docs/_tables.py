"""Writes tables.md, the tables of experiments and maps with their columns, from the tables of a finished run.

    python docs/_tables.py results > docs/tables.md

A column's meaning is in the docstring of the function that computes it, which is quoted above the columns.
"""

import inspect
import sys
from importlib import import_module
from pathlib import Path

import pyarrow.parquet as pq

MAKERS = {
    "metrics/{experiment}/models": "metrics.features.model_table",
    "metrics/{experiment}/features": "metrics.features.feature_table",
    "metrics/{experiment}/saes": "metrics.recovery.sae_table",
    "metrics/{experiment}/latents": "metrics.recovery.latent_table",
    "metrics/{experiment}/recovered": "metrics.recovery.recovered_features",
    "metrics/{experiment}/polysemanticity": "metrics.polysemanticity.latent_units",
    "metrics/{experiment}/matching": "maps.matching_summary",
    "metrics/{experiment}/losses": "cli.commands.losses",
    "metrics/{experiment}/solutions": "cli.commands.losses",
    "maps/{map}/points": "maps.measures",
    "maps/{map}/models": "cli.commands.map_measures",
    "maps/{map}/features": "cli.commands.map_measures",
    "maps/{map}/solutions": "cli.commands.map_measures",
    "maps/{map}/matching": "cli.commands.map_matching",
    "maps/{map}/predictions": "cli.commands.map_predictions",
}
"""Tables by their place below results/, and the function or module whose docstring says what they hold."""


def columns_of(path: Path) -> list[tuple[str, str]]:
    """Names and types of the columns of a table."""
    schema = pq.read_schema(path)
    return [(name, str(schema.field(name).type).replace("large_string", "string")) for name in schema.names]


def documentation(maker: str) -> str:
    """The docstring of a function or module of the package, without its arguments and errors."""
    module, _, name = f"superposition_atlas.{maker}".rpartition(".")
    try:
        found = import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        found = getattr(import_module(module), name)
    text = inspect.getdoc(found) or ""
    for heading in ("\nArgs:", "\nRaises:"):
        text = text.partition(heading)[0]
    return text.strip()


def page(results: Path) -> str:
    """The whole page."""
    parts = [
        "# Tables and columns\n",
        "Every table is Parquet and opens with `pandas.read_parquet`. `docs/_tables.py` makes this page;",
        "the [configuration](../config/README.md#what-comes-out) says more about the columns of maps.",
    ]
    for place, maker in MAKERS.items():
        pattern = place.replace("{experiment}", "*").replace("{map}", "*")
        paths = sorted(results.glob(f"{pattern}.parquet"))
        if not paths:
            continue
        parts += ["", f"## `results/{place}.parquet`", "", "```text", documentation(maker), "```", ""]
        names = dict(column for path in reversed(paths) for column in columns_of(path))
        parts += ["| Column | Type |", "| --- | --- |"]
        parts += [f"| `{name}` | {kind} |" for name, kind in names.items()]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    print(page(Path(sys.argv[1])), end="")
