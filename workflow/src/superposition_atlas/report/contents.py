"""The report's contents as one JSON document: what the template reads, section by section."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import yaml

from superposition_atlas import __version__
from superposition_atlas.config import Experiment
from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures import catalogue
from superposition_atlas.metrics.features import DEDICATED_DIMENSIONALITY
from superposition_atlas.report import (
    answer_tables,
    attention_tables,
    captions,
    norm_tables,
    origin,
    playground_tables,
    sae_tables,
    shared_tables,
    theory_tables,
)
from superposition_atlas.report.atlas import atlas
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage import layout
from superposition_atlas.storage.code_digest import code_digest
from superposition_atlas.storage.experiment_files import read_experiment
from superposition_atlas.storage.file_kinds import require_file
from superposition_atlas.storage.parquet import table_provenance
from superposition_atlas.storage.tensors import read_tensors
from superposition_atlas.toy_model import xavier_scale

Document = dict[str, Any]
Provenances = dict[tuple[str, ...], dict[str, Any]]
"""Provenance by (experiment, case, SAE), as far as they apply."""


def gather(sources: Sources, raw: Mapping[str, Any]) -> Document:
    """All that the template shows.

    Args:
        sources: the checked configuration and the folders to read from.
        raw: the configuration as it was given.

    Raises:
        ArtefactError: one line that names the file that is missing or damaged, or lacks a column.
    """
    claims = shared_tables.claims(sources)
    tested = {name for name, experiment in sources.config.experiments.items() if experiment.claims}
    observations = shared_tables.observations(claims, tested)
    models = {name: shared_tables.models(sources, name) for name in sources.config.experiments}
    provenances = _provenances(sources)
    return {
        "version": __version__,
        "experiments": [
            _experiment(sources, experiment, models[experiment.name], provenances["toy models"])
            for experiment in sources.config.experiments.values()
        ],
        "figures": _figures(sources),
        "playground": playground_tables.networks(sources),
        "answer": answer_tables.answer(sources),
        "attention": attention_tables.settings(sources),
        "atlas": atlas(sources),
        "observations": observations,
        "totals": shared_tables.totals(observations),
        "thresholds": shared_tables.thresholds(claims),
        "norms": [
            row
            for experiment in catalogue.beside_the_published_norms(sources.config)
            for row in shared_tables.published_norms(sources, experiment.name, models[experiment.name])
        ],
        "norm_maps": norm_tables.over_schedules(sources),
        "saes": [
            row
            for experiment in sources.config.experiments.values()
            if experiment.saes and not experiment.compares_architectures
            for row in shared_tables.saes(sources, experiment.name)
        ],
        "sae_comparisons": [
            {
                "experiment": experiment.name,
                "counts": sae_tables.counts(sources, experiment.name),
                "levels": sae_tables.levels(sources, experiment.name),
                "losses": sae_tables.losses(sources, experiment.name),
                "contrasts": sae_tables.contrasts(sources, experiment.name),
            }
            for experiment in sources.config.experiments.values()
            if experiment.compares_architectures
        ],
        "sae_groups": {
            "rare_probability": sae_tables.RARE_PROBABILITY,
            "dedicated_dimensionality": DEDICATED_DIMENSIONALITY,
        },
        "theory": theory_tables.comparisons(sources),
        "provenance": {
            "made_by": origin.made_by(
                {kind: by_file.values() for kind, by_file in provenances.items()}
                | {"this report": [{"code": code_digest("superposition_atlas.cli.commands.report")}]}
            ),
            "versions": origin.versions(
                provenance for by_file in provenances.values() for provenance in by_file.values()
            ),
            "machine": origin.machine(),
            "stages": origin.stages(sources.benchmarks),
            "config": _as_yaml(raw),
        },
    }


def _provenances(sources: Sources) -> dict[str, Provenances]:
    """Provenance of every artefact, by kind and by (experiment, case, SAE)."""
    schedules: Provenances = {}
    models: Provenances = {}
    features: Provenances = {}
    saes: Provenances = {}
    recovery: Provenances = {}
    for name, experiment in sources.config.experiments.items():
        schedules[(name,)] = table_provenance(sources.locate(layout.schedules(name)))
        for case in experiment.cases:
            models[name, case] = read_tensors(sources.models(name, case))[1]
            for group, table in ((features, "models"), (recovery, "saes")):
                if group is features or experiment.saes:
                    path = sources.locate(layout.case_table(name, case, table))
                    group[name, case] = table_provenance(path)
            for sae in experiment.saes:
                saes[name, case, sae] = read_tensors(sources.saes(name, case, sae))[1]
    attention: Provenances = {}
    pivot_tables: Provenances = {}
    for setting in sources.config.attention.values():
        for part in layout.attention_parts(setting.heads):
            path = sources.locate(layout.attention_weights(setting.name, part))
            attention[setting.name, part] = read_tensors(path)[1]
        for table in ("models", "rules"):
            path = sources.locate(layout.attention_table(table))
            pivot_tables[table,] = table_provenance(path)
    claims: Provenances = {("claims",): table_provenance(sources.locate(layout.claims()))}
    playground: Provenances = {}
    if sources.config.playground:
        path = sources.locate(layout.playground_table("runs"))
        playground["playground",] = table_provenance(path)
    maps: Provenances = {}
    described = catalogue.atlas(sources.config)
    if described:
        path = sources.locate(layout.map_table(described.name, "points"))
        maps[described.name,] = table_provenance(path)
    compared: Provenances = {
        (path,): table_provenance(sources.locate(path))
        for figure in catalogue.figures(sources.config)
        if figure.category == catalogue.THEORY
        for path in figure.inputs.values()
        if path != catalogue.PUBLISHED_NORMS
    }
    return {
        "schedules": schedules,
        "toy models": models,
        "metrics of features": features,
        "SAEs": saes,
        "metrics of SAEs": recovery,
        "claims": claims,
        "playground": playground,
        "attention": attention,
        "pivot tables": pivot_tables,
        "maps": maps,
        "comparisons with best solutions": compared,
    }


def _experiment(
    sources: Sources,
    experiment: Experiment,
    models: pd.DataFrame,
    trained: Provenances,
) -> Document:
    """An experiment as its artefacts describe it."""
    name = experiment.name
    description = read_experiment(sources.locate(layout.schedules(name)))
    cases: list[Document] = []
    settings: list[Document] = []
    for case in description.cases.values():
        of_case = models[models["case"] == case.name]
        if of_case.empty:
            path = sources.locate(layout.experiment_table(name, "models"))
            raise ArtefactError(f"{path}: has no rows of case {case.name!r}")
        cases.append(
            {
                "name": case.name,
                "title": case.title,
                "role": case.role,
                "slide": experiment.cases[case.name].slide,
                "importance": shared_tables.span(case.importance),
                "probability": shared_tables.span(case.probability),
                "mean_probability": float(case.probability.mean()),
                "n_variants": len(case.probability),
                "all": shared_tables.counts(of_case),
                "shown": shared_tables.counts(of_case[of_case["shown"]]),
            }
        )
        training = dict(trained[name, case.name]["spec"]["training"])
        same = [group for group in settings if group["training"] == training]
        if same:
            same[0]["cases"].append(case.name)
        else:
            settings.append({"training": training, "cases": [case.name]})
    return {
        "name": name,
        "title": description.title,
        "role": experiment.role,
        "family": description.family,
        "n_features": description.n_features,
        "n_hidden": description.n_hidden,
        "n_seeds": len(description.seeds),
        "n_shown": description.shown_seeds,
        "tested": experiment.claims,
        "n_models": len(models),
        "xavier": xavier_scale(description.n_features, description.n_hidden),
        "engines": sorted({trained[name, case]["engine"] for case in description.cases}),
        "settings": settings,
        "cases": cases,
        "saes": [
            {"name": sae.name, **sae.settings, "n_seeds": len(sae.seeds)} for sae in experiment.saes.values()
        ],
    }


def _figures(sources: Sources) -> list[Document]:
    """Every figure of the catalogue, in its order, with its size in points and its caption."""
    rows = []
    for figure in catalogue.figures(sources.config):
        path = sources.locate(layout.figure(figure.name, "svg"))
        require_file(path)
        rows.append(
            {
                "name": figure.name,
                "module": figure.module,
                "category": figure.category,
                "alt": figure.alt,
                "labels": figure.labels,
                "caption": captions.render(sources.captions / f"{figure.module}.rst", figure.labels),
            }
        )
    return rows


def _as_yaml(raw: Mapping[str, Any]) -> str:
    """Short lists and mappings on one line, as people write them; narrow enough for two columns."""
    text: str = yaml.safe_dump(
        dict(raw), sort_keys=False, allow_unicode=True, default_flow_style=None, width=44
    )
    return text
