"""Targets that are part of the whole: `snakemake NAME` makes what one experiment or map of that name has."""

from collections.abc import Iterable

from superposition_atlas.config import Config
from superposition_atlas.config.sections import PAPERS
from superposition_atlas.errors import ConfigError
from superposition_atlas.figures import catalogue
from superposition_atlas.plan import targets
from superposition_atlas.storage import layout

STAGES = frozenset(
    {
        *(
            "all",
            "atlas",
            "norms",
            "attention",
            "pivot_tables",
            "explorer",
            "features",
            "recovery",
            "compare_saes",
            "collect",
        ),
        *(
            "losses",
            "claims",
            "answer",
            "playground",
            "report",
            "report_zip",
            "saes",
            "schedule",
            "schedules",
        ),
        *("pairs", "sets", "children", "polytopes", "jumps", "attacks", "paper"),
        *("neurons", "motifs"),
        *("matching", "pair_phases", "train", "train_shard", "join_models"),
        *("map_points", "map_weights", "map_solutions", "map_measures", "map_norms"),
        *("map_matching", "map_predictions", "map_branches", "map_phases"),
    }
)
"""Names of the rules, which are targets of their own."""
_WHOLES = ("atlas", "norms")
"""Rules that make more than the maps of their names."""
PREFIXES = ("figure_", "animation_")
"""Beginnings of the names of rules that draw, one a module."""


def files_by_name(config: Config) -> dict[str, list[str]]:
    """The files of each experiment and map: trained, measured and drawn. One name may stand for both.

    Raises:
        ConfigError: one line that names an experiment or map that has the name of a rule.
    """
    experiment_files = [*targets.case_files(config), *targets.experiment_tables(config)]
    files = _by_field(config.experiments, "experiment", experiment_files)
    for name, of_map in _by_field(config.maps, "map", targets.map_files(config)).items():
        files.setdefault(name, []).extend(of_map)
    for figure in catalogue.figures(config):
        inputs = set(figure.inputs.values()) - {catalogue.PUBLISHED_NORMS}
        for own in files.values():
            if inputs.issubset(own):
                own += targets.files_of(figure)
    return files


def _by_field(names: Iterable[str], field: str, paths: Iterable[str]) -> dict[str, list[str]]:
    """Paths by the experiment or map that they name."""
    found: dict[str, list[str]] = {}
    for name in names:
        if field == "map" and name in _WHOLES:
            continue
        if name in (*STAGES, *PAPERS) or name.startswith(PREFIXES):
            raise ConfigError(
                f"{field}s.{name}: got the name of a rule (`snakemake {name}` runs it), allowed is another"
            )
        found[name] = []
    for path in paths:
        place = layout.identify(path)
        if place is not None and (name := place.fields.get(field, "")) in found:
            found[name].append(path)
    return found
