"""What the rules ask for: the checked configuration, digests of code, and each stage's inputs and params."""

import json
import shutil
import sys
from functools import cache
from pathlib import Path

from superposition_atlas import config as configuration
from superposition_atlas import costs
from superposition_atlas.config.figures import check_figures
from superposition_atlas.config.saes import check_saes
from superposition_atlas.digest import code_digest
from superposition_atlas.errors import ArtefactError, AtlasError, ConfigError
from superposition_atlas.figures import catalogue
from superposition_atlas.locking import lock_folder
from superposition_atlas.maps.comparison import LARGEST_SOLVED, searches_of
from superposition_atlas.maps.points import check_points, cut, points_digest, points_of
from superposition_atlas.storage import check_writable
from superposition_atlas.verifying import date_back, refuse_damaged, refuse_unknown

if Path(workflow.basedir) not in Path(catalogue.__file__).parents:
    sys.exit(
        f"error: superposition_atlas is installed from {Path(catalogue.__file__).parents[2]}, not from here; "
        "run: pip install -e ."
    )

if {"{", "}"} & set(workflow.basedir):
    sys.exit(
        f"error: {workflow.basedir}: got a folder with braces, allowed is one without (Snakemake takes them for "
        "wildcards); move it"
    )

try:
    given = dict(workflow.config_settings.config or {})
    # Snakemake itself reads the files of --configfile, and runs templates; those of --config overlay= it does not.
    overlays = given.pop("overlay", None) or []
    overlays = [overlays] if isinstance(overlays, str) else overlays
    if not isinstance(overlays, list) or not all(
        isinstance(path, str) for path in overlays
    ):
        sys.exit(
            f"error: overlay: got {overlays!r}, allowed is a file name or a list of them"
        )
    # Snakemake's own merge would mix the keys of two families of schedules, and put what is laid over first.
    RAW = configuration.laid_over(
        configuration.read(DEFAULT_CONFIG),
        *[configuration.read(path) for path in workflow.configfiles],
        *[configuration.read(path) for path in overlays],
        given,
    )
    CONFIG = configuration.load(RAW)
    check_saes(CONFIG)
    check_figures(CONFIG)
    for described in CONFIG.maps.values():
        check_points(described)
except ConfigError as error:
    sys.exit(f"error: {error}")

EXPERIMENTS = CONFIG.experiments
SHOWN_SEEDS = {name: experiment.shown_seeds for name, experiment in EXPERIMENTS.items()}
FIGURES = {figure.name: figure for figure in catalogue.figures(CONFIG)}
MOVING = [name for name, figure in FIGURES.items() if figure.moves]
FIGURE_FILES = [
    f"results/figures/{name}.{kind}" for name in FIGURES for kind in ("svg", "png")
] + [f"results/figures/{name}.gif" for name in MOVING]
TESTED = [
    name
    for name, experiment in EXPERIMENTS.items()
    if experiment.claims or name == "controls"
]
WHOLE = [name for name, experiment in EXPERIMENTS.items() if experiment.shards == 1]
CUT = [name for name in EXPERIMENTS if name not in WHOLE]
COMPARED = {experiment.name for experiment in catalogue.compared_experiments(CONFIG)}
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
        *(("losses", "solutions") if name in COMPARED else ()),
    )
]
JUDGED = [
    catalogue.experiment_table(name, "solutions")
    for name in TESTED
    if EXPERIMENTS[name].claims and EXPERIMENTS[name].n_features <= LARGEST_SOLVED
]
MAPS = CONFIG.maps


def map_tables(described):
    """The tables of a map that have a file a shard."""
    return (
        "points",
        *(("weights",) if described.seeds else ()),
        *(("solutions",) if described.n_features <= LARGEST_SOLVED else ()),
    )


MAP_TARGETS = [
    f"results/maps/{name}/{table}.parquet"
    for name in MAPS
    for table in ("models", "solutions", "points", "features")
]
# Shards are results too, that are read folder by folder: without them here, one that is gone would stay so.
MAP_TARGETS += [
    f"results/maps/{name}/{table}/shard={shard}/part.parquet"
    for name, described in MAPS.items()
    for table in map_tables(described)
    for shard in range(described.shards)
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
NORM_MAPS = [described.name for described in CONFIG.norm_maps]
NORM_TARGETS = [
    *(catalogue.norm_table(name) for name in ("points", "schedules") if NORM_MAPS),
    *(
        f"results/figures/{name}.{kind}"
        for name, figure in FIGURES.items()
        if catalogue.norm_table("schedules") in figure.inputs.values()
        for kind in ("svg", "png")
    ),
]
PREDICTED_MAPS = catalogue.solved_maps(CONFIG, "random")
BRANCHED_MAPS = catalogue.solved_maps(CONFIG, "perturbation")
MAP_TARGETS += [
    catalogue.map_table(name, table)
    for names, tables in (
        (PREDICTED_MAPS, ("predictions",)),
        (BRANCHED_MAPS, ("branches", "crossings", "branch_models")),
    )
    for name in names
    for table in tables
]
# So is all that lies between: a file that is gone is made again, whoever has read it before.
BETWEEN = [
    path
    for name, experiment in EXPERIMENTS.items()
    for path in (
        catalogue.schedules(name),
        *(
            path
            for case in experiment.cases
            for path in (
                f"results/schedules/{name}/{case}.parquet",
                f"results/models/{name}/{case}.safetensors",
                *(
                    f"results/models/{name}/{case}/shard={shard}.safetensors"
                    for shard in range(experiment.shards)
                    if name in CUT
                ),
                *(
                    f"results/saes/{name}/{case}/{sae}.safetensors"
                    for sae in experiment.saes
                ),
                *(
                    catalogue.case_table(name, case, table)
                    for table in (
                        "models",
                        "features",
                        *(
                            (
                                "saes",
                                "latents",
                                "recovered",
                                "history",
                                "polysemanticity",
                            )
                            if experiment.saes
                            else ()
                        ),
                    )
                ),
            )
        ),
    )
]
TARGETS = [
    "results/report.pdf",
    "results/report.json",
    *FIGURE_FILES,
    *TABLES,
    *BETWEEN,
    *MAP_TARGETS,
    *NORM_TARGETS,
    *ATTENTION_WEIGHTS,
    *ATTENTION_TABLES,
    catalogue.CLAIMS,
    *(
        catalogue.playground_table(table)
        for table in ("runs", "curves", "points", "units", "weights")
        if CONFIG.playground
    ),
    *(
        table
        for table in (catalogue.ANSWER, catalogue.EFFECTS)
        if catalogue.answers(CONFIG)
    ),
]


wildcard_constraints:
    experiment="|".join(EXPERIMENTS),
    case="[A-Za-z][A-Za-z0-9_-]*",
    sae="[A-Za-z][A-Za-z0-9_-]*",
    table="models|features|saes|latents|recovered|history|polysemanticity",
    figure="|".join(FIGURES) or "none",
    map="|".join(MAPS) or "none",
    shard="[0-9]+",


def hold_folder():
    """Two runs at once would train everything twice."""
    try:
        lock_folder(Path.cwd())
        if Path("results").is_symlink():  # maybe another checkout's as well
            lock_folder(Path("results").resolve())
    except AtlasError as error:
        sys.exit(f"error: {error}")


def check_disk():
    """Room and permission, for the results and for what Snakemake keeps."""
    for folder in (Path(), Path("results")):
        check_writable(folder)


def name_full_disk():
    """A job's own message is in its log, which lies on the same disk and may be empty then."""
    try:
        check_disk()
    except AtlasError as error:
        print(f"error: {error}", file=sys.stderr)


if workflow.is_main_process:
    try:
        check_disk()
        refuse_damaged(TARGETS)
        refuse_unknown(TARGETS, Path(".snakemake"))
        date_back(
            [
                *TARGETS,
                *Path("workflow/report").rglob("*"),
                *Path("workflow/resources").rglob("*"),
            ]
        )
    except ArtefactError as error:
        sys.exit(f"error: {error}")


def as_json(value):
    """A spec as one plain string: Snakemake compares params by their text."""
    return json.dumps(value, sort_keys=True)


def minutes(amount):
    """The resource `runtime` of a command that takes less; each attempt asks for as much again."""

    def asked(wildcards, attempt):
        return attempt * amount

    return asked


def megabytes(amount):
    """The resource `mem_mb` of a command that takes less, whatever it has to do."""

    def asked(wildcards, attempt):
        return costs.megabytes(amount, attempt=attempt)

    return asked


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
    return as_json(configuration.sae_spec(sae_of(wildcards)))


def playground_json(wildcards):
    """All that slide 4's networks depend on. (Not sorted: figures and tables keep the order of the configuration.)"""
    return json.dumps({name: own.spec for name, own in CONFIG.playground.items()})


# --- training -------------------------------------------------------------------------------------------------


def on_gpu():
    """Whether training runs on a GPU: with auto, where this machine has one."""
    if CONFIG.device == "cpu" or CONFIG.engine == "fused":
        return False
    is_wanted = "cuda" in (CONFIG.device, CONFIG.engine)
    return is_wanted or shutil.which("nvidia-smi") is not None


def training_seconds(n_models, size, training):
    """Of so many toy models of a size, n_features in n_hidden, by the engine that trains here."""
    work = costs.training_operations(
        n_models, size.n_features, size.n_hidden, training.steps, training.batch_size
    )
    engine = "torch" if CONFIG.engine == "torch" else "fused"
    return work / costs.RATES["cuda" if on_gpu() else engine]


def seeds_of_shard(wildcards):
    """About so many: they are cut by a hash."""
    experiment = experiment_of(wildcards)
    return -(-len(experiment.seeds) // experiment.shards)


def train_minutes(wildcards, attempt):
    seconds = training_seconds(
        seeds_of_shard(wildcards),
        experiment_of(wildcards),
        case_of(wildcards).training,
    )
    return costs.minutes(seconds, attempt)


def train_threads(wildcards):
    """One where there are cases for every core: while one case starts or ends, the others keep all cores busy."""
    cores = workflow.resource_settings.cores
    if cores is None or workflow.remote_exec:
        # On a cluster, where each job has cores of its own; in the job, Snakemake would count the node's.
        return 2
    n_cases = sum(len(experiment.cases) for experiment in EXPERIMENTS.values())
    return max(1, cores // n_cases)


def train_megabytes(wildcards, attempt):
    """Compiler and libraries, and what grows with the ensemble."""
    bytes_of_seed = weight_bytes(experiment_of(wildcards)) * 10 + 1000
    return costs.megabytes(1500, seeds_of_shard(wildcards) * bytes_of_seed, attempt)


def ensemble_megabytes(wildcards, attempt):
    """Libraries, and all toy models of a case several times."""
    experiment = experiment_of(wildcards)
    bytes_of_seed = weight_bytes(experiment) * 4 + 1000
    return costs.megabytes(1000, len(experiment.seeds) * bytes_of_seed, attempt)


def weight_bytes(size):
    """Of a toy model."""
    return size.n_features * (size.n_hidden + 1) * 4


def shards_of_case(wildcards):
    return [
        f"results/models/{wildcards.experiment}/{wildcards.case}/shard={shard}.safetensors"
        for shard in range(experiment_of(wildcards).shards)
    ]


def shard_arguments(wildcards):
    return f"--shard {wildcards.shard} --shards {experiment_of(wildcards).shards}"


def sae_of(wildcards):
    return experiment_of(wildcards).saes[wildcards.sae]


def sae_minutes(wildcards, attempt):
    own = sae_of(wildcards)
    work = costs.sae_operations(
        len(own.seeds), experiment_of(wildcards).n_hidden, own.settings
    )
    return costs.minutes(work / costs.RATES["fused"], attempt)


# --- maps -----------------------------------------------------------------------------------------------------


def map_of(wildcards):
    return MAPS[wildcards.map]


def map_shards(wildcards):
    return map_of(wildcards).shards


@cache
def map_shard_points(name):
    """The points of each shard of a map."""
    return cut(points_of(MAPS[name]), MAPS[name].shards)


def points_of_shard(wildcards):
    return map_shard_points(wildcards.map)[int(wildcards.shard)]


@cache
def map_shard_digests(name):
    return [points_digest(points) for points in map_shard_points(name)]


def shard_digest(wildcards):
    """The points of a shard: only their change concerns it."""
    return map_shard_digests(wildcards.map)[int(wildcards.shard)]


def map_points_json(wildcards, input):
    """What the points of a map are made from."""
    # Snakemake does not compare params of functions that take the input: another point would concern all shards.
    described = map_of(wildcards)
    return as_json(
        {
            "n_features": described.n_features,
            "n_hidden": described.n_hidden,
            "points": described.points,
        }
    )


def map_training_json(wildcards):
    """All that the toy models of a map depend on beside their points."""
    described = map_of(wildcards)
    return as_json(
        {
            "seeds": configuration.seeds_as_written(described.seeds),
            "variants": {
                name: training.as_dict()
                for name, training in described.variants.items()
            },
        }
    )


def models_of_shard(wildcards):
    return len(points_of_shard(wildcards)) * len(map_of(wildcards).seeds)


def map_minutes(wildcards, attempt):
    """Of all variants."""
    described, models = map_of(wildcards), models_of_shard(wildcards)
    seconds = sum(
        training_seconds(models, described, training)
        for training in described.variants.values()
    )
    return costs.minutes(seconds, attempt)


def map_searches(wildcards):
    """The searches for best solutions that variants are compared with, by the bias that each holds."""
    variants = map_of(wildcards).variants.values()
    return searches_of(training.as_dict() for training in variants)


def map_starts(wildcards):
    return map_of(wildcards).n_starts


def solve_minutes(wildcards, attempt):
    searches = len(points_of_shard(wildcards)) * len(map_searches(wildcards))
    return costs.minutes(
        costs.search_seconds(
            searches, map_of(wildcards).n_features, map_starts(wildcards)
        ),
        attempt,
    )


def map_parts(table):
    """All shards' files of a table, where the map has it."""

    def parts(wildcards):
        described = map_of(wildcards)
        shards = range(described.shards if table in map_tables(described) else 0)
        return [
            f"results/maps/{wildcards.map}/{table}/shard={shard}/part.parquet"
            for shard in shards
        ]

    return parts


def trained_in_shard(wildcards):
    """The toy models of a shard, where the map has any."""
    trained = f"results/maps/{wildcards.map}/weights/shard={wildcards.shard}/part.parquet"
    return [trained] if map_of(wildcards).seeds else []


def map_pattern(table):
    """As `map_parts`, for bash, which writes the braces out: a command as long as all paths would be refused."""

    def pattern(wildcards):
        described = map_of(wildcards)
        if table not in map_tables(described):
            return ""
        folder = f"results/maps/{wildcards.map}/{table}"
        return f"{folder}/shard={{0..{described.shards - 1}}}/part.parquet"

    return pattern


def map_megabytes(wildcards, attempt):
    """Compiler and libraries, and a table of all toy models of the shard."""
    described = map_of(wildcards)
    models = models_of_shard(wildcards) * len(described.variants)
    return costs.megabytes(1500, models * row_bytes(described), attempt)


def measure_megabytes(wildcards, attempt):
    """Libraries, and the toy models of the largest shard, feature by feature."""
    described = map_of(wildcards)
    most = max(len(points) for points in map_shard_points(wildcards.map))
    models = most * len(described.seeds) * len(described.variants)
    couplings = described.n_features**2 * 32
    return costs.megabytes(1000, models * (row_bytes(described) + couplings), attempt)


def row_bytes(described):
    """Of a toy model in a table, with what pandas needs to join tables."""
    return described.n_features * (described.n_hidden + 1) * 40 + 1000


def playground_minutes(wildcards, attempt):
    """At 5000 steps of 32 networks a second."""
    work = sum(
        own.settings.steps * (len(own.seeds) + 32) / 64
        for own in CONFIG.playground.values()
    )
    return costs.minutes(work / 5000, attempt)


# --- attention ------------------------------------------------------------------------------------------------


def attention_json(wildcards):
    """All that slide 3's models depend on. (Not sorted: tables keep the order of the configuration.)"""
    return json.dumps({name: setting.spec for name, setting in ATTENTION.items()})


def attention_heads_json(wildcards):
    return json.dumps(
        {name: list(setting.heads) for name, setting in ATTENTION.items()}
    )


def attention_minutes(wildcards, attempt):
    """At 1e8 scores a second."""
    scores = sum(
        len(setting.seeds)
        * sum(setting.heads)
        * setting.training["steps"]
        * setting.training["batch_size"]
        * setting.training["n_keys"]
        for setting in ATTENTION.values()
    )
    return costs.minutes(scores / 1e8, attempt)


# --- metrics --------------------------------------------------------------------------------------------------


def tables_of_cases(wildcards):
    return [
        catalogue.case_table(wildcards.experiment, case, wildcards.table)
        for case in experiment_of(wildcards).cases
    ]


def models_of_experiment(wildcards):
    return [
        f"results/models/{wildcards.experiment}/{case}.safetensors"
        for case in experiment_of(wildcards).cases
    ]


def losses_minutes(wildcards, attempt):
    experiment = experiment_of(wildcards)
    cases = experiment.cases.values()
    kinds = len(searches_of(case.training.as_dict() for case in cases))
    searches = kinds * sum(len(case.probability) for case in cases)
    return costs.minutes(
        costs.search_seconds(searches, experiment.n_features, 12), attempt
    )


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
    labels = {"figure": wildcards.figure, **figure_labels(wildcards)}
    # Snakemake takes braces in a title for wildcards, unless an (invisible) word joiner follows.
    return {key: text.replace("{", "{\u2060") for key, text in labels.items()}


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
    if catalogue.answers(CONFIG):
        sources += [catalogue.ANSWER, catalogue.EFFECTS]
        sources += [
            catalogue.map_table("atlas", table) for table in ("points", "models")
        ]
    if "random_schedules" in MAPS:
        sources.append(catalogue.map_table("random_schedules", "points"))
    if CONFIG.playground:
        sources.append(catalogue.playground_table("runs"))
    if NORM_MAPS:
        sources += [catalogue.norm_table(name) for name in ("points", "schedules")]
    atlas = catalogue.atlas(CONFIG)
    if atlas:
        sources.append(catalogue.map_table(atlas.name, "points"))
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
    for figure in FIGURES.values():
        if figure.category == catalogue.THEORY:
            sources += figure.inputs.values()
    return sorted(set(sources))
