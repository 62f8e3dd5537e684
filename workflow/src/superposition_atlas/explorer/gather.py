"""The explorer's data, from tables: the palette of the figures, and the atlas with its toy models."""

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from superposition_atlas.backends.optional_packages import require
from superposition_atlas.observations.definitions import Observation, is_about

MOST_STORED_VALUES = 1_000_000
"""Weights of stored toy models that a page holds, 4 bytes each before base64: of a finer map fewer seeds."""

_COLOURS = 64

Unit = Literal["count", "share", "answer", "excess"]


@dataclass(frozen=True)
class Layer:
    """A layer that a map of the atlas can show."""

    column: str
    """Column of the table of points."""
    title: str
    group: str
    unit: Unit
    """Numbers of features, shares of seeds, yes or no, or excess loss as a share of that of nothing."""


LAYERS = (
    Layer("n_represented", "represented, mean of the seeds", "Features represented", "count"),
    Layer("best_n_represented", "represented, best known", "Features represented", "count"),
    Layer("n_dedicated", "alone in a dimension, mean of the seeds", "Features alone", "count"),
    Layer("best_n_dedicated", "alone in a dimension, best known", "Features alone", "count"),
    Layer("keeps_best", "seeds that keep the best's features", "What training misses", "share"),
    Layer("median_excess", "median excess loss", "What training misses", "excess"),
    Layer("least_excess", "least excess loss", "What training misses", "excess"),
)


def page_data(
    presets: Sequence[Mapping[str, Any]], atlas: Mapping[str, Any] | None, version: str
) -> dict[str, Any]:
    """All that the page knows beside its program; plain values.

    Args:
        presets: of `presets.presets_of`.
        atlas: of `atlas_data`, or None where no map was made.
        version: of the package.
    """
    return {"version": version, "presets": list(presets), "atlas": atlas, "palette": palette()}


def palette() -> dict[str, list[str]]:
    """The figures' colour scales as hex codes.

    Raises:
        AtlasError: if matplotlib is not installed.
    """
    require("matplotlib", "the explorer's palette", extra="notebook")
    import matplotlib as mpl
    from matplotlib.colors import Colormap, to_hex

    from superposition_atlas.figures.parts import style

    scales: dict[str, Colormap] = {
        "plasma": mpl.colormaps["plasma"],
        "viridis": style.POLYSEMANTICITY,
        "signed": style.SIGNED,
        "amount": style.AMOUNT,
        "excess": mpl.colormaps["Purples"],
    }
    shares = np.linspace(0.0, 1.0, _COLOURS)
    return {name: [to_hex(scale(share)) for share in shares] for name, scale in scales.items()}


def layers_of(observations: Iterable[Observation]) -> list[Layer]:
    """Layers of the atlas's maps: LAYERS, and who shows each observation: seeds, the best solution."""
    layers = list(LAYERS)
    for own in observations:
        group = f"{own.name}: {own.brief}"
        layers.append(Layer(own.column, f"{own.name}, share of seeds", group, "share"))
        layers.append(Layer(f"best_{own.column}", f"{own.name}, best known", group, "answer"))
    return layers


def atlas_data(
    title: str,
    shape: tuple[int, int],
    points: pd.DataFrame,
    schedules: pd.DataFrame,
    models: pd.DataFrame,
    solutions: pd.DataFrame,
    cases: Mapping[str, str],
    observations: Sequence[Observation],
) -> dict[str, Any]:
    """A map for the page: where each schedule stands, what is known of it, and its stored toy models.

    Args:
        title: of the map.
        shape: n_hidden and n_features.
        points: one row a point of one variant, as `maps.measures.point_table` has them.
        schedules: key, importance, probability.
        models: key, seed, W and b of that variant; there may be none.
        solutions: key, loss, W and b of the best solution of each schedule; there may be none.
        cases: names of the talk's cases by key.
        observations: those that maps show.
    """
    n_hidden, n_features = shape
    points = points.sort_values(["family", "importance_ratio", "order", "mean_density", "steepness"])
    place_of = {key: place for place, key in enumerate(dict.fromkeys(points["key"]))}
    keys = list(place_of)
    first = schedules.drop_duplicates("key").set_index("key").loc[keys]
    layers = [
        layer
        for layer in layers_of(observations)
        if layer.column in points and points[layer.column].notna().any()
    ]
    return {
        "title": title,
        "n": n_features,
        "m": n_hidden,
        "layers": [_with_values(layer, points, observations) for layer in layers],
        "points": {
            "schedule": [place_of[key] for key in points["key"]],
            "family": points["family"].tolist(),
            "density": points["mean_density"].tolist(),
            "steepness": points["steepness"].tolist(),
            "ratio": points["importance_ratio"].tolist(),
            "order": points["order"].astype(str).tolist(),
            "cases": [cases.get(key, "") for key in points["key"]],
        },
        "schedules": {
            "importance": [list(values) for values in first["importance"]],
            "probability": [list(values) for values in first["probability"]],
        },
        "best": _best(solutions, keys),
        "stored": _stored(models, keys, n_hidden * n_features + n_features),
    }


def _with_values(layer: Layer, points: pd.DataFrame, observations: Sequence[Observation]) -> dict[str, Any]:
    """A layer with its values; an observation has none at schedules that it is not about."""
    values = points[layer.column].astype(float)
    name = layer.group.split(":")[0]
    if any(own.name == name for own in observations):
        values = values.where(points["observations"].map(lambda names: is_about(names, name)))
    return asdict(layer) | {"values": [_number(value) for value in values]}


def _number(value: float, digits: int = 4) -> float | None:
    """Short, and None where nothing is known."""
    return None if not math.isfinite(value) else float(f"{value:.{digits}g}")


def _best(solutions: pd.DataFrame, keys: Sequence[str]) -> list[dict[str, Any] | None]:
    """Best known solution of each schedule; None where there is none."""
    rows = {row["key"]: row for row in solutions.to_dict("records")}
    return [
        {
            "loss": float(rows[key]["loss"]),
            "W": [_number(value, 6) for value in rows[key]["W"]],
            "b": [_number(value, 6) for value in rows[key]["b"]],
        }
        if key in rows
        else None
        for key in keys
    ]


def _stored(models: pd.DataFrame, keys: Sequence[str], size: int) -> dict[str, Any] | None:
    """Toy models as float32 in base64, [schedule, seed, value]: W row by row, then b; NaN for a missing one.

    Of a large map the first seeds only, up to MOST_STORED_VALUES.
    """
    if models.empty:
        return None
    most = max(1, MOST_STORED_VALUES // (len(keys) * size))
    seeds = sorted(models["seed"].unique())[:most]
    row_of, seed_of = {key: k for k, key in enumerate(keys)}, {seed: k for k, seed in enumerate(seeds)}
    values: Float[np.ndarray, "schedule seed value"] = np.full(
        (len(keys), len(seeds), size), np.nan, dtype=np.float32
    )
    for key, seed, W, b in models[["key", "seed", "W", "b"]].itertuples(index=False):
        if key in row_of and seed in seed_of:
            values[row_of[key], seed_of[seed]] = np.concatenate([W, b])
    encoded = base64.b64encode(values.astype("<f4").tobytes()).decode()
    return {"seeds": [int(seed) for seed in seeds], "weights": encoded}
