"""Writes tables.md, the tables of experiments with their columns, from the functions that compute them.

    python docs/_tables.py

A column's meaning is in the docstring of its function, which is quoted above the columns.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import superposition_atlas as sa
from superposition_atlas.maps import matching_summary
from superposition_atlas.metrics import features, polysemanticity, recovery

PAGE = Path(__file__).with_name("tables.md")
_CASE = pa.schema({"case": pa.string(), "shown": pa.bool_()})
_SAE = pa.schema({"case": pa.string(), "sae": pa.string(), "shown": pa.bool_()})


def tables() -> dict[str, tuple[Callable[..., Any] | str, pa.Schema]]:
    """Name of each table, what documents it, and its columns, as one tiny toy model and SAE have them."""
    models = sa.import_toy_model(np.eye(2, 3), probability=0.3, n_features=3)
    saes = sa.import_saes({"W_enc": np.eye(2), "W_dec": np.eye(2)})
    measured = recovery.evaluate(models, saes, n_samples=64)
    of_models = {"models": features.model_table, "features": features.feature_table}
    of_saes = {
        "saes": recovery.sae_table,
        "latents": recovery.latent_table,
        "recovered": recovery.recovered_features,
        "polysemanticity": polysemanticity.latent_units,
    }
    found: dict[str, tuple[Callable[..., Any] | str, pa.Schema]] = {}
    for name, function in of_models.items():
        found[name] = function, _with(_CASE, function(models))
    for name, function in of_saes.items():
        found[name] = function, _with(_SAE, function(measured))
    source = inspect.getsource(matching_summary)
    about = source.partition('"""Columns of a schedule')[2].partition('"""')[0]
    found["matching"] = f"Columns of a schedule{about}", matching_summary.SCHEMA
    return found


def _with(first: pa.Schema, frame: Any) -> pa.Schema:
    """The frame's columns behind those that the workflow puts in front."""
    own = pa.Schema.from_pandas(frame, preserve_index=False).remove_metadata()
    return pa.schema([*first, *(field for field in own if field.name != "instance")])


def page() -> str:
    """The whole page."""
    parts = [
        "# Tables and columns",
        "",
        "`results/metrics/{experiment}/{table}.parquet` opens with `pandas.read_parquet`. Maps: see the",
        "[configuration](../config/README.md#what-comes-out). `python docs/_tables.py` makes this page.",
    ]
    for name, (documented, schema) in tables().items():
        text = documented if isinstance(documented, str) else inspect.getdoc(documented) or ""
        for heading in ("\nArgs:", "\nRaises:"):
            text = text.partition(heading)[0]
        parts += ["", f"## `{name}.parquet`", "", "```text", text.strip(), "```", ""]
        parts += ["| Column | Type |", "| --- | --- |"]
        parts += [f"| `{field.name}` | {field.type} |" for field in schema]
    return "\n".join(parts).replace("large_string", "string") + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
