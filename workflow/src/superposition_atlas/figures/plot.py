"""The pipeline's drawings for a notebook: `sa.plot`.

    sa.plot.plane(models)           feature directions in the plane, one toy model each
    sa.plot.bars(models)            feature norms, coloured by superposition, beside WᵀW
    sa.plot.gram(models)            WᵀW
    sa.plot.dimensionality(models)  D_i of each feature
    sa.plot.pareto(saes, models)    L0 against FVU and recall
    sa.plot.frames(saes, models)    dictionaries in the plane
    sa.plot.matching(schedule)      which features are represented, without training and with it
    sa.plot.atlas(points)           a map's table, over mean density and steepness

Each returns a matplotlib figure, and takes ensembles or the data frames of the same things that the workflow
writes. With `ax`, one panel is drawn there. `figure.savefig(path)` saves it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from superposition_atlas import arguments
from superposition_atlas.covered_models import PLAIN, require_settings
from superposition_atlas.errors import ArgumentError
from superposition_atlas.figures.parts import (
    atlas_grid,
    atlas_panel,
    bar_panels,
    ensemble_tables,
    notebook_page,
    pareto_panels,
    planes,
    rows,
    sae_series,
    style,
)
from superposition_atlas.maps.matching_summary import matching_row
from superposition_atlas.maps.norms import PUBLISHED_NORMS
from superposition_atlas.sae.ensemble import SAEs
from superposition_atlas.schedules import Schedule
from superposition_atlas.schedules.schedule import as_schedule, one_schedule
from superposition_atlas.storage.parquet import read_table
from superposition_atlas.theory.matching import match
from superposition_atlas.toy_model import ToyModels

__all__ = ["atlas", "bars", "dimensionality", "frames", "gram", "matching", "pareto", "plane"]

Models = ToyModels | pd.DataFrame
"""Toy models, or a data frame with a row a feature, as `models.to_frame()` or features.parquet."""

_MOST_MODELS = 32
_MOST_GRAMS = 12
_ALONE_AND_SHARED = {"alone": 0.0, "shared": 1.0}
"""Labels of the matching, with the superposition in whose colour they are drawn."""
_ATLAS = {
    "represented": "n_represented",
    "dedicated": "n_dedicated",
    "gap": "keeps_best",
    "observations": None,
}
"""What an atlas shows, and the column that one panel of it has."""
_KNOWN_DIMENSIONALITIES = {"1": 1.0, "¾": 3 / 4, "⅔": 2 / 3, "½": 1 / 2, "⅖": 2 / 5, "⅜": 3 / 8}
"""D_i of a feature alone, in a tetrahedron, triangle, antipodal pair, pentagon and square antiprism."""


def plane(models: Models, title: str = "", ax: Axes | None = None) -> Figure:
    """Feature directions in the plane: a line from the origin to each W_i, grey where not represented.

    More than two hidden dimensions are seen along the two in which the features extend most.

    Args:
        models: up to 32 toy models of different seeds; with `ax` one.
        title: written above.
        ax: axes to draw one toy model into; without them the figure also has importance and probability.

    Raises:
        ArgumentError: if `models` is something else, or too many.
    """
    notebook_page.require_axes(ax)
    if ax is None:
        ensemble_tables.seed_rows(models, _MOST_MODELS)
        return notebook_page.page("plane", {"features": ensemble_tables.features_of(models)}, title=title)
    with style.applied():
        model = _one(models)
        planes.frame_plane(ax, planes.common_limit([model.weights]))
        planes.draw_features(ax, model.weights, model.represented)
    return notebook_page.panel(ax, title)


def bars(models: Models, title: str = "", ax: Axes | None = None) -> Figure:
    """Feature norms ‖W_i‖ as bars, purple where a feature is alone and yellow where it is in superposition.

    Args:
        models: toy models of different seeds, of which the first four are drawn; with `ax` one.
        title: written above.
        ax: axes to draw the bars of one toy model into; without them the figure also has WᵀW.

    Raises:
        ArgumentError: if `models` is something else.
    """
    notebook_page.require_axes(ax)
    require_settings(models, "bars", PLAIN)
    if ax is None:
        return notebook_page.page("bars", {"features": ensemble_tables.features_of(models)}, title=title)
    with style.applied():
        model = _one(models)
        bar_panels.draw_bars(ax, model, float(model.values("norm").max()))
        ax.set_xticks([0, 0.5, 1], ["0", "½", "1"])
        ax.spines["bottom"].set_visible(True)
        bar_panels.name_features(ax, len(model.weights))
        ax.set(xlabel=r"$\|W_i\|$", ylabel="feature")
    return notebook_page.panel(ax, title)


def gram(models: Models, title: str = "", ax: Axes | None = None) -> Figure:
    """WᵀW as heat maps: squared norms on the diagonal, interference beside it.

    Args:
        models: up to 12 toy models of different seeds; with `ax` one.
        title: written above.
        ax: axes to draw one toy model into.

    Raises:
        ArgumentError: if `models` is something else, or too many.
    """
    notebook_page.require_axes(ax)
    require_settings(models, "WᵀW", PLAIN)
    with style.applied():
        if ax is not None:
            model = _one(models)
            bar_panels.draw_products(ax, model, float(np.square(model.weights).sum(axis=1).max()))
            return notebook_page.panel(ax, title)
        found = ensemble_tables.seed_rows(models, _MOST_GRAMS)
        limit = max(float(np.square(model.weights).sum(axis=1).max()) for model in found)
        figure, panels = notebook_page.grid(len(found))
        for panel, model in zip(panels, found, strict=True):
            bar_panels.draw_products(panel, model, limit)
            panel.set_title(f"seed {model.seed}", fontsize=7.5)
    return notebook_page.titled(figure, title)


def dimensionality(models: Models, title: str = "", ax: Axes | None = None) -> Figure:
    """D_i of each feature of each toy model; lines stand at the values of known structures.

    1 is a feature alone, ½ an antipodal pair, ⅖ a pentagon (Elhage et al. 2022).

    Args:
        models: toy models of different seeds.
        title: written above.
        ax: axes to draw into.

    Raises:
        ArgumentError: if `models` is something else.
    """
    notebook_page.require_axes(ax)
    require_settings(models, "dimensionality", PLAIN)
    frame = ensemble_tables.features_of(models)
    with style.applied():
        if ax is None:
            ax = notebook_page.grid(1, width=3.4)[1][0]
        n_features = int(frame["feature"].max()) + 1
        for label, value in _KNOWN_DIMENSIONALITIES.items():
            ax.axhline(value, color=style.FAINT, linewidth=0.6, zorder=0.5)
            place = 1.01 if label != "⅜" else 1.05  # beside ⅖, which is near
            ax.annotate(label, (place, value), xycoords=("axes fraction", "data"), fontsize=6, va="center")
        there = frame["represented"].to_numpy(dtype=bool)
        colours = style.feature_colours(n_features)[frame["feature"].to_numpy()]
        for chosen, faces in ((there, colours), (~there, np.ones_like(colours))):
            ax.scatter(
                frame["feature"][chosen],
                frame["dimensionality"][chosen],
                s=10,
                facecolors=faces[chosen],
                edgecolors=colours[chosen],
                linewidths=0.6,
            )
        ax.set_xticks(style.feature_ticks(n_features))
        ax.set(xlabel="feature (hollow: not represented)", ylabel="dimensionality $D_i$", ylim=(-0.05, 1.08))
    return notebook_page.panel(ax, title)


def pareto(
    saes: Any,
    models: ToyModels | None = None,
    measure: Literal["fvu", "recall_represented_alive"] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """What sparsity costs: mean L0 against FVU and against recall, a line through the levels of λ or k.

    Args:
        saes: SAEs, or a mapping from names to SAEs, beside `models`; or what `sa.evaluate` returned, a
            mapping from names to that, or a data frame as saes.parquet, of one case.
        models: the toy models of the SAEs.
        measure: what is drawn with `ax`, by default "fvu"; without `ax` both are.
        title: written above.
        ax: axes to draw one measure into.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    notebook_page.require_axes(ax)
    table = ensemble_tables.saes_of(saes, models)
    if measure is not None:
        arguments.choice("measure", measure, tuple(pareto_panels.MEASURES))
    series = sae_series.split(table)
    most, highest = (pareto_panels.highest(series, [table["case"].iloc[0]], name) for name in ("l0", "fvu"))
    with style.applied():
        if ax is None:
            measures = list(pareto_panels.MEASURES) if measure is None else [measure]
            figure, panels = notebook_page.grid(len(measures), width=2.6)
        else:
            measures, panels, figure = [measure or "fvu"], [ax], notebook_page.figure_of(ax)
        for panel, name in zip(panels, measures, strict=True):
            pareto_panels.draw_levels(panel, series, name)
            pareto_panels.scale_levels(panel, name, most or 1.0, highest)
            panel.set(xlabel="L0", ylabel=pareto_panels.MEASURES[name])
        handles = sae_series.handles(series)
        if table["collapsed"].any():
            handles.append(sae_series.collapsed_handle())
        if ax is None:
            n_columns = min(5, len(handles))
            figure.legend(handles=handles, loc="outside lower center", ncols=n_columns, numpoints=1)
        else:
            ax.legend(handles=handles, numpoints=1)
    return notebook_page.titled(figure, title) if ax is None else notebook_page.panel(ax, title)


def frames(
    saes: SAEs | Mapping[str, SAEs], models: ToyModels, title: str = "", ax: Axes | None = None
) -> Figure:
    """Dictionaries in the plane: represented features in grey, decoder directions over them.

    A row a toy model, the first six that have SAEs; a column an architecture. Of an architecture with more
    than one λ or k, that with the largest mean recall is drawn.

    Args:
        saes: SAEs, or a mapping from names to SAEs.
        models: their toy models, of two hidden dimensions.
        title: written above.
        ax: axes to draw one SAE into.

    Raises:
        ArgumentError: if an argument is not as above.
    """
    notebook_page.require_axes(ax)
    arguments.instance("models", models, ToyModels, "ToyModels, those of the SAEs")
    if models.n_hidden != 2:
        raise ArgumentError(f"models have {models.n_hidden} hidden dimensions: must have 2")
    ensembles = dict(saes) if isinstance(saes, Mapping) else {"": saes}
    tables = ensemble_tables.dictionary_tables(ensembles, models)
    if ax is None:
        figure = notebook_page.page("sae_frames", tables)
        return notebook_page.titled(figure, title)
    if len(tables["saes"]) != 1:
        raise ArgumentError(f"saes has {len(tables['saes'])} SAEs: must have one with ax, such as saes[0]")
    module = notebook_page.drawing("sae_frames")
    with style.applied():
        model = rows.toy_models(tables["features"])[0]
        limit = planes.common_limit([model.weights], labels=False)
        planes.frame_plane(ax, limit)
        module.draw_features(ax, model)
        latents = tables["latents"]
        module.draw_dictionary(ax, *module.vectors(latents), latents["dead"].to_numpy(dtype=bool), limit)
    return notebook_page.panel(ax, title)


def matching(
    schedule: Schedule | ToyModels | tuple[Any, Any],
    n_hidden: int | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Which features are represented by the matching, without training; below it what toy models do.

    Purple: a dimension alone; yellow: a shared one; white: absent.

    Args:
        schedule: a `Schedule` or a pair of arrays, which need `n_hidden`; or toy models that were trained on
            one schedule, whose shares then stand below.
        n_hidden: number of hidden dimensions, m.
        title: written above.
        ax: axes to draw the matching of the schedule into, with its probability and importance.

    Raises:
        TheoryError: if the schedule is not one schedule, or the matching's costs do not hold for the models.
    """
    notebook_page.require_axes(ax)
    given = schedule if isinstance(schedule, ToyModels) else as_schedule(schedule)
    importance, probability, n_hidden = one_schedule(given, n_hidden=n_hidden)
    found = match(schedule) if isinstance(schedule, ToyModels) else match(importance, probability, n_hidden)
    if isinstance(schedule, ToyModels) and ax is None:
        row = matching_row(importance, probability, n_hidden, schedule, len(schedule))
        tables = {"matching": pd.DataFrame([{"case": "", "schedule": 0, **row}])}
        cases = [{"name": "", "title": title, "role": ""}]
        return notebook_page.page("answer_matching", tables, {"published": PUBLISHED_NORMS}, cases=cases)
    with style.applied():
        if ax is None:
            ax = notebook_page.grid(1, width=style.WIDTH - 1, height=1.0)[1][0]
        place = np.arange(len(found.labels))
        for label, share in _ALONE_AND_SHARED.items():
            colour = style.POLYSEMANTICITY(style.POLYSEMANTICITY_RANGE(share))
            ax.bar(place, found.labels == label, 0.9, color=[colour], edgecolor=style.FAINT, label=label)
        halo: dict[str, Any] = {
            "color": style.INK,
            "path_effects": [withStroke(linewidth=2, foreground="white")],
        }
        ax.plot(place, probability, linewidth=0.9, label="probability $p_i$", **halo)
        relative = importance / max(importance.max(), np.finfo(float).tiny)
        ax.plot(place, relative, linestyle=(0, (1, 1.4)), label="importance $I_i$", **halo)
        ax.set_xticks(style.feature_ticks(len(place)))
        ax.set(xlabel="feature", ylim=(0, 1.04), yticks=[0, 1])
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.2)
    return notebook_page.panel(ax, title, pad=16)


def atlas(
    points: pd.DataFrame | str | Path,
    show: Literal["represented", "dedicated", "gap", "observations"] = "represented",
    variant: str | None = None,
    cases: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """A map's schedules as coloured cells, mean density over steepness: trained and best.

    Args:
        points: points.parquet of a grid map that is trained and solved (`results/maps/atlas/points.parquet`),
            read or its path; with `ax` the rows of one family, importance and order.
        show: numbers of features represented or dedicated; `gap`, how far training is from the best; or the
            talk's `observations`.
        variant: way of training, by default the first.
        cases: names of schedules to frame, by their key.
        ax: axes to draw trained toy models into, one panel.

    Raises:
        ArgumentError: if the table is of another kind of map, or has more schedules than one panel shows.
        ArtefactError: if the path names no such table.
    """
    notebook_page.require_axes(ax)
    arguments.choice("show", show, tuple(_ATLAS))
    table = points if isinstance(points, pd.DataFrame) else read_table(arguments.path("points", points))
    for column in (*atlas_grid.COORDINATES, "best_kept", "n_represented"):
        if column not in table:
            raise ArgumentError(f"points has no column {column!r}: must be of a grid trained and solved")
    if table.empty:
        raise ArgumentError("points has no rows: must have at least one")
    variants = tuple(map(str, table["variant"].unique()))
    chosen_variant = variants[0] if variant is None else variant
    arguments.choice("variant", chosen_variant, variants)
    cases = dict(cases or {})
    n_features = len(str(table["best_kept"].iloc[0]))
    counts = table[["n_dedicated", "best_n_dedicated"]].to_numpy(dtype=float)
    most = {"represented": n_features, "dedicated": max(1, int(np.ceil(np.nanmax(counts))))}
    if ax is None:
        sizes = {"represented": {"n_features": n_features}, "dedicated": {"n_hidden": most["dedicated"]}}
        options: dict[str, Any] = {"variant": chosen_variant, "cases": cases, **sizes.get(show, {})}
        return notebook_page.page(f"atlas_{show}", {"points": table}, **options)
    trained = _ATLAS[show]
    if trained is None:
        raise ArgumentError("show is 'observations': must be represented, dedicated or gap with ax")
    chosen = atlas_grid.Atlas(table[table["variant"] == chosen_variant], cases)
    if len(chosen.families) != 1 or len(chosen.columns) != 1:
        raise ArgumentError(
            f"points has {len(chosen.families)} families and {len(chosen.columns)} importances and orders: "
            "must have one of each with ax; select by family, importance_ratio and order"
        )
    look = atlas_panel.count_look(0, most[show], "") if show in most else atlas_panel.SHARE
    with style.applied():
        boundary = "best_n_represented" if show == "gap" else f"best_{trained}"
        layers = atlas_panel.Layers(look, trained, boundary)
        atlas_panel.draw_panel(ax, chosen, chosen.families[0], chosen.columns[0], layers)
        ax.set(xlabel="steepness $p_{max}/p_{min}$", ylabel="mean density")
    return notebook_page.panel(ax, "")


def _one(models: Models) -> rows.ToyModelRows:
    return ensemble_tables.seed_rows(models, 1)[0]
