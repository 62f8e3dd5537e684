"""What all stages share: the checked configuration, and the digest of the code behind each command."""

import json
import sys
from pathlib import Path

from superposition_atlas import config as configuration
from superposition_atlas.digest import code_digest
from superposition_atlas.errors import AtlasError, ConfigError
from superposition_atlas.figures import catalogue
from superposition_atlas.locking import lock_folder

COMMAND = "python -m superposition_atlas"

if Path(workflow.basedir) not in Path(catalogue.__file__).parents:
    sys.exit(
        f"error: superposition_atlas is installed from {Path(catalogue.__file__).parents[2]}, not from here; "
        "run: pip install -e ."
    )

try:
    for path in workflow.configfiles:
        configuration.read(path)  # Snakemake's own reader lets a key stand twice
    CONFIG = configuration.load(config)
except ConfigError as error:
    sys.exit(f"error: {error}")

EXPERIMENTS = CONFIG.experiments
SHOWN_SEEDS = {name: experiment.shown_seeds for name, experiment in EXPERIMENTS.items()}
FIGURES = {figure.name: figure for figure in catalogue.figures(CONFIG)}
FIGURE_FILES = [
    f"results/figures/{name}.{kind}" for name in FIGURES for kind in ("svg", "png")
]


wildcard_constraints:
    experiment="|".join(EXPERIMENTS),
    case="[A-Za-z][A-Za-z0-9_-]*",
    sae="[A-Za-z][A-Za-z0-9_-]*",
    table="models|features|saes|latents|recovered|history",
    figure="|".join(FIGURES) or "none",


def hold_folder():
    """Two runs at once would train everything twice."""
    try:
        lock_folder(Path.cwd())
    except AtlasError as error:
        sys.exit(f"error: {error}")


def as_json(value):
    """A spec as one plain string: Snakemake compares params by their text."""
    return json.dumps(value, sort_keys=True)


def command_digest(command):
    """The code behind `python -m superposition_atlas COMMAND`: a rule reruns when it changes."""
    return code_digest(f"superposition_atlas.commands.{command}")


def experiment_of(wildcards):
    return EXPERIMENTS[wildcards.experiment]


def case_of(wildcards):
    return experiment_of(wildcards).cases[wildcards.case]


def experiment_json(wildcards):
    """The experiment as a configuration of its own."""
    return as_json(configuration.schedule_source(config, wildcards.experiment))


def case_json(wildcards):
    """All that the models of a case depend on: only its change retrains them."""
    return as_json(
        configuration.case_spec(experiment_of(wildcards), case_of(wildcards))
    )


def sae_json(wildcards):
    """All that an SAE depends on beside its toy models."""
    return as_json(configuration.sae_spec(experiment_of(wildcards).saes[wildcards.sae]))
