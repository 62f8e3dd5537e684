"""The configuration: what is trained, checked in full before anything runs.

    config = load(read("config/config.yaml"))

`config/README.md` documents every key; `declaration` says what it may be, its default, and what it means.
Nothing here imports torch, numba or pandas: the Snakefile reads its configuration before every command.
"""

from superposition_atlas.config.configuration import SAE, Case, Config, Experiment, Map, sae_spec
from superposition_atlas.config.layers import laid_over
from superposition_atlas.config.loading import load, schedule_source, seeds_as_written
from superposition_atlas.config.yaml_file import read

__all__ = [
    "SAE",
    "Case",
    "Config",
    "Experiment",
    "Map",
    "laid_over",
    "load",
    "read",
    "sae_spec",
    "schedule_source",
    "seeds_as_written",
]
