"""What the rules ask for: the checked configuration, digests of code, and each stage's inputs and params."""

import json
import shutil
import sys
from pathlib import Path

from superposition_atlas import config as configuration
from superposition_atlas.config.saes import check_saes
from superposition_atlas.digest import code_digest
from superposition_atlas.errors import AtlasError, ConfigError
from superposition_atlas.figures import catalogue
from superposition_atlas.locking import lock_folder

if Path(workflow.basedir) not in Path(catalogue.__file__).parents:
    sys.exit(
        f"error: superposition_atlas is installed from {Path(catalogue.__file__).parents[2]}, not from here; "
        "run: pip install -e ."
    )

try:
    # Snakemake's own merge would mix the keys of two families of schedules, and put what is laid over first.
    RAW = configuration.laid_over(
        configuration.read(DEFAULT_CONFIG),
        *[
            configuration.read(path)
            for path in workflow.configfiles
            if path != DEFAULT_CONFIG
        ],
        workflow.config_settings.config or {},
    )
    CONFIG = configuration.load(RAW)
    check_saes(CONFIG)
except ConfigError as error:
    sys.exit(f"error: {error}")

EXPERIMENTS = CONFIG.experiments
SHOWN_SEEDS = {name: experiment.shown_seeds for name, experiment in EXPERIMENTS.items()}
FIGURES = {figure.name: figure for figure in catalogue.figures(CONFIG)}
MOVING = [name for name, figure in FIGURES.items() if figure.moves]
FIGURE_FILES = [
    f"results/figures/{name}.{kind}" for name in FIGURES for kind in ("svg", "png")
] + [f"results/figures/{name}.gif" for name in MOVING]
TABLES = [
    catalogue.experiment_table(name, table)
    for name, experiment in EXPERIMENTS.items()
    for table in (
        "models",
        "features",
        *(
            ("saes", "latents", "recovered", "polysemanticity")
            if experiment.saes
            else ()
        ),
    )
]
ATTENTION = CONFIG.attention
ATTENTION_WEIGHTS = [
    f"results/attention/{name}/{part}.safetensors"
    for name, setting in ATTENTION.items()
    for part in ("toy_models", "saes", *(f"heads_{n}" for n in setting.heads))
]
ATTENTION_TABLES = [
    catalogue.attention_table(table)
    for table in ("cells", "outputs", "rules", "models")
    if ATTENTION
]
TARGETS = ["results/report.pdf", *FIGURE_FILES, *TABLES, *ATTENTION_TABLES]


wildcard_constraints:
    experiment="|".join(EXPERIMENTS),
    case="[A-Za-z][A-Za-z0-9_-]*",
    sae="[A-Za-z][A-Za-z0-9_-]*",
    table="models|features|saes|latents|recovered|history|polysemanticity",
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
    # Not sorted: figures and tables keep the order in which the cases are written.
    return json.dumps(configuration.schedule_source(RAW, wildcards.experiment))


def whole_json(wildcards):
    """The whole configuration, as it is written. (A function: Snakemake takes braces in plain params for wildcards.)"""
    return json.dumps(RAW)


def case_json(wildcards):
    """All that the toy models of a case depend on: only its change retrains them."""
    return as_json(
        configuration.schedule_source(RAW, wildcards.experiment, wildcards.case)
    )


def sae_json(wildcards):
    """All that an SAE depends on beside its toy models."""
    return as_json(configuration.sae_spec(experiment_of(wildcards).saes[wildcards.sae]))


# --- training -------------------------------------------------------------------------------------------------


def on_gpu():
    """Whether training runs on a GPU: with auto, where this machine has one."""
    if CONFIG.device == "cpu" or CONFIG.engine == "fused":
        return False
    return CONFIG.device == "cuda" or shutil.which("nvidia-smi") is not None


def train_minutes(wildcards, attempt):
    """A generous estimate, at 5e8 multiply-adds a second; each retry asks for as much again."""
    experiment, training = experiment_of(wildcards), case_of(wildcards).training
    size = experiment.n_features * (experiment.n_hidden + 5)
    work = len(experiment.seeds) * training.steps * training.batch_size * size
    return attempt * (5 + round(work / 5e8 / 60))


def train_megabytes(wildcards, attempt):
    """Compiler and libraries, and what grows with the ensemble; each retry asks for as much again."""
    experiment = experiment_of(wildcards)
    weights = len(experiment.seeds) * experiment.n_features * (experiment.n_hidden + 1)
    return attempt * (1500 + round(weights * 4 * 10 / 1e6))


# --- attention ------------------------------------------------------------------------------------------------


def attention_json(wildcards):
    """All that slide 3's models depend on. (Not sorted: tables keep the order of the configuration.)"""
    return json.dumps({name: setting.spec for name, setting in ATTENTION.items()})


def attention_heads_json(wildcards):
    return json.dumps(
        {name: list(setting.heads) for name, setting in ATTENTION.items()}
    )


def attention_minutes(wildcards, attempt):
    """A generous estimate, at 1e8 scores a second; each retry asks for as much again."""
    scores = sum(
        len(setting.seeds)
        * sum(setting.heads)
        * setting.training["steps"]
        * setting.training["batch_size"]
        * setting.training["n_keys"]
        for setting in ATTENTION.values()
    )
    return attempt * (10 + round(scores / 1e8 / 60))


# --- metrics --------------------------------------------------------------------------------------------------


TESTED = [
    name
    for name, experiment in EXPERIMENTS.items()
    if experiment.claims or name == "controls"
]


def tables_of_cases(wildcards):
    return [
        catalogue.case_table(wildcards.experiment, case, wildcards.table)
        for case in experiment_of(wildcards).cases
    ]


def saes_of_case(wildcards):
    return [
        f"results/saes/{wildcards.experiment}/{wildcards.case}/{sae}.safetensors"
        for sae in experiment_of(wildcards).saes
    ]


def tested_tables(table):
    """A table of every experiment on which the talk's observations are tested."""
    return [catalogue.experiment_table(name, table) for name in TESTED]


# --- figures --------------------------------------------------------------------------------------------------


def figure_of(wildcards):
    return FIGURES[wildcards.figure]


def figure_inputs(wildcards):
    return list(figure_of(wildcards).inputs.values())


def figure_digest(wildcards):
    """The code of this figure's own module and of what every figure shares."""
    return code_digest(
        "superposition_atlas.commands.figure",
        f"superposition_atlas.figures.{figure_of(wildcards).module}",
    )


def figure_arguments(wildcards):
    figure = figure_of(wildcards)
    pairs = [("--input", figure.inputs), ("--option", figure.options)]
    return [
        f"{flag}={key}={value}"
        for flag, values in pairs
        for key, value in values.items()
    ]


def figure_module(wildcards):
    return figure_of(wildcards).module


def figure_labels(wildcards):
    return dict(sorted(figure_of(wildcards).labels.items()))


def figure_report_labels(wildcards):
    return {"figure": wildcards.figure, **figure_labels(wildcards)}


def figure_category(wildcards):
    return figure_of(wildcards).category


# --- report ---------------------------------------------------------------------------------------------------


def report_sources():
    """Every table that the PDF reads numbers from, and the weights whose provenance it names."""
    sources = [
        catalogue.CLAIMS,
        catalogue.PUBLISHED_NORMS,
        *ATTENTION_WEIGHTS,
        *ATTENTION_TABLES,
    ]
    for name, experiment in EXPERIMENTS.items():
        tables = ["models", "saes"] if experiment.saes else ["models"]
        sources.append(catalogue.schedules(name))
        sources += [catalogue.experiment_table(name, table) for table in tables]
        if experiment.compares_architectures:
            sources.append(catalogue.experiment_table(name, "recovered"))
        for case in experiment.cases:
            sources.append(f"results/models/{name}/{case}.safetensors")
            sources += [catalogue.case_table(name, case, table) for table in tables]
            sources += [
                f"results/saes/{name}/{case}/{sae}.safetensors"
                for sae in experiment.saes
            ]
    return sources
