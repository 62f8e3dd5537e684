"""One look for all figures: sizes, colours, and files that are the same bytes for the same data.

Widths are those of the report's text, so that type stands at its true size there. Colour never carries a
meaning alone: a label, a shape or a line style says the same, for colour-blind readers and for grey prints.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from superposition_atlas.figures.parts import fonts
from superposition_atlas.storage.atomic import atomic_path
from superposition_atlas.storage.checksums import seal
from superposition_atlas.storage.embedded import figure_metadata, with_comment

WIDTH = 6.5
"""Inches: the width of the report's text."""
SMALL = 7.0
"""Points: the smallest type, for numbers inside panels."""

LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the grey that a print makes of a colour."""

FRAMES_A_SECOND, FRAMES_DPI = 5, 110
"""Frames a second and resolution of moving figures."""

INK = "#222222"
MUTED = "#8a8a8a"
"""Colour of features that are not represented, and of comparisons."""
FAINT = "#d9d9d9"
SHADE = "#efefef"
ACCENT = "#c8440b"
"""Colour of an SAE's directions, against the features' grey; and of published values."""

FEATURE = "#b5b5b5"
"""Features behind the latents that are to find them."""
LATENT: dict[str, Any] = {"linewidth": 1.0, "marker": "o", "markersize": 2.6}
DEAD_LATENT: dict[str, Any] = {
    "linewidth": 1.0,
    "linestyle": (0, (2, 1.2)),
    "marker": "o",
    "markersize": 3.2,
    "markerfacecolor": "white",
}
"""Decoder directions as lines with a dot at their end."""

POLYSEMANTICITY: Colormap = mpl.colormaps["viridis"]
POLYSEMANTICITY_RANGE = Normalize(0.0, 1.0)
"""Range of the bars' colours, as in the post: purple is a dimension of its own, yellow is superposition."""
SIGNED: Colormap = LinearSegmentedColormap.from_list(
    "signed", ["#d9541a", "#f5c8ad", "#f7f7f7", "#a5c4e0", "#0a2f66"]
)
"""Symmetric around 0: orange below, blue above, which in grey is the darker of the two."""
AMOUNT: Colormap = LinearSegmentedColormap.from_list(
    "amount", mpl.colormaps["YlGnBu"](np.linspace(0.04, 0.85, 64))
)
"""Importance, probability, shares: light is little."""
NORM = r"$\|W_i\|$"
SUPERPOSITION = r"$\sqrt{\Sigma_{j\neq i}\,(\hat W_i\cdot W_j)^2}$"
"""The colour of the bars: column `polysemanticity`."""

# A marker goes with each state of a claim: a full circle, a half-full diamond, a cross.
STATES: dict[str, dict[str, Any]] = {
    "supported": {"color": "#0b5c8a", "marker": "o", "fillstyle": "full"},
    "open": {"color": "#b57a00", "marker": "D", "fillstyle": "left"},
    "contradicted": {"color": "#b2182b", "marker": "X", "fillstyle": "full"},
}
SERIES: tuple[dict[str, Any], ...] = (
    {"color": "#20639b", "marker": "o", "linestyle": "-"},
    {"color": "#d1681c", "marker": "s", "linestyle": (0, (4, 1.5))},
    {"color": "#3c8d5a", "marker": "^", "linestyle": (0, (1, 1))},
    {"color": "#7b4f9d", "marker": "D", "linestyle": (0, (4, 1, 1, 1))},
)
"""Looks of series drawn side by side (experiments, resampling schemes), which shape tells apart as well."""


def series(index: int) -> Mapping[str, Any]:
    """Look of the index-th of several series; beyond the fourth they repeat."""
    return SERIES[index % len(SERIES)]


# Matplotlib's stubs know each setting by name; a plain mapping does not fit them.
_RC: Any = {
    "font.family": fonts.FAMILY,
    "font.size": 8.0,
    "mathtext.fontset": fonts.MATHS,
    "axes.titlesize": 8.0,
    "axes.titlepad": 4.0,
    "axes.labelsize": 8.0,
    "axes.labelpad": 2.5,
    "axes.edgecolor": "#666666",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "legend.columnspacing": 1.2,
    "lines.linewidth": 1.0,
    "hatch.linewidth": 0.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "savefig.dpi": 160,
    "savefig.facecolor": "white",
    "image.interpolation": "nearest",
    # Letters as outlines: the same picture wherever it is opened, whichever fonts are there.
    "svg.fonttype": "path",
    "svg.hashsalt": "superposition-atlas",
}


@contextmanager
def applied() -> Iterator[None]:
    """Matplotlib's settings while a figure is drawn and saved; a user's own matplotlibrc does not matter."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def save(figure: Figure, path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes a figure, whole or not at all; the suffix (.svg, .png) says as what.

    Args:
        figure: the figure.
        path: the file.
        provenance: what it was drawn from, see `storage.provenance`.

    Raises:
        ArtefactError: if the file can't be written.
    """
    buffer = BytesIO()
    metadata = figure_metadata(path, provenance)
    fonts.complete(figure, path)
    with warnings.catch_warnings():
        # `complete` has named them all in one line.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format=path.suffix.removeprefix("."), metadata=metadata)
    content = buffer.getvalue()
    # A seal inside would break the checksums that a PNG has of its parts.
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        if path.suffix != ".png":
            seal(temporary, path)


def save_frames(frames: Iterable[Figure], path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes a moving figure as a GIF, whole or not at all; frames that are alike stand for as long as all.

    Args:
        frames: figures of one size, or one figure that changes.
        path: the file.
        provenance: as for `save`.

    Raises:
        ArtefactError: if the file can't be written.
    """
    writer = PillowWriter(fps=FRAMES_A_SECOND)
    with atomic_path(path) as temporary:
        for index, figure in enumerate(frames):
            if index == 0:
                fonts.complete(figure, path)
                writer.setup(figure, temporary, dpi=FRAMES_DPI)
            writer.grab_frame()
        writer.finish()
        temporary.write_bytes(with_comment(temporary.read_bytes(), provenance))
        seal(temporary, path)


def feature_colours(n_features: int) -> Float[np.ndarray, "feature 4"]:
    """One colour a feature, the same in every figure: from dark to light in equal steps of grey."""
    palette = np.asarray(mpl.colormaps["plasma"](np.linspace(0.0, 0.9, 256)))
    grey = palette[:, :3] @ LUMINANCE
    steps = np.linspace(grey[0], grey[-1], n_features)
    return palette[np.searchsorted(grey, steps).clip(max=len(palette) - 1)]


def feature_handles(n_features: int, labels: Sequence[str] | None = None) -> list[Line2D]:
    """Legend entries for the features, by default by number; of many only the first and the last."""
    colours = feature_colours(n_features)
    shown = range(n_features) if n_features <= 10 else (0, n_features - 1)
    names = labels or [f"feature {feature}" for feature in range(n_features)]
    return [
        Line2D([], [], color=colours[feature], marker="o", markersize=3.5, label=names[feature])
        for feature in shown
    ]


def bare(axes: Axes) -> None:
    """No ticks and no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def feature_ticks(n_features: int, most: int = 10) -> list[int]:
    """Features to name on an axis: all where there are few, else round numbers from 0."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, n_features) if n_features <= step * most)
    return list(range(0, n_features, step))


def span(values: Sequence[float] | Float[np.ndarray, " value"]) -> str:
    """`0.5` where all values agree, else `0.1 … 0.9`, to two significant digits."""
    low, high = float(np.min(values)), float(np.max(values))
    return short(low) if np.isclose(low, high) else f"{short(low)} … {short(high)}"


def short(value: float) -> str:
    """A number to two significant digits, without an exponent where it can be done without."""
    return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"


def percent(share: float) -> str:
    """A share as a percentage to two significant digits: 80 %, 99.5 %."""
    value = 100 * share
    return f"{value:.0f} %" if np.isclose(value, round(value), atol=0.05) else f"{value:.1f} %"


def literal(text: str) -> str:
    """A user's text as it stands: Matplotlib would set what is between two dollar signs as a formula."""
    return text.replace("$", r"\$")
