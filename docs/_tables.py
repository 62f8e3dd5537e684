"""Writes tables.md, every table of results/ with the meaning of each column, from the code that writes it.

    python docs/_tables.py

Docstrings say what columns are: `name: meaning.`, `name, other: meaning.` or `name(_low, _high): meaning.`,
the brackets being endings. `tests/workflow/test_tables.py` compares the names with those in the files of a
run.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).with_name("tables.md")
PACKAGE = Path(__file__).parents[1] / "workflow/src/superposition_atlas"

_ABOUT_SAE = ("metrics.recovery: Evaluation.levels",)
_OF_SAES = ("cli.commands.recovery: _labelled", *_ABOUT_SAE)
_OF_SECTION = "cli.section_tables: write_section_table"
_OF_WEIGHTS = ("maps.measures: kept_names", "maps.measures: looks")
_NEURONS = "cli.commands.neurons: run"
_PLAYGROUND = "playground.run_tables"
_ATTENTION = ("cli.commands.pivot_tables: run", "attention.cell_tables: _frame")


@dataclass(frozen=True)
class Table:
    """A table of results/."""

    path: str
    """Below results/, with fields in braces."""
    documented: tuple[str, ...]
    """Where its columns are explained: module and name, `module:` for the module's own docstring."""
    without: tuple[str, ...] = ()
    """Columns that are explained there and that this table has not."""


SECTIONS: dict[str, tuple[Table, ...]] = {
    "Experiments": (
        Table(
            "schedules/{experiment}.parquet",
            ("cli.commands.schedules: run", "cli.commands.schedules: _structure_columns"),
        ),
        Table(
            "metrics/{experiment}/models.parquet",
            ("cli.commands.features: with_case", "metrics.features: model_table"),
        ),
        Table(
            "metrics/{experiment}/features.parquet",
            ("cli.commands.features: with_case", "metrics.features: feature_table"),
        ),
        Table("metrics/{experiment}/neuron_models.parquet", (_NEURONS, "metrics.neurons: _model_rows")),
        Table(
            "metrics/{experiment}/neurons.parquet",
            (_NEURONS, "metrics.neurons: _rows", "metrics.neurons: _neuron_rows"),
        ),
        Table(
            "metrics/{experiment}/neuron_features.parquet",
            (_NEURONS, "metrics.neurons: _rows", "metrics.neurons: _of_features"),
        ),
        Table(
            "metrics/{experiment}/motifs.parquet",
            ("cli.commands.motifs: run", "metrics.motifs: motif_table"),
        ),
        Table(
            "metrics/{experiment}/losses.parquet",
            ("cli.commands.losses: run", *_OF_WEIGHTS, "maps.measures: excess_table"),
            without=("weights", "represented"),
        ),
        Table(
            "metrics/{experiment}/solutions.parquet",
            (
                "cli.commands.losses: run",
                "storage.map_files: SOLUTION_SCHEMA",
                *_OF_WEIGHTS,
                "maps.measures: solution_table",
            ),
            without=("seed", "shown", "W", "b"),
        ),
        Table(
            "metrics/{experiment}/matching.parquet",
            ("cli.commands.matching: run", "maps.matching_summary: SCHEMA"),
        ),
    ),
    "SAEs": (
        Table("metrics/{experiment}/saes.parquet", (*_OF_SAES, "metrics.recovery: sae_table")),
        Table("metrics/{experiment}/latents.parquet", (*_OF_SAES, "metrics.recovery: latent_table")),
        Table("metrics/{experiment}/recovered.parquet", (*_OF_SAES, "metrics.recovery: recovered_features")),
        Table(
            "metrics/{experiment}/polysemanticity.parquet",
            (*_OF_SAES, "metrics.polysemanticity: latent_units"),
        ),
        Table(
            "metrics/{experiment}/cases/{case}/history.parquet",
            ("cli.commands.recovery: _labelled", "metrics.sae_history: history_table"),
        ),
        Table("metrics/{experiment}/sae_levels.parquet", ("metrics.sae_comparison: level_table",)),
        Table("metrics/{experiment}/sae_contrasts.parquet", ("metrics.sae_comparison: contrast_table",)),
    ),
    "Sections of further papers": (
        Table(
            "metrics/{experiment}/pairs.parquet",
            (_OF_SECTION, "metrics.dependence: pair_table", "theory.best_arrangement: pairs_beside_best"),
        ),
        Table("metrics/{experiment}/sets.parquet", (_OF_SECTION, "metrics.feature_sets: set_table")),
        Table(
            "metrics/{experiment}/children.parquet",
            (_OF_SECTION, "cli.commands.children: run", "metrics.children: child_table"),
        ),
        *(
            Table(f"metrics/{{experiment}}/{name}.parquet", ("cli.model_tables: write_model_tables", place))
            for name, place in (
                ("polytopes", "metrics.polytopes: polytope_table"),
                ("fractions", "metrics.polytopes: fraction_table"),
                ("jumps", "metrics.jumps: jump_table"),
                ("learning", "metrics.jumps: learning_table"),
                ("jump_rates", "metrics.jumps: rate_table"),
                ("attacks", "metrics.attacks: attack_table"),
            )
        ),
    ),
    "Maps": (
        Table("maps/{map}/points/", ("maps.points: points_of",)),
        Table("maps/{map}/weights/", ("storage.map_files: WEIGHT_SCHEMA",)),
        Table("maps/{map}/solutions/", ("storage.map_files: SOLUTION_SCHEMA",)),
        Table(
            "maps/{map}/models.parquet",
            ("cli.commands.map_measures: _measured", *_OF_WEIGHTS, "maps.measures: excess_table"),
        ),
        Table(
            "maps/{map}/solutions.parquet",
            ("storage.map_files: SOLUTION_SCHEMA", *_OF_WEIGHTS, "maps.measures: solution_table"),
            without=("W", "b"),
        ),
        Table(
            "maps/{map}/points.parquet",
            ("maps.points: points_of", "maps.measures: _over_seeds", "maps.measures: point_table"),
            without=("importance", "probability"),
        ),
        Table(
            "maps/{map}/features.parquet",
            (
                "maps.feature_fates: fate_table",
                "maps.feature_fates: trained_features",
                "maps.feature_fates: best_features",
            ),
        ),
        Table(
            "maps/{map}/matching.parquet", ("cli.commands.map_matching: run", "maps.matching_summary: SCHEMA")
        ),
        Table(
            "maps/{map}/predictions.parquet", ("maps.points: points_of", "maps.predictions: prediction_table")
        ),
        Table(
            "maps/{map}/branches.parquet", ("maps.branches: branch_table", "cli.commands.map_branches: run")
        ),
        Table("maps/{map}/crossings.parquet", ("maps.branches: crossings", "cli.commands.map_branches: run")),
        Table(
            "maps/{map}/branch_models.parquet",
            ("cli.commands.map_branches: _models", "cli.commands.map_branches: run"),
        ),
        Table("maps/{map}/phases.parquet", ("maps.phases: phase_table",)),
        Table("maps/{map}/phase_borders.parquet", ("theory.phase_borders: phase_borders",)),
        Table("norms/points.parquet", ("maps.norms: case_norm_table",)),
        Table("norms/schedules.parquet", ("maps.norms: schedule_table",)),
        Table("pairs/phases.parquet", ("theory.pair_phases: pair_phases",)),
        Table("pairs/boundaries.parquet", ("theory.pair_phases: phase_boundaries",)),
        Table("pairs/models.parquet", ("maps.pair_models: pair_models",)),
    ),
    "The talk's observations": (
        Table("claims.parquet", ("observations.claims:",)),
        Table("answer.parquet", ("observations.answer:",)),
        Table("effects.parquet", ("maps.effects: effects",)),
    ),
    "Slide 3: attention": (
        Table(
            "attention/cells.parquet",
            (*_ATTENTION, "attention.cell_tables: cell_table", "attention.cell_tables:"),
        ),
        Table("attention/outputs.parquet", (*_ATTENTION, "attention.cell_tables: output_table")),
        Table("attention/rules.parquet", (*_ATTENTION, "attention.cell_tables: rule_table")),
        Table("attention/models.parquet", (*_ATTENTION, "attention.cell_tables: attention_model_table")),
    ),
    "Slide 4: playground": tuple(
        Table(f"playground/{name}.parquet", (f"{_PLAYGROUND}: tables", f"{_PLAYGROUND}: {name}"))
        for name in ("runs", "curves", "points", "units", "weights")
    ),
}


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(PACKAGE.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))


def docstring(place: str) -> str:
    """The docstring of a module, a function, a method, or the text below a constant.

    Args:
        place: `module: name`, `module: Class.method`, or `module:`.

    Raises:
        LookupError: if there is none.
    """
    module, _, name = place.partition(":")
    body: list[ast.stmt] = _tree(module).body
    node: ast.AST = _tree(module)
    for part in filter(None, name.strip().split(".")):
        for index, found in enumerate(body):
            names = [target.id for target in getattr(found, "targets", []) if isinstance(target, ast.Name)]
            if part in names or getattr(found, "name", None) == part:
                node = body[index + 1] if names else found
                body = getattr(found, "body", [])
                break
        else:
            raise LookupError(place)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return inspect.cleandoc(str(node.value.value))
    text = ast.get_docstring(node) if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) else None
    if text is None:
        raise LookupError(place)
    return text


_NAME = r"(?:[a-z]\w*|W)(?:\(_\w+(?:, _\w+)*\))?"
_ENTRY = re.compile(rf"(?:(?<=[.:;] )|^)({_NAME}(?:, {_NAME})*): ")


def entries(text: str) -> Iterator[tuple[list[str], str]]:
    """Names and meaning of each entry of a docstring, in their order."""
    for part in re.split(r"\n\n+", _without_arguments(text)):
        line = " ".join(part.split())
        found = list(_ENTRY.finditer(line))
        ends = [match.start() for match in found[1:]] + [len(line)] * bool(found)
        for match, end in zip(found, ends, strict=True):
            yield _names(match[1]), line[match.end() : end].strip().rstrip(".")


def _without_arguments(text: str) -> str:
    """The text without what is said of arguments and errors."""
    said = re.sub(r"^(Args|Raises):\n(?:[ \t].*\n?|\n)*", "", text, flags=re.MULTILINE)
    return said.replace("Returns:", "")


def _names(written: str) -> list[str]:
    names = []
    for name, endings in re.findall(r"(\w+)(?:\(([^)]*)\))?", written):
        names += [name, *(name + ending for ending in filter(None, endings.split(", ")))]
    return names


def columns(table: Table) -> dict[str, str]:
    """Meaning of each column, in the order in which they are explained."""
    found: dict[str, str] = {}
    for place in table.documented:
        for names, meaning in entries(docstring(place)):
            for name in names:
                found.setdefault(name, meaning)
    return {name: meaning for name, meaning in found.items() if name not in table.without}


def page() -> str:
    """The whole page."""
    parts = [
        "# Tables and columns",
        "",
        "All tables of `results/` open with `pandas.read_parquet`, those of a folder as one. Figures and the",
        "report read nothing else. Some columns are there only where they apply: axes of a map, dependent",
        "features, best solutions. `python docs/_tables.py` makes this page from the docstrings of the code",
        "that writes the tables; terms are in the [glossary](glossary.md).",
    ]
    for section, tables in SECTIONS.items():
        parts += ["", f"## {section}"]
        for table in tables:
            parts += ["", f"### `{table.path}`", "", "| Column | Meaning |", "| --- | --- |"]
            parts += [f"| `{name}` | {_cell(meaning)} |" for name, meaning in columns(table).items()]
    return "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
