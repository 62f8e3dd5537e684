"""The configuration of a run: the default one, files laid over it, and what the command line says."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from superposition_atlas import config as configuration
from superposition_atlas.config import Config
from superposition_atlas.config.saes import check_saes
from superposition_atlas.errors import ConfigError
from superposition_atlas.figures.asked_for import check_kinds
from superposition_atlas.figures.distinct_names import check_figures
from superposition_atlas.maps.points import check_points


def configured(
    default: Path, files: Sequence[str | Path], given: Mapping[str, Any]
) -> tuple[dict[str, Any], Config]:
    """Reads and checks all layers, the last one first in rank.

    Args:
        default: the configuration that lies below all others.
        files: those of --configfile.
        given: the values of --config; `overlay` names more files, which are read as data. (Snakemake runs
            files of --configfile through a template language, and mixes keys of two families of schedules.)

    Returns:
        The configuration as it is written, and checked.

    Raises:
        ConfigError: one line that names the first wrong key, its value, and what is allowed.
    """
    values = dict(given)
    overlays = values.pop("overlay", None) or []
    overlays = [overlays] if isinstance(overlays, str) else overlays
    if not isinstance(overlays, list) or not all(isinstance(path, str) for path in overlays):
        raise ConfigError(f"overlay: got {overlays!r}, allowed is a file name or a list of them")
    layers = [configuration.read(path) for path in (*files, *overlays)]
    raw = configuration.laid_over(configuration.read(default), *layers, values)
    config = configuration.load(raw)
    check_saes(config)
    check_figures(config)
    check_kinds(config)
    for described in config.maps.values():
        check_points(described)
    return raw, config


def one_of(names: Iterable[str]) -> str:
    """A pattern that matches these names only, and nothing where there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"
