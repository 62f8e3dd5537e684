"""The explorer in a notebook: the same page in a frame, and the way back from it to a Schedule."""

import json
import secrets
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
from numpy.typing import ArrayLike

from superposition_atlas import arguments
from superposition_atlas.errors import ArtefactError, AtlasError
from superposition_atlas.explorer.assemble import page, page_folder
from superposition_atlas.explorer.gather import page_data
from superposition_atlas.explorer.presets import MOST_FEATURES, MOST_HIDDEN
from superposition_atlas.schedules import Schedule, as_schedule
from superposition_atlas.storage import layout
from superposition_atlas.storage.provenance import PROVENANCE_KEY
from superposition_atlas.toy_model import ToyModels

_HEIGHT = 900


class Explorer:
    """A page that is shown in a frame. Without anywidget its way back is the link that "Copy link" gives."""

    def __init__(self, html: str, height: int = _HEIGHT) -> None:
        self.html = html
        """The whole page."""
        self.height = height
        """Height of the frame, in pixels."""

    def _repr_html_(self) -> str:
        frame = escape(self.html, quote=True)
        return (
            f'<iframe srcdoc="{frame}" title="Superposition explorer" '
            f'style="width: 100%; height: {self.height}px; border: 0"></iframe>'
        )

    def save(self, path: str | Path) -> None:
        """Writes the page as a file that any browser opens from disk."""
        Path(path).write_text(self.html, "utf-8")


def explore(
    schedule: Schedule | ToyModels | tuple[ArrayLike, ArrayLike] | None = None,
    n_hidden: int = 2,
    results: str | Path | None = None,
    height: int = _HEIGHT,
) -> Any:
    """The explorer, set to a schedule: train toy models by hand, with the theory beside them.

    With anywidget installed (the extra `notebook`) what is returned has an attribute `schedule` that follows
    the sliders. Without it, `schedule_of` reads a link that "Copy link" gives.

    Args:
        schedule: one schedule of 2 to 12 features, or toy models, whose schedule is taken, or a pair of
            arrays; None is the talk's.
        n_hidden: hidden dimensions, 1 to 3.
        results: a page that the workflow has made (`results/explorer.html`), whose presets and atlas are
            taken over; None has neither.
        height: of the frame, in pixels, 1 to 100,000.

    Raises:
        AtlasError: if the schedule is of another size, its instances differ, or the page holds no explorer.
    """
    n_hidden = arguments.integer("n_hidden", n_hidden, most=MOST_HIDDEN)
    height = arguments.integer("height", height, most=100_000)
    page_path = None if results is None else arguments.path("results", results)
    data = page_data([], None, _version()) if page_path is None else data_of(page_path)
    if schedule is not None:
        data["fragment"] = fragment_of(as_schedule(schedule), n_hidden)
    try:
        import anywidget  # noqa: F401  # only asked for: the frame does without
    except ImportError:
        return Explorer(page(data), height)
    return _widget(data, height)


def fragment_of(schedule: Schedule, n_hidden: int) -> str:
    """The part after the # of a link to the explorer.

    Raises:
        AtlasError: if the schedule has fewer than 2 or more than 12 features, or its instances differ.
    """
    rows = []
    for name in ("importance", "probability"):
        values = np.atleast_2d(getattr(schedule, name))
        if np.any(values != values[0]):
            raise AtlasError(f"schedule's {name} differs between instances: explore one schedule at a time")
        rows.append(values[0])
    if not 2 <= len(rows[0]) <= MOST_FEATURES:
        raise AtlasError(f"schedule has {len(rows[0])} features: must have 2 to {MOST_FEATURES}")
    importance, probability = (",".join(repr(float(value)) for value in row) for row in rows)
    return f"I={importance}&p={probability}&m={n_hidden}"


def schedule_of(link: str) -> Schedule:
    """The schedule that a link of the explorer ("Copy link") is set to.

    Raises:
        AtlasError: if the link holds none.
    """
    values = parse_qs(link.partition("#")[2] if "#" in link else link)
    try:
        importance, probability = (
            np.array([float(number) for number in values[name][0].split(",")]) for name in ("I", "p")
        )
        return Schedule(importance, probability)
    except (KeyError, ValueError):
        raise AtlasError(
            f"{link[:80]!r} holds no schedule: allowed is a link that the explorer's Copy link gives"
        ) from None


def data_of(path: Path) -> dict[str, Any]:
    """The data of a page that `page` has made.

    Raises:
        ArtefactError: if the file can't be read or is no such page.
    """
    begin, end = '<script type="application/json" id="data">', "</script>"
    try:
        text = path.read_text("utf-8")
        data = dict(json.loads(text.split(begin, 1)[1].split(end, 1)[0]))
    except OSError as error:
        raise ArtefactError(f"{path}: {error.strerror}") from None
    except (IndexError, ValueError):
        raise ArtefactError(
            f"{path}: is no page of the explorer; the workflow makes {layout.explorer()}"
        ) from None
    data.pop(PROVENANCE_KEY, None)  # another page than the workflow's carries none of its own
    return data


def _version() -> str:
    from superposition_atlas import __version__

    return __version__


def _widget(data: Mapping[str, Any], height: int) -> Any:
    """The page as an anywidget, which hears from it what is set."""
    import anywidget
    import traitlets

    class ExplorerWidget(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget need not be installed
        """The explorer's page in a frame; `schedule` is what its sliders are set to."""

        _esm = (page_folder() / "widget.js").read_text("utf-8")
        html = traitlets.Unicode().tag(sync=True)
        height = traitlets.Int().tag(sync=True)
        listener = traitlets.Unicode().tag(sync=True)
        fragment = traitlets.Unicode().tag(sync=True)

        @property
        def schedule(self) -> Schedule:
            """The schedule that the sliders are set to.

            Raises:
                AtlasError: if the page has not said so yet.
            """
            return schedule_of(self.fragment)

        def save(self, path: str | Path) -> None:
            """Writes the page as a file that any browser opens from disk."""
            Path(path).write_text(self.html, "utf-8")

    listener = secrets.token_hex(8)
    html = page({**data, "listener": listener})
    return ExplorerWidget(html=html, height=height, listener=listener, fragment=str(data.get("fragment", "")))


__all__: Sequence[str] = ("Explorer", "explore", "fragment_of", "schedule_of")
