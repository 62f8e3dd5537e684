"""Experiments as a configuration has them: what their declaration can't say of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from superposition_atlas.config.checking import check_names_differ, plain_value
from superposition_atlas.config.configuration import SAE, Case, Experiment
from superposition_atlas.config.costs import shards, training_operations
from superposition_atlas.config.declaration import ExperimentFigure
from superposition_atlas.config.figures import figure_kinds
from superposition_atlas.config.messages import Key, refused
from superposition_atlas.config.schedule_rows import RANGES, schedule_rows
from superposition_atlas.config.sections import PAPERS, TRAINED
from superposition_atlas.config.training import check_record_steps, training_settings
from superposition_atlas.covered_models import ENCODES, PLAIN, POSITIVE, other_setting
from superposition_atlas.errors import ConfigError, SettingError
from superposition_atlas.sae.settings import SAESettings
from superposition_atlas.sampling.structure import Intervals, intervals_of
from superposition_atlas.settings.rules import fields_of
from superposition_atlas.toy_model import TrainingSettings


def experiment_of(name: str, filled: Mapping[str, Any], written: Mapping[str, Any]) -> Experiment:
    """An experiment of a configuration that has been checked and filled in.

    Args:
        name: its name.
        filled: the experiment with all defaults.
        written: the experiment as it is written.

    Raises:
        ConfigError: one line that names the first key whose value does not fit the others.
    """
    try:
        return _experiment(("experiments", name), filled, written)
    except ConfigError as error:
        # The key may stand in the other experiment: what fits that size may not fit this one.
        origin = f" ({name} takes over the keys of {filled['like']})" if filled["like"] else ""
        raise ConfigError(f"{error}{origin}") from None


def _experiment(key: Key, filled: Mapping[str, Any], written: Mapping[str, Any]) -> Experiment:
    for group in ("cases", "saes"):
        check_names_differ((*key, group), filled[group])
    name, n_features = str(key[-1]), filled["n_features"]
    seeds = tuple(filled["seeds"] if isinstance(filled["seeds"], list) else range(filled["seeds"]))
    base = {}
    for quantity in RANGES:
        rows = schedule_rows((*key, quantity), filled[quantity], n_features, None, quantity)
        if len(rows) != 1:
            allowed = "a family with one value a feature (per_instance is for cases)"
            raise refused((*key, quantity), filled[quantity], allowed)
        base[quantity] = rows[0]
    cases = {
        case: _case(key, case, filled, written["cases"][case], base, len(seeds)) for case in filled["cases"]
    }
    saes = {
        sae: _sae((*key, "saes", sae), settings, written["saes"][sae], seeds)
        for sae, settings in filled["saes"].items()
    }
    if any(case.structure is not None for case in cases.values()):
        why = " with a structure: slides and observations are about independent features"
        if filled["claims"]:
            raise refused((*key, "claims"), True, "false", why)
        if filled["role"]:
            raise refused((*key, "role"), filled["role"], "the empty text", why)
    if filled["section"] and (filled["role"] or filled["claims"]):
        raise refused(
            (*key, "section"), filled["section"], "the empty text with a role or claims: the report has those"
        )
    _check_other_models(key, filled, cases.values())
    for case in cases.values():
        if setting := other_setting(case.training, TRAINED.get(filled["section"], {})):
            has = f" with {setting} {getattr(case.training, setting)} in case {case.name}"
            raise refused((*key, "section"), filled["section"], "a section that is about it", has)
    if filled["section"] in PAPERS["structure"] and all(case.structure is None for case in cases.values()):
        raise refused(
            (*key, "section"),
            filled["section"],
            "another section, or a case with a structure: this section is about features with one",
        )
    return Experiment(
        name=name,
        title=filled["title"] or name,
        role=filled["role"],
        section=filled["section"],
        family=filled["probability"]["family"] if filled["family"] == "auto" else filled["family"],
        n_features=n_features,
        n_hidden=filled["n_hidden"],
        seeds=seeds,
        shown_seeds=_number_of_seeds(key, "shown_seeds", filled, written, len(seeds)),
        shards=_shards(filled, len(seeds), [case.training for case in cases.values()]),
        claims=filled["claims"],
        cases=cases,
        saes=saes,
        figures=figure_kinds(filled["figures"], ExperimentFigure),
    )


def _check_other_models(key: Key, filled: Mapping[str, Any], cases: Iterable[Case]) -> None:
    """Raises a ConfigError where slides, observations or SAEs are asked for that are about others."""
    for case in cases:
        for refusing, allowed, about in (
            (("claims", "role"), PLAIN | POSITIVE, "slides and observations are about x' = ReLU(Wᵀ W x + b)"),
            (("saes",), ENCODES, "SAEs are trained on sums of directions"),
        ):
            if not (setting := other_setting(case.training, allowed)):
                continue
            why = f" with {setting} {getattr(case.training, setting)} in case {case.name}: {about}"
            for name, empty in (("claims", "false"), ("role", "the empty text"), ("saes", "{}")):
                if name in refusing and filled[name]:
                    value = list(filled[name]) if name == "saes" else filled[name]
                    raise refused((*key, name), value, empty, why)


def _case(
    key: Key,
    name: str,
    filled: Mapping[str, Any],
    written: Mapping[str, Any],
    base: Mapping[str, Float[np.ndarray, " feature"]],
    n_seeds: int,
) -> Case:
    """A case of the experiment at `key`, which has these filled-in keys and base schedules."""
    settings, case_key = filled["cases"][name], (*key, "cases", name)
    rows = {
        quantity: schedule_rows(
            (*case_key, quantity), settings[quantity], filled["n_features"], base[quantity], quantity
        )
        for quantity in RANGES
    }
    for quantity, values in rows.items():
        if len(values) > n_seeds:
            allowed = _at_most(n_seeds, "number of seeds")
            raise refused((*case_key, quantity, "count"), len(values), allowed)
    counts = {len(values) for values in rows.values()} - {1}
    if len(counts) > 1:
        allowed = f"{len(rows['importance'])}, the count of its importance"
        raise refused((*case_key, "probability", "count"), len(rows["probability"]), allowed)

    def at(setting: str) -> Key:
        """The key that sets a value: that of the case, or of the experiment."""
        in_case = ("cases", name) if setting in written.get("training", {}) else ()
        return (*key, *in_case, "training", setting)

    return Case(
        name=name,
        title=settings["title"] or name,
        role=settings["role"],
        slide=settings["slide"],
        importance=rows["importance"],
        probability=rows["probability"],
        # A case leaves out what it shares with its experiment, so its own defaults must not count.
        training=training_settings(
            at, filled["training"] | written.get("training", {}), filled["n_features"]
        ),
        structure=_structure(key, name, filled, rows["probability"]),
    )


def _structure(
    key: Key, name: str, filled: Mapping[str, Any], probability: Float[np.ndarray, "variant feature"]
) -> Intervals | None:
    """The structure of a case: the experiment's unless it has one itself."""
    is_own = "structure" in filled["cases"][name]
    groups = (filled["cases"][name] if is_own else filled).get("structure")
    try:
        return intervals_of(groups, probability)
    except SettingError as error:
        number, _, setting = error.name.rpartition("structure[")[2].partition("]")
        at = (*key, *(("cases", name) if is_own else ()), "structure", int(number))
        path = (*at, setting.removeprefix(".")) if setting else at
        in_case = "" if is_own else f" (in case {name})"
        raise refused(path, error.value, error.allowed, in_case) from None


def _shards(filled: Mapping[str, Any], n_seeds: int, trainings: Sequence[TrainingSettings]) -> int:
    """Number of shards, the same for all cases: as many as the longest training needs."""
    if filled["shards"] != "auto":
        return int(filled["shards"])
    size = (n_seeds, filled["n_features"], filled["n_hidden"])
    work = [training_operations(*size, training.steps, training.batch_size) for training in trainings]
    return shards(n_seeds, max(work, default=0.0))


def _at_most(limit: int, meaning: str) -> str:
    return f"an integer ≥ 1 and ≤ {limit}, the {meaning}"


def _number_of_seeds(
    key: Key, name: str, filled: Mapping[str, Any], written: Mapping[str, Any], n_seeds: int
) -> int:
    """How many of the seeds; a default gives way where there are fewer."""
    number: int = filled[name]
    if number > n_seeds and name in written:
        raise refused((*key, name), number, _at_most(n_seeds, "number of seeds"))
    return min(number, n_seeds)


def _sae(key: Key, filled: Mapping[str, Any], written: Mapping[str, Any], seeds: Sequence[int]) -> SAE:
    steps, record_steps = filled["steps"], filled["record_steps"]
    check_record_steps((*key, "record_steps"), record_steps, steps)
    if filled["resampling"] in ("simple", "advanced") and filled["resample_every"] > steps:
        # Else nothing would ever be resampled, in silence.
        raise refused((*key, "resample_every"), filled["resample_every"], _at_most(steps, "value of steps"))
    return SAE(
        name=str(key[-1]),
        settings=sae_settings(filled),
        record_steps=tuple(record_steps),
        source=filled["source"],
        seeds=tuple(seeds[: _number_of_seeds(key, "seeds", filled, written, len(seeds))]),
    )


def sae_settings(filled: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of SAEs among the keys of a configuration; to Snakemake, 1 and 1.0 would differ."""
    return {name: plain_value(field.rule, filled[name]) for name, field in fields_of(SAESettings).items()}
