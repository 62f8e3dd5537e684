"""Slide 10, moving: an SAE's decoder and encoder directions while it learns, dead latents, and resampling."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.draw import sae_frames
from superposition_atlas.figures.parts import planes, rows, style
from superposition_atlas.figures.parts.canvas import Canvas

_MOST_SEEDS = 4
_FLASH = "#ffd166"
_COLUMNS = ("sae", "seed", "step", "latent", "dead", "resampled", "decoder", "encoder")
_LAST_STANDS = 10
"""Frames for which the last one stays."""
# Inches.
_CELL = 1.6
_ABOVE, _TIMELINE, _BELOW = 0.22, 0.46, 0.26


def draw(paths: Mapping[str, Path], sae: str) -> Figure:
    """The last frame; arguments as for `frames`."""
    scene = _Scene(paths, sae)
    scene.show(scene.steps[-1])
    return scene.canvas.figure


def frames(paths: Mapping[str, Path], sae: str) -> Iterator[Figure]:
    """The same figure again and again, a recorded step each time; the last one stands for a while.

    Args:
        paths: `features` and `history`, the case's; two hidden dimensions.
        sae: which of its SAEs.
    """
    scene = _Scene(paths, sae)
    for step in [*scene.steps, *[scene.steps[-1]] * (_LAST_STANDS - 1)]:
        scene.show(step)
        yield scene.canvas.figure


class _Scene:
    """Up to four toy models side by side, those with the most resampled latents, and a timeline below."""

    def __init__(self, paths: Mapping[str, Path], sae: str) -> None:
        models = rows.toy_models(rows.read(paths["features"], rows.PLANE_COLUMNS))
        history = rows.read(paths["history"], _COLUMNS)
        history = history[history["sae"] == sae]
        if history.empty:
            raise ArtefactError(f"{paths['history']}: has no rows of the SAE {sae!r}")
        n_resampled = history.groupby("seed")["resampled"].sum()
        models = [model for model in models if model.seed in n_resampled.index]
        if not models:
            raise ArtefactError(f"{paths['history']}: has no rows of a seed that is shown")
        if models[0].weights.shape[1] != 2:
            raise ArtefactError(f"{paths['features']}: its toy models have not two hidden dimensions")
        most = sorted(models, key=lambda model: -n_resampled[model.seed])[:_MOST_SEEDS]
        models = [model for model in models if model in most]

        self.history = history[history["seed"].isin([model.seed for model in models])]
        self.steps: list[int] = sorted(self.history["step"].unique().tolist())
        self.limit = planes.common_limit((model.weights for model in models), labels=False)
        self.canvas = Canvas(_ABOVE + _CELL + _TIMELINE + _BELOW)
        self.moving: list[Line2D] = []
        self.panels: dict[int, Axes] = {}
        left = (style.WIDTH - _CELL * len(models)) / 2
        for column, model in enumerate(models):
            axes = self.canvas.axes(left + column * _CELL + 0.02, _ABOVE + 0.02, _CELL - 0.04, _CELL - 0.04)
            planes.frame_plane(axes, self.limit)
            sae_frames.draw_features(axes, model)
            axes.set_title(f"seed {model.seed}", fontsize=7, pad=2)
            self.panels[model.seed] = axes
        self.timeline = self._timeline()
        self.canvas.figure.legend(
            handles=[
                *sae_frames.handles(),
                Line2D(
                    [], [], marker="o", markersize=7, color=_FLASH, linestyle="", label="resampled just now"
                ),
            ],
            loc="lower center",
            ncols=5,
            borderaxespad=0.1,
            columnspacing=0.9,
            fontsize=style.SMALL,
        )

    def _timeline(self) -> Axes:
        axes = self.canvas.axes(0.9, _ABOVE + _CELL + 0.12, style.WIDTH - 1.3, 0.12)
        style.bare(axes)
        last = max(self.steps[-1], 1)
        axes.set_xlim(0, last)
        axes.set_ylim(-1, 1)
        axes.plot([0, last], [0, 0], color=style.FAINT, linewidth=2.0, zorder=1)
        resampled = self.history.loc[self.history["resampled"], "step"].unique()
        axes.plot(
            resampled, np.zeros(len(resampled)), "o", color=_FLASH, markersize=5, zorder=2, clip_on=False
        )
        self.label = self.canvas.text(
            0.8, _ABOVE + _CELL + 0.18, "", ha="right", va="center_baseline", fontsize=7
        )
        return axes

    def show(self, step: int) -> None:
        """Draws the dictionaries as they were after so many steps."""
        for line in self.moving:
            line.remove()
        then = self.history[self.history["step"] == step]
        self.moving = self.timeline.plot(
            [step], [0], "|", color=style.INK, markersize=9, zorder=3, clip_on=False
        )
        for seed, axes in self.panels.items():
            own = then[then["seed"] == seed].sort_values("latent")
            self.moving += self._dictionary(axes, own)
        self.label.set_text(f"step {step:,}".replace(",", "\u202f"))

    def _dictionary(self, axes: Axes, latents: pd.DataFrame) -> list[Line2D]:
        decoder, encoder = sae_frames.vectors(latents)
        dead = latents["dead"].to_numpy(dtype=bool)
        drawn = sae_frames.draw_dictionary(axes, decoder, encoder, dead, self.limit)
        new = decoder[latents["resampled"].to_numpy(dtype=bool)]
        drawn += axes.plot(new[:, 0], new[:, 1], "o", color=_FLASH, markersize=13, zorder=1.5)
        return drawn
