"""Slide 5: the sparser the features, the more of them fit into two dimensions (Elhage et al. 2022)."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures.parts import planes, rows, style


def draw(paths: Mapping[str, Path]) -> Figure:
    """One plane a case: of the seeds that are shown, the toy model with the lowest loss.

    Args:
        paths: `features.NAME` and `models.NAME`, the tables of each case, in the order of the panels.
    """
    chosen = [_best(paths, name) for name in rows.names(paths, "features")]
    limit = planes.common_limit(model.weights for model in chosen)
    figure = Figure(figsize=(style.WIDTH, 2.85), layout="constrained")
    for axes, model in zip(figure.subplots(1, len(chosen), squeeze=False)[0], chosen, strict=True):
        planes.frame_plane(axes, limit)
        planes.draw_features(axes, model.weights, model.represented, size=1.3)
        sparsity = style.span(100 * (1 - model.values("probability")))
        axes.set_title(f"{sparsity} % sparsity", fontweight="bold")
        axes.set_xlabel(f"{model.n_represented} of {len(model.weights)} represented")
    importance = chosen[0].values("importance")
    labels = [f"{feature}: {style.short(value)}" for feature, value in enumerate(importance)]
    handles = style.feature_handles(len(labels), labels)
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), title="feature: importance"
    )
    return figure


def _best(paths: Mapping[str, Path], name: str) -> rows.ToyModelRows:
    """The toy model with the lowest loss among those shown."""
    features_path = paths[f"features.{name}"]
    models = rows.read(paths[f"models.{name}"], ["seed", "shown", "loss"])
    features = rows.read(features_path, [*rows.PLANE_COLUMNS, "importance", "probability"])
    shown = models[models["shown"]].sort_values("loss", kind="stable")
    seed = int(shown["seed"].iloc[0])
    for model in rows.toy_models(features):
        if model.seed == seed:
            return model
    raise ArtefactError(f"{features_path}: has no shown rows of seed {seed}")
