"""Every file that a configuration asks for, and which experiments and maps get which tables."""

from collections.abc import Iterator

from superposition_atlas.config import Config, Experiment, Map
from superposition_atlas.config.sections import TABLES as SECTION_TABLES
from superposition_atlas.figures import catalogue
from superposition_atlas.figures.catalogue import FigureTarget
from superposition_atlas.storage import layout
from superposition_atlas.theory.limits import LARGEST_SOLVED


def figures_by_name(config: Config) -> dict[str, FigureTarget]:
    """All figures, in the order of the report."""
    return {figure.name: figure for figure in catalogue.figures(config)}


def figure_files(config: Config) -> list[str]:
    """Every figure as SVG and PNG, and the moving ones as GIF."""
    return [path for figure in catalogue.figures(config) for path in files_of(figure)]


def files_of(figure: FigureTarget) -> list[str]:
    """A figure's files."""
    kinds = ("svg", "png", "gif") if figure.moves else ("svg", "png")
    return [layout.figure(figure.name, kind) for kind in kinds]


# --- experiments -------------------------------------------------------------------------------------------


def tested(config: Config) -> list[str]:
    """Experiments on which the talk's observations are tested."""
    return [
        name
        for name, experiment in config.experiments.items()
        if experiment.claims or experiment.role == "known_answers"
    ]


def judging_table(config: Config, table: str) -> str:
    """A table of the map that the observations are judged by; of no map where there is none."""
    described = catalogue.atlas(config)
    return layout.map_table(described.name if described else "none", table)


def general_tables(config: Config) -> list[str]:
    """Points, toy models and features of the random schedules that stand for all; maybe none."""
    described = general_map(config)
    tables = ("points", "models", "features")
    return [layout.map_table(described.name, table) for table in tables] if described else []


def general_map(config: Config) -> Map | None:
    """The map of random schedules, trained and solved, of the atlas's size."""
    atlas = catalogue.atlas(config)
    if atlas is None:
        return None
    size = (atlas.n_features, atlas.n_hidden)
    random = (config.maps[name] for name in catalogue.solved_maps(config, "random"))
    return next((own for own in random if own.seeds and (own.n_features, own.n_hidden) == size), None)


def primary(config: Config) -> list[str]:
    """Experiments with the talk's own family of schedules."""
    return [name for name, own in config.experiments.items() if own.claims and own.role in ("slides", "post")]


def judged(config: Config) -> list[str]:
    """Experiments by whose best solutions the observations are judged."""
    return [
        name
        for name, experiment in config.experiments.items()
        if experiment.claims and experiment.n_features <= LARGEST_SOLVED
    ]


def case_tables(experiment: Experiment) -> tuple[str, ...]:
    """Tables that each case of an experiment has."""
    of_saes = (*layout.SAE_TABLES, layout.SAE_HISTORY) if experiment.saes else ()
    return (*layout.TOY_MODEL_TABLES, *of_saes, *section_tables(experiment))


def section_tables(experiment: Experiment) -> tuple[str, ...]:
    """Tables that an experiment has for its section; children are of SAEs."""
    tables = SECTION_TABLES.get(experiment.section, ())
    return tuple(table for table in tables if table != "children" or experiment.saes)


def experiment_tables(config: Config) -> list[str]:
    """Tables of all experiments, all cases together."""
    compared = {experiment.name for experiment in catalogue.compared_experiments(config)}
    return [
        layout.experiment_table(name, table)
        for name, experiment in config.experiments.items()
        for table in (
            *layout.TOY_MODEL_TABLES,
            *(layout.SAE_TABLES if experiment.saes else ()),
            *section_tables(experiment),
            *(layout.SAE_COMPARISON if experiment.compares_architectures else ()),
            *(layout.LOSS_TABLES if name in compared else ()),
            *([layout.MATCHING] if catalogue.matched_cases(experiment) else ()),
        )
    ]


def case_files(config: Config) -> Iterator[str]:
    """Files between the configuration and the experiments' tables.

    These are targets too: a file that is gone is made again, even if all that was made from it exists.
    """
    for name, experiment in config.experiments.items():
        yield layout.schedules(name)
        for case in experiment.cases:
            yield layout.case_schedules(name, case)
            yield layout.models(name, case)
            if experiment.shards > 1:
                for shard in range(experiment.shards):
                    yield layout.model_shard(name, case, shard)
            for sae in experiment.saes:
                yield layout.saes(name, case, sae)
            for table in case_tables(experiment):
                yield layout.case_table(name, case, table)


# --- maps --------------------------------------------------------------------------------------------------


def map_parts(described: Map) -> tuple[str, ...]:
    """Tables of a map that have a file for each shard."""
    return tuple(
        table
        for table in layout.MAP_PARTS
        if (table != "weights" or described.seeds)
        and (table != "solutions" or described.n_features <= LARGEST_SOLVED)
    )


def predicted_maps(config: Config) -> list[str]:
    """Maps whose schedules are predicted."""
    return catalogue.solved_maps(config, "random")


def branched_maps(config: Config) -> list[str]:
    """Maps whose competing structures are followed."""
    return catalogue.solved_maps(config, "perturbation")


def phased_maps(config: Config) -> list[str]:
    """Maps that are phase diagrams, trained and solved."""
    return [name for name in catalogue.solved_maps(config, "phases") if config.maps[name].seeds]


def map_files(config: Config) -> list[str]:
    """All files of maps.

    Shards are read folder by folder: only as targets are they made again when they are gone.
    """
    files = [layout.map_table(name, table) for name in config.maps for table in layout.MAP_TABLES]
    files += [
        layout.map_part(name, table, shard)
        for name, described in config.maps.items()
        for table in map_parts(described)
        for shard in range(described.shards)
    ]
    files += [layout.map_table(name, "predictions") for name in predicted_maps(config)]
    files += [layout.map_table(name, layout.MATCHING) for name in config.maps]
    files += [layout.map_table(name, table) for name in phased_maps(config) for table in layout.PHASE_TABLES]
    return files + [
        layout.map_table(name, table) for name in branched_maps(config) for table in layout.BRANCH_TABLES
    ]


def norm_files(config: Config) -> list[str]:
    """Tables and figures that set norms beside the published ones."""
    if not config.norm_maps:
        return []
    return [layout.norm_table(table) for table in layout.NORM_TABLES] + [
        layout.figure(figure.name, kind)
        for figure in catalogue.figures(config)
        if layout.norm_table("schedules") in figure.inputs.values()
        for kind in ("svg", "png")
    ]


# --- slides 3 and 4, and the whole -------------------------------------------------------------------------


def attention_weights(config: Config) -> list[str]:
    """Everything that is trained for slide 3."""
    return [
        layout.attention_weights(name, part)
        for name, setting in config.attention.items()
        for part in layout.attention_parts(setting.heads)
    ]


def attention_tables(config: Config) -> list[str]:
    """Slide 3's tables."""
    return [layout.attention_table(table) for table in layout.ATTENTION_TABLES if config.attention]


def answer_files(config: Config) -> list[str]:
    """The judgement by the atlas, where there is one."""
    return [layout.answer(), layout.effects()] if catalogue.answers(config) else []


def all_files(config: Config) -> list[str]:
    """Every target of `snakemake all`."""
    return [
        layout.report(),
        layout.report_numbers(),
        layout.explorer(),
        *(path for name in config.papers() for path in (layout.paper(name), layout.paper_numbers(name))),
        *figure_files(config),
        *experiment_tables(config),
        *case_files(config),
        *map_files(config),
        *norm_files(config),
        *(layout.pair_table(table) for table in layout.PAIR_TABLES),
        *attention_weights(config),
        *attention_tables(config),
        layout.claims(),
        *(layout.playground_table(table) for table in layout.PLAYGROUND_TABLES if config.playground),
        *answer_files(config),
    ]


def report_figures(config: Config) -> list[str]:
    """Every figure that the PDF may show."""
    return [layout.figure(figure.name, "svg") for figure in catalogue.figures(config.without_sections())]


def paper_figures(config: Config, name: str) -> list[str]:
    """Every figure of a further paper."""
    sections = config.papers().get(name, ())
    return [
        layout.figure(figure.name, "svg")
        for figure in catalogue.figures(config)
        if figure.section in sections
    ]


def paper_sources(config: Config, name: str) -> list[str]:
    """Every table that a further paper may read: those of its experiments and maps."""
    sections = config.papers().get(name, ())
    experiments = {key for key, own in config.experiments.items() if own.section in sections}
    maps = {key for key, own in config.maps.items() if own.section in sections}
    paths = [*experiment_tables(config), *map_files(config), *map(layout.schedules, config.experiments)]
    fields = {path: place.fields for path in paths if (place := layout.identify(path))}
    return [
        path for path, own in fields.items() if own.get("experiment") in experiments or own.get("map") in maps
    ]


def report_sources(config: Config) -> list[str]:
    """Every table that the PDF reads."""
    config = config.without_sections()
    sources = {layout.claims(), catalogue.PUBLISHED_NORMS}
    if catalogue.answers(config):
        sources.add(layout.answer())
    if config.attention:
        sources |= {layout.attention_table(table) for table in ("models", "rules")}
    if config.playground:
        sources.add(layout.playground_table("runs"))
    if atlas := catalogue.atlas(config):
        sources.add(layout.map_table(atlas.name, "points"))
    sources |= {layout.map_table(name, "predictions") for name in catalogue.solved_maps(config, "random")[:1]}
    for experiment in config.experiments.values():
        tables = ["models"]
        tables += layout.LOSS_TABLES if experiment in catalogue.compared_experiments(config) else ()
        tables += ["saes"] if experiment.saes else []
        tables += ["recovered", *layout.SAE_COMPARISON] if experiment.compares_architectures else []
        sources |= {layout.experiment_table(experiment.name, table) for table in tables}
    for experiment in catalogue.beside_the_published_norms(config):
        if catalogue.matched_cases(experiment):
            sources.add(layout.experiment_table(experiment.name, layout.MATCHING))
    return sorted(sources)
