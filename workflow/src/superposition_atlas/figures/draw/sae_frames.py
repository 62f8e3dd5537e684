"""Dictionaries in the plane, as ARENA shows them: a column an SAE architecture, a row a case."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import planes, rows, style
from superposition_atlas.figures.parts.canvas import Canvas
from superposition_atlas.figures.parts.sae_series import SYMBOLS
from superposition_atlas.sae.architectures import registry

LEVEL = ["sae", "sparsity_coefficient", "k"]
"""Columns that distinguish the SAEs of one toy model and architecture."""
_SAE_COLUMNS = ("case", "seed", "architecture", "recall_represented_alive", *LEVEL)
_LATENT_COLUMNS = ("case", "seed", "latent", "dead", "decoder", "encoder", *LEVEL)

_ENCODER = "#20639b"
_POINTER: dict[str, Any] = {"marker": "^", "linestyle": "", "markeredgewidth": 0.7}
# Inches.
_TALLEST = 8.2
_LABELS, _ABOVE, _BELOW = 0.8, 0.36, 0.3


def draw(paths: Mapping[str, Path]) -> Figure:
    """The first toy model of each case, with one SAE of each architecture.

    Of an architecture with several λ, k or schemes it is the one that recovers the largest share of the
    represented features on average over the experiment: the same in all rows.

    Args:
        paths: `features`, `latents` and `saes`, the experiment's tables.
    """
    features = rows.read(paths["features"], rows.PLANE_COLUMNS)
    latents = rows.read(paths["latents"], _LATENT_COLUMNS)
    saes = rows.read(paths["saes"], _SAE_COLUMNS)
    levels = {
        architecture: best_level(saes[saes["architecture"] == architecture])
        for architecture in dict.fromkeys([*registry.names(), *saes["architecture"]])
        if (saes["architecture"] == architecture).any()
    }
    shown = {
        case: _first_with_saes(paths, of_case, saes) for case, of_case in features.groupby("case", sort=False)
    }

    cell = min(1.3, (style.WIDTH - _LABELS) / len(levels), (_TALLEST - _ABOVE - _BELOW) / len(shown))
    canvas = Canvas(_ABOVE + cell * len(shown) + _BELOW)
    limit = planes.common_limit((model.weights for model in shown.values()), labels=False)
    for row, (case, model) in enumerate(shown.items()):
        top = _ABOVE + row * cell
        label = style.literal(f"{fill(rows.spaced(str(case)), 16)}\nseed {model.seed}")
        canvas.text(0.02, top + cell / 2, label, va="center", fontsize=style.SMALL)
        of_model = latents[(latents["case"] == case) & (latents["seed"] == model.seed)]
        for column, (architecture, level) in enumerate(levels.items()):
            axes = canvas.axes(_LABELS + column * cell + 0.01, top + 0.01, cell - 0.02, cell - 0.02)
            planes.frame_plane(axes, limit)
            draw_features(axes, model)
            own = of_model[(of_model[LEVEL] == level).all(axis=1)].sort_values("latent")
            if not own.empty:
                draw_dictionary(axes, *vectors(own), own["dead"].to_numpy(dtype=bool), limit)
            if row == 0:
                axes.set_title(_title(architecture, level), fontsize=style.SMALL, pad=3)
    canvas.figure.legend(handles=handles(), loc="lower center", ncols=4, borderaxespad=0.1)
    return canvas.figure


def best_level(saes: pd.DataFrame) -> pd.Series:
    """λ, k and name of the SAE with the largest mean recall; of equals, the first."""
    recall = saes.groupby(LEVEL, sort=False)["recall_represented_alive"].mean().fillna(-1.0)
    return pd.Series(recall.index[int(recall.to_numpy().argmax())], index=LEVEL)


def _first_with_saes(
    paths: Mapping[str, Path], features: pd.DataFrame, saes: pd.DataFrame
) -> rows.ToyModelRows:
    case = features["case"].iloc[0]
    with_sae = set(saes.loc[saes["case"] == case, "seed"])
    for model in rows.toy_models(features):
        if model.seed in with_sae:
            return model
    raise ArtefactError(f"{paths['saes']}: has no SAE of a toy model of {case!r} that is shown")


def _title(architecture: str, level: pd.Series) -> str:
    setting = registry.by_name(architecture).level
    name = rows.spaced(architecture)
    return f"{name}\n{SYMBOLS[setting]} = {level[setting]:g}" if setting else f"{name}\n"


def vectors(
    latents: pd.DataFrame,
) -> tuple[Float[np.ndarray, "latent 2"], Float[np.ndarray, "latent 2"]]:
    """Decoder and encoder directions of rows of latents.parquet or history.parquet."""
    decoder, encoder = (
        np.stack(latents[name].to_list()).astype(np.float64) for name in ("decoder", "encoder")
    )
    return decoder, encoder


def draw_features(axes: Axes, model: rows.ToyModelRows) -> None:
    """The represented features, in grey at their length."""
    for x, y in model.weights[model.represented]:
        axes.plot([0, x], [0, y], color=style.FEATURE, linewidth=3.0, solid_capstyle="round", zorder=1)


def draw_dictionary(
    axes: Axes,
    decoder: Float[np.ndarray, "latent 2"],
    encoder: Float[np.ndarray, "latent 2"],
    dead: Bool[np.ndarray, " latent"],
    limit: float,
) -> list[Line2D]:
    """Decoder directions as lines from the origin, encoder directions as pointers at the plane's rim."""
    drawn: list[Line2D] = []
    for (x, y), is_dead in zip(decoder, dead, strict=True):
        if x or y:
            drawn += axes.plot(
                [0, x],
                [0, y],
                color=style.ACCENT,
                markevery=[1],
                zorder=2,
                **(style.DEAD_LATENT if is_dead else style.LATENT),
            )
    for (x, y), is_dead in zip(encoder, dead, strict=True):
        length = float(np.hypot(x, y))
        if length > 0:
            drawn += axes.plot(
                [x / length * (limit - 0.14)],
                [y / length * (limit - 0.14)],
                color=_ENCODER,
                markersize=3.2,
                markerfacecolor="white" if is_dead else _ENCODER,
                zorder=3,
                **{**_POINTER, "marker": (3, 0, float(np.degrees(np.arctan2(y, x))) - 90.0)},
            )
    return drawn


def handles() -> list[Line2D]:
    """Legend entries of features and dictionary."""
    return [
        Line2D([], [], color=style.FEATURE, linewidth=3.0, label="represented feature W$_i$"),
        Line2D([], [], color=style.ACCENT, label="decoder direction", **style.LATENT),
        Line2D([], [], color=_ENCODER, markersize=3.8, label="encoder direction", **_POINTER),
        Line2D([], [], color=style.ACCENT, label="of a dead latent", **style.DEAD_LATENT),
    ]
