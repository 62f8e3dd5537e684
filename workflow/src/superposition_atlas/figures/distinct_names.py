"""A configuration's names, checked for figures: no two figures may have one file name."""

from superposition_atlas.config import Config
from superposition_atlas.errors import ConfigError
from superposition_atlas.figures import catalogue


def check_figures(config: Config) -> None:
    """Check that every figure has a file of its own.

    Raises:
        ConfigError: one line that names the first two keys whose figures would have one name.
    """
    seen: dict[str, catalogue.FigureTarget] = {}
    for figure in catalogue.figures(config):
        # Not every file system tells a from A.
        other = seen.setdefault(figure.name.lower(), figure)
        if other is figure:
            continue
        first, second = (other, figure) if figure.named_after else (figure, other)
        owner = first.named_after or "every report"
        raise ConfigError(
            f"{second.named_after}: got a name that gives the figure {second.name}, which is one of {owner} "
            "as well, allowed is a name that gives others"
        )
