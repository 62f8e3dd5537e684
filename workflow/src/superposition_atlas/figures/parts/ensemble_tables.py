"""Ensembles as the tables that figures read, so that a notebook draws with the pipeline's own code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from superposition_atlas import arguments
from superposition_atlas.errors import ArgumentError
from superposition_atlas.figures.parts import rows
from superposition_atlas.metrics.frames import Evaluated, evaluate
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.toy_model import ToyModels

MOST_ROWS = 6
"""Toy models whose dictionaries are drawn at most."""
_MODELS = "ToyModels, or a data frame of their features, as models.to_frame() or features.parquet"


def features_of(models: Any) -> pd.DataFrame:
    """One row a feature of a toy model, in the columns of features.parquet, all of them `shown`.

    Args:
        models: `ToyModels`, or a data frame with a row a feature, of toy models of one case.

    Raises:
        ArgumentError: if it is neither, has no rows, more than one case, or two toy models of one seed.
    """
    if isinstance(models, ToyModels):
        frame = models.to_frame("features")
    else:
        arguments.instance("models", models, pd.DataFrame, _MODELS)
        frame = models.copy()
    _require_columns("models", frame, ("seed", "feature", "weights", "represented"))
    if frame.empty:
        raise ArgumentError("models has no toy models: must have at least one")
    frame = _of_one_case("models", frame)
    repeated = frame.duplicated(["seed", "feature"])
    if repeated.any():
        seed = frame.loc[repeated, "seed"].iloc[0]
        raise ArgumentError(
            f"models has more than one toy model of seed {seed}: must have one, such as models[[0, 1]]"
        )
    return frame.assign(shown=True)


def saes_of(saes: Any, models: Any = None) -> pd.DataFrame:
    """One row an SAE, in the columns of saes.parquet.

    Args:
        saes: `SAEs` or a mapping from names to them, beside their toy models; or what `evaluate` returned, a
            mapping from names to that, or a data frame with a row an SAE, of one case.
        models: the toy models of the SAEs.

    Raises:
        ArgumentError: if it is none of these, or has no rows.
    """
    if isinstance(saes, Mapping):
        parts = [saes_of(own, models).assign(sae=str(name)) for name, own in saes.items()]
        if not parts:
            raise ArgumentError("saes is empty: must have at least one entry")
        return pd.concat(parts, ignore_index=True)
    frame = saes if isinstance(saes, pd.DataFrame) else evaluated(saes, models).saes
    _require_columns("saes", frame, ("seed", "architecture", "l0", "fvu"))
    if frame.empty:
        raise ArgumentError("saes has no SAEs: must have at least one")
    frame = _of_one_case("saes", frame)
    return frame if "sae" in frame else frame.assign(sae=frame["architecture"])


def evaluated(saes: Any, models: Any) -> Evaluated:
    """What SAEs recover; of SAEs themselves it is measured.

    Raises:
        ArgumentError: if toy models are missing.
    """
    if isinstance(saes, Evaluated):
        return saes
    allowed = "SAEs, what sa.evaluate returns, or a data frame of either, as saes.parquet"
    arguments.instance("saes", saes, SAEs, allowed)
    if models is None:
        raise ArgumentError("models is missing: must be the toy models that the SAEs were trained on")
    return evaluate(models, saes)


def dictionary_tables(ensembles: Mapping[str, SAEs], models: ToyModels) -> dict[str, pd.DataFrame]:
    """Tables of SAEs, their latents and features: a case for each of the first six toy models with SAEs.

    Raises:
        ArgumentError: if the ensembles are no SAEs of these toy models.
    """
    found: dict[str, list[pd.DataFrame]] = {"saes": [], "latents": []}
    with_sae: list[int] = []
    for name, own in ensembles.items():
        arguments.instance("saes", own, SAEs, "SAEs, as sa.train_saes returns them, or a mapping to such")
        toy_model = [number for number in dict.fromkeys(own.toy_model.tolist()) if number < len(models)]
        with_sae = list(dict.fromkeys([*with_sae, *toy_model]))[:MOST_ROWS]
        measured = evaluate(models, own)
        tables = {"saes": saes_of(measured), "latents": measured.latents}
        for key, table in tables.items():
            of_model = own.toy_model[table["instance"].to_numpy()]
            labelled = table.assign(
                case=[f"toy model {number}" for number in of_model], seed=models.seeds[of_model], sae=name
            )
            found[key].append(labelled[np.isin(of_model, with_sae)])
    features = []
    for number in with_sae:
        own_features = models[number].to_frame("features")
        features.append(own_features.assign(case=f"toy model {number}", shown=True))
    joined = {key: pd.concat(parts, ignore_index=True) for key, parts in found.items()}
    return {"features": pd.concat(features, ignore_index=True), **joined}


def write_all(
    tables: Mapping[str, pd.DataFrame], folder: Path, spec: Mapping[str, Any] | None = None
) -> dict[str, Path]:
    """Writes tables as Parquet files, for a drawing that reads files; their paths by role."""
    paths = {name: folder / f"{name}.parquet" for name in tables}
    for name, table in tables.items():
        write_table(table, paths[name], {"spec": dict(spec or {}), "code": "notebook"})
    return paths


def seed_rows(models: Any, most: int) -> list[rows.ToyModelRows]:
    """Toy models, at most so many.

    Raises:
        ArgumentError: as `features_of`, or if there are more.
    """
    found = rows.toy_models(features_of(models))
    if len(found) > most:
        raise ArgumentError(
            f"models has {len(found)} toy models: must have at most {most}; take models[:{most}]"
        )
    return found


def _of_one_case(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    if "case" not in frame:
        return frame.assign(case="")
    cases = frame["case"].unique().tolist()
    if len(cases) > 1:
        raise ArgumentError(
            f"{name} has {len(cases)} cases: must have one; take {name}[{name}['case'] == {cases[0]!r}]"
        )
    return frame


def _require_columns(name: str, frame: pd.DataFrame, columns: tuple[str, ...]) -> None:
    for column in columns:
        if column not in frame:
            raise ArgumentError(f"{name} has no column {column!r}: it has {', '.join(map(str, frame))}")
