"""Every path below results/: what the file is, and which command makes it.

One table holds the paths; rules, figures, the report and `explain` ask for them here. Each function returns
a path relative to the working directory. A field may also be a wildcard of a rule, as in
`models("{experiment}", "{case}")`.

No code that trains or measures imports this module, so a new path rebuilds nothing.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

RESULTS = "results"

TOY_MODEL_TABLES = ("models", "features")
"""Tables of a case's toy models; an experiment has the same ones, all cases together."""
SAE_TABLES = ("saes", "latents", "recovered", "polysemanticity")
"""Tables of a case's SAEs; an experiment has the same ones."""
SAE_HISTORY = "history"
"""A table of a case's SAEs that no experiment has joined."""
SAE_COMPARISON = ("sae_levels", "sae_contrasts")
"""Tables of an experiment that compares architectures: levels chosen apart, and paired contrasts."""
SECTION_TABLES = (
    *("pairs", "sets", "children"),
    *("polytopes", "fractions", "jumps", "learning", "jump_rates", "attacks"),
    *("neuron_models", "neurons", "neuron_features", "motifs"),
)
"""Tables that a case has only where its experiment is of a section of a further paper, see
`config.sections`; the experiment has the same ones."""
JOINED_TABLES = (*TOY_MODEL_TABLES, *SAE_TABLES, SAE_HISTORY, *SECTION_TABLES)
"""Tables of cases that an experiment has as well, all cases together."""
LOSS_TABLES = ("losses", "solutions")
"""Tables of an experiment that compare its toy models with the best solutions."""
MAP_PARTS = ("points", "weights", "solutions")
"""Tables of a map that have a file for each shard."""
MAP_TABLES = ("models", "solutions", "points", "features")
"""Tables of a whole map."""
BRANCH_TABLES = ("branches", "crossings", "branch_models")
"""Tables of a map in which one feature's density varies."""
PHASE_TABLES = ("phases", "phase_borders")
"""Tables of a phase diagram: a map over the importance of its last feature."""
MATCHING = "matching"
"""A table of an experiment, and of a map, that sets the matching of each schedule beside its toy models."""
PAIR_TABLES = ("phases", "boundaries", "models")
"""Tables of the phase diagram of pairs."""
NORM_TABLES = ("points", "schedules")
PLAYGROUND_TABLES = ("runs", "curves", "points", "units", "weights")
ATTENTION_TABLES = ("cells", "outputs", "rules", "models")

_FIELDS = {
    "shard": r"\d+",
    "part": r"toy_models|saes|heads_\d+",
    "paper": "tms|structure",
    "format": "svg|png|gif",
    "job": r"[^\0]+",
}
"""Patterns of fields that are not names."""
_NAME = "[A-Za-z0-9][A-Za-z0-9_-]*"


@dataclass(frozen=True)
class Entry:
    """One row of the table."""

    template: str
    """Path below results/, with fields in braces."""
    kind: str
    """Kind of the file, in words."""
    command: str | None
    """Module in `superposition_atlas.cli.commands` that writes it; None where a run keeps it for itself."""
    tables: tuple[str, ...] = ()
    """Values of the field `table`."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches the whole path below results/, one group a field."""
        fields = _FIELDS | {"table": "|".join(self.tables)}
        text = re.escape(self.template).replace(r"\{", "{").replace(r"\}", "}")
        return re.compile(re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{fields.get(m[1], _NAME)})", text))


_KEPT = "what training keeps for the next run"


def _of_case(kind: str, command: str, *tables: str) -> Entry:
    """Tables of one case."""
    return Entry("metrics/{experiment}/cases/{case}/{table}.parquet", kind, command, tables)


ENTRIES: Mapping[str, Entry] = {
    "case_schedules": Entry("schedules/{experiment}/{case}.parquet", "schedules of a case", "schedules"),
    "schedules": Entry("schedules/{experiment}.parquet", "schedules of an experiment", "schedules"),
    "model_shard": Entry(
        "models/{experiment}/{case}/shard={shard}.safetensors", "toy models of one shard of a case", "train"
    ),
    "models": Entry("models/{experiment}/{case}.safetensors", "toy models of a case", "train"),
    "saes": Entry("saes/{experiment}/{case}/{sae}.safetensors", "SAEs of a case", "saes"),
    "toy_model_table": _of_case("measures of a case's toy models", "features", *TOY_MODEL_TABLES),
    "sae_table": _of_case("measures of a case's SAEs", "recovery", *SAE_TABLES, SAE_HISTORY),
    "experiment_table": Entry(
        "metrics/{experiment}/{table}.parquet",
        "measures of all cases of an experiment",
        "collect",
        JOINED_TABLES,
    ),
    "pairs": _of_case("how features that depend on one another lie", "pairs", "pairs"),
    "sets": _of_case("how sets of correlated features lie", "sets", "sets"),
    "children": _of_case("what SAEs make of children and their parents", "children", "children"),
    "polytopes": _of_case("fractions of a dimension and polytopes", "polytopes", "polytopes", "fractions"),
    "jumps": _of_case(
        "jumps of fractions of a dimension while learning", "jumps", "jumps", "learning", "jump_rates"
    ),
    "attacks": _of_case("what adversarial attacks do to toy models", "attacks", "attacks"),
    "neurons": _of_case(
        "what neurons of toy models do", "neurons", "neuron_models", "neurons", "neuron_features"
    ),
    "motifs": _of_case("neurons that represent two features", "motifs", "motifs"),
    "sae_comparison": Entry(
        "metrics/{experiment}/{table}.parquet",
        "an experiment's SAEs compared on the same toy models",
        "compare_saes",
        SAE_COMPARISON,
    ),
    "loss_table": Entry(
        "metrics/{experiment}/{table}.parquet",
        "losses of an experiment's toy models beside the best solutions",
        "losses",
        LOSS_TABLES,
    ),
    "experiment_matching": Entry(
        "metrics/{experiment}/{table}.parquet",
        "an experiment's toy models beside the matching",
        "matching",
        (MATCHING,),
    ),
    "claims": Entry("claims.parquet", "the talk's observations, tested on trained toy models", "claims"),
    "answer": Entry("answer.parquet", "the talk's observations, judged by the atlas", "answer"),
    "effects": Entry("effects.parquet", "what moves the observations in the atlas", "answer"),
    "map_points": Entry("maps/{map}/points/shard={shard}/part.parquet", "schedules of a map", "map_points"),
    "map_weights": Entry(
        "maps/{map}/weights/shard={shard}/part.parquet", "toy models of a map", "map_weights"
    ),
    "map_solutions": Entry(
        "maps/{map}/solutions/shard={shard}/part.parquet", "best solutions of a map", "map_solutions"
    ),
    "map_table": Entry("maps/{map}/{table}.parquet", "measures of a map", "map_measures", MAP_TABLES),
    "predictions": Entry(
        "maps/{map}/{table}.parquet", "predictions for a map", "map_predictions", ("predictions",)
    ),
    "map_matching": Entry(
        "maps/{map}/{table}.parquet", "a map's toy models beside the matching", "map_matching", (MATCHING,)
    ),
    "branch_table": Entry(
        "maps/{map}/{table}.parquet", "competing structures of a map", "map_branches", BRANCH_TABLES
    ),
    "phase_table": Entry("maps/{map}/{table}.parquet", "a phase diagram", "map_phases", PHASE_TABLES),
    "norm_table": Entry("norms/{table}.parquet", "norms beside the published ones", "map_norms", NORM_TABLES),
    "pair_table": Entry(
        "pairs/{table}.parquet", "the phase diagram of two features", "pair_phases", PAIR_TABLES
    ),
    "attention_weights": Entry(
        "attention/{setting}/{part}.safetensors", "toy models, SAEs or attention of slide 3", "attention"
    ),
    "attention_table": Entry(
        "attention/{table}.parquet", "measures of slide 3", "pivot_tables", ATTENTION_TABLES
    ),
    "playground_table": Entry(
        "playground/{table}.parquet", "networks of slide 4", "playground", PLAYGROUND_TABLES
    ),
    "figure": Entry("figures/{figure}.{format}", "a figure", "figure"),
    "report": Entry("report.pdf", "the report", "report"),
    "report_numbers": Entry("report.json", "the words and numbers of the report", "report"),
    "paper": Entry("{paper}.pdf", "a further paper", "paper"),
    "paper_numbers": Entry("{paper}.json", "the words and numbers of a further paper", "paper"),
    "explorer": Entry("explorer.html", "the explorer", "explorer"),
    "report_zip": Entry("report.zip", "Snakemake's own report", None),
    "store": Entry("checkpoints/{job}", _KEPT, None),
    "log": Entry("logs/{job}.log", "the log of a job", None),
    "benchmark": Entry("benchmarks/{job}.tsv", "what a job took", None),
}


@dataclass(frozen=True)
class Place:
    """A file below results/, recognised by its path."""

    name: str
    """Key in `ENTRIES`."""
    below: str
    """Path below results/."""
    fields: Mapping[str, str]

    @property
    def kind(self) -> str:
        """Kind of the file, in words."""
        return ENTRIES[self.name].kind

    @property
    def command(self) -> str | None:
        """Module in `superposition_atlas.cli.commands` that writes the file, if one does."""
        return ENTRIES[self.name].command


def identify(path: Path | str) -> Place | None:
    """Which file of the pipeline a path names, however the path is typed; None if it names none.

    A link may hide the folder results/, and an experiment may be called results: the path is tried as it is
    typed and with all links followed, from its first folder called results on.
    """
    typed = os.path.abspath(path)
    for whole in dict.fromkeys((typed, os.path.realpath(typed))):
        parts = Path(whole).parts
        for index, part in enumerate(parts):
            if part == RESULTS and (place := _identify_below("/".join(parts[index + 1 :]))):
                return place
    return None


def _identify_below(below: str) -> Place | None:
    for name, pattern in _patterns():
        if match := pattern.fullmatch(below):
            return Place(name, below, match.groupdict())
    return None


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(name, entry.pattern) for name, entry in ENTRIES.items()]


def _path(name: str, **fields: str | int) -> str:
    return f"{RESULTS}/{ENTRIES[name].template.format(**fields)}"


def folder_of(name: str) -> str:
    """The folder that the files of an entry share, whatever their fields."""
    return f"{RESULTS}/{ENTRIES[name].template.partition('/')[0]}"


# --- experiments -------------------------------------------------------------------------------------------


def case_schedules(experiment: str, case: str) -> str:
    """Schedules of one case."""
    return _path("case_schedules", experiment=experiment, case=case)


def schedules(experiment: str) -> str:
    """Schedules of all cases of an experiment, with their titles."""
    return _path("schedules", experiment=experiment)


def models(experiment: str, case: str) -> str:
    """Toy models of one case."""
    return _path("models", experiment=experiment, case=case)


def model_shard(experiment: str, case: str, shard: int | str) -> str:
    """Toy models of one shard of a case."""
    return _path("model_shard", experiment=experiment, case=case, shard=shard)


def saes(experiment: str, case: str, sae: str) -> str:
    """SAEs of one name on the toy models of one case."""
    return _path("saes", experiment=experiment, case=case, sae=sae)


def case_table(experiment: str, case: str, table: str) -> str:
    """Measures of one case: one of TOY_MODEL_TABLES, SAE_TABLES, SAE_HISTORY or SECTION_TABLES."""
    return _path("toy_model_table", experiment=experiment, case=case, table=table)


def experiment_table(experiment: str, table: str) -> str:
    """Measures of an experiment: the tables of its cases joined, LOSS_TABLES, SAE_COMPARISON or MATCHING."""
    return _path("experiment_table", experiment=experiment, table=table)


def claims() -> str:
    """The talk's observations, tested on trained toy models."""
    return _path("claims")


def answer() -> str:
    """The talk's observations, judged by the atlas."""
    return _path("answer")


def effects() -> str:
    """Path of the effects of importance and sparsity over the atlas."""
    return _path("effects")


# --- maps --------------------------------------------------------------------------------------------------


def map_part(name: str, table: str, shard: int | str) -> str:
    """One shard of a table in MAP_PARTS."""
    return _path(f"map_{table}", map=name, shard=shard)


def map_table(name: str, table: str) -> str:
    """A table of a whole map: one of MAP_TABLES or BRANCH_TABLES, predictions, or MATCHING."""
    return _path("map_table", map=name, table=table)


def norm_table(table: str) -> str:
    """A table of all maps whose norms are compared with the published ones."""
    return _path("norm_table", table=table)


def pair_table(table: str) -> str:
    """A table of the phase diagram of two features in one dimension."""
    return _path("pair_table", table=table)


# --- slides 3 and 4 ----------------------------------------------------------------------------------------


def attention_parts(heads: Iterable[int]) -> tuple[str, ...]:
    """Names of what a setting of attention trains: toy models, SAEs, a layer for each number of heads."""
    return ("toy_models", "saes", *(f"heads_{n_heads}" for n_heads in heads))


def attention_weights(setting: str, part: str) -> str:
    """Weights of one of `attention_parts`."""
    return _path("attention_weights", setting=setting, part=part)


def attention_table(table: str) -> str:
    """A table of slide 3, all settings together."""
    return _path("attention_table", table=table)


def playground_table(table: str) -> str:
    """A table of slide 4's networks."""
    return _path("playground_table", table=table)


# --- figures and reports -----------------------------------------------------------------------------------


def figure(name: str, file_format: str) -> str:
    """A figure as svg, png or gif."""
    return _path("figure", figure=name, format=file_format)


def report() -> str:
    """The PDF."""
    return _path("report")


def report_numbers() -> str:
    """The numbers in the PDF."""
    return _path("report_numbers")


def paper(name: str) -> str:
    """The PDF of a further paper, see `config.sections`."""
    return _path("paper", paper=name)


def paper_numbers(name: str) -> str:
    """The words and numbers in that PDF."""
    return _path("paper_numbers", paper=name)


def explorer() -> str:
    """The explorer's page."""
    return _path("explorer")


def report_zip() -> str:
    """Snakemake's own report."""
    return _path("report_zip")


# --- what a run keeps for itself ---------------------------------------------------------------------------


def log(job: str) -> str:
    """The log of a job, whose name may have folders."""
    return _path("log", job=job)


def benchmark(job: str) -> str:
    """Time and memory that a job took."""
    return _path("benchmark", job=job)


def store(job: str) -> str:
    """A file or folder that no rule declares, so that Snakemake leaves it alone when a job runs again."""
    return _path("store", job=job)
