"""From the mapping that YAML gives to a checked `Config`: `like`, defaults, and what no schema can say."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from superposition_atlas import schedules
from superposition_atlas.arguments import LARGEST
from superposition_atlas.config.attention import attention_settings
from superposition_atlas.config.configuration import SAE, Case, Config, Experiment
from superposition_atlas.config.maps import read_map
from superposition_atlas.config.norms import check_norm_maps
from superposition_atlas.config.playground import playground_networks
from superposition_atlas.config.schema import (
    Key,
    check,
    check_names_differ,
    dotted,
    schema,
    shown,
    with_defaults,
    wrong,
)
from superposition_atlas.config.training import check_record_steps, training_settings
from superposition_atlas.errors import ConfigError
from superposition_atlas.plan import costs
from superposition_atlas.toy_model import TrainingSettings

_DEEPEST = 20
"""No key lies deeper, but a YAML anchor may contain itself."""

_MOST_BITS = 2048
"""Of an integer: twice those of the largest float."""


def load(raw: Mapping[str, Any]) -> Config:
    """A configuration, checked and complete.

    Args:
        raw: what `read`, or Snakemake's `config`, holds.

    Raises:
        ConfigError: one line that names the first key that is wrong, its value, and what is allowed.
    """
    whole = _whole(raw)
    filled = with_defaults(whole, schema())
    if (filled["engine"], filled["device"]) == ("fused", "cuda"):
        raise wrong(
            ("device",), "cuda", "auto or cpu with the engine fused (a GPU needs cuda, torch or auto)"
        )
    if (filled["engine"], filled["device"]) == ("cuda", "cpu"):
        raise wrong(("device",), "cpu", "auto or cuda with the engine cuda")
    for group in ("experiments", "maps", "playground", "attention"):
        check_names_differ((group,), filled[group])
    maps = {
        name: read_map(name, described, whole["maps"][name].get("variants", {}))
        for name, described in filled["maps"].items()
    }
    check_norm_maps(maps)
    return Config(
        engine=filled["engine"],
        device=filled["device"],
        experiments={
            name: _experiment(name, experiment, written=whole["experiments"][name])
            for name, experiment in filled["experiments"].items()
        },
        maps=maps,
        playground=playground_networks(filled["playground"]),
        attention=attention_settings(filled["attention"], whole.get("attention", {}), _rows),
    )


def laid_over(base: Mapping[str, Any], *layers: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with others laid over it, in this order.

    Mappings merge key by key, everything else replaces, and so does a schedule that names its family or the
    points of a map that name their kind.
    """
    result = dict(base)
    for layer in layers:
        result = _merged(result, layer)
    return result


def schedule_source(raw: Mapping[str, Any], name: str, case: str | None = None) -> dict[str, Any]:
    """One experiment as a configuration of its own: nothing taken over, nothing left to defaults, no SAEs.

    It changes when the experiment's schedules or their description do, and not when another experiment does.
    With `case`, it holds that case alone and only what its toy models depend on: no titles, no figures.

    Raises:
        ConfigError: as `load`.
    """
    all_filled, all_loaded = _prepared(json.dumps(raw))
    filled, loaded = all_filled["experiments"][name], all_loaded.experiments[name]
    # A case's training is what the experiment says unless the case says otherwise: no default may hide that.
    cases = {
        key: dict(sorted((settings | {"training": loaded.cases[key].training.as_dict()}).items()))
        for key, settings in filled["cases"].items()
    }
    if case is None:
        kept = {key: value for key, value in sorted(filled.items()) if key not in ("like", "saes", "shards")}
        return {"experiments": {name: kept | {"cases": cases, "shown_seeds": loaded.shown_seeds}}}
    alone = {
        **{key: filled[key] for key in ("n_features", "n_hidden", "importance", "probability")},
        "seeds": seeds_as_written(loaded.seeds),
        "cases": {case: {key: value for key, value in cases[case].items() if key != "title"}},
    }
    return {"experiments": {name: alone}}


@lru_cache(maxsize=1)
def _prepared(raw: str) -> tuple[dict[str, Any], Config]:
    """A configuration (as JSON) with its defaults filled in, and loaded: once for all of its cases."""
    content = json.loads(raw)
    return with_defaults(_whole(content), schema()), load(content)


def seeds_as_written(seeds: tuple[int, ...]) -> int | list[int]:
    """Seeds as a configuration writes them, one way only."""
    return len(seeds) if seeds == tuple(range(len(seeds))) else list(seeds)


# --- before the schema's defaults --------------------------------------------------------------------------


def _whole(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What is written, checked, with what each experiment takes over and without what is null."""
    written = _plain(raw, ())
    # What is written is checked first, so that a message names the place where it stands; only what is
    # then put together can be held to be complete.
    check(written, complete=False)
    experiments = written.get("experiments")
    if experiments:
        written["experiments"] = _with_inherited(experiments)
    whole = _without_empty(written)
    check(whole, complete=True)
    return dict(whole)


def _plain(value: Any, key: Key) -> Any:
    """A copy with all mappings as dict, all keys text."""
    if len(key) > _DEEPEST:
        raise wrong(key[:3], value, f"at most {_DEEPEST} levels (does a YAML anchor contain itself?)")
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                hint = "; YAML reads yes, no, on, off, null and numbers as other things: put it in quotes"
                raise ConfigError(f"{dotted(key)}: got the name {shown(name)}, allowed is text{hint}")
        return {name: _plain(item, (*key, name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, (*key, index)) for index, item in enumerate(value)]
    # What comes next writes values out, and Python refuses to write out integers of thousands of digits.
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise wrong(key, value, "a number of at most 308 digits")
    return value


def _with_inherited(experiments: Mapping[str, Any]) -> dict[str, Any]:
    """The experiments, each with the keys of the one that it is `like`, of what that is like, and so on."""
    whole: dict[str, Any] = {}
    for first in experiments:
        # No recursion: a line may be longer than Python's stack.
        name, heirs = first, []
        while name not in whole and (origin := (experiments[name] or {}).get("like")):
            heirs.append(name)
            _check_origin(experiments, heirs, origin)
            name = origin
        whole.setdefault(name, experiments[name])
        for heir in reversed(heirs):
            taken_over = {key: value for key, value in whole[name].items() if key != "title"}
            whole[heir] = _merged(taken_over, experiments[heir])
            name = heir
    return {name: whole[name] for name in experiments}


def _check_origin(experiments: Mapping[str, Any], line: Sequence[str], origin: str) -> None:
    """Raises a ConfigError unless the last experiment of a line may be like `origin`."""
    key = ("experiments", line[-1], "like")
    if origin in line:
        circle = " → ".join((*line[line.index(origin) :], origin))
        raise wrong(key, origin, f"an experiment that does not start from this one ({circle})")
    if experiments.get(origin) is None:
        others = [
            other for other, content in experiments.items() if content is not None and other not in line
        ]
        raise wrong(key, origin, f"the name of another experiment: {', '.join(others) or 'there is none'}")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge, everything else replaces; so does what names its family or kind."""
    result = dict(base)
    for key, value in over.items():
        before = result.get(key)
        is_group = isinstance(value, Mapping) and not any(
            isinstance(value.get(name), str) for name in ("family", "kind")
        )
        result[key] = _merged(before, value) if is_group and isinstance(before, Mapping) else value
    return result


def _without_empty(value: Any) -> Any:
    """Without the keys whose value is empty (null)."""
    if not isinstance(value, Mapping):
        return value
    return {key: _without_empty(item) for key, item in value.items() if item is not None}


# --- what no schema can say --------------------------------------------------------------------------------


def _experiment(name: str, filled: Mapping[str, Any], written: Mapping[str, Any]) -> Experiment:
    try:
        return _own_experiment(name, filled, written)
    except ConfigError as error:
        # The key may stand in the other experiment: what fits that size may not fit this one.
        origin = f" ({name} takes over the keys of {filled['like']})" if filled["like"] else ""
        raise ConfigError(f"{error}{origin}") from None


def _own_experiment(name: str, filled: Mapping[str, Any], written: Mapping[str, Any]) -> Experiment:
    key = ("experiments", name)
    for group in ("cases", "saes"):
        check_names_differ((*key, group), filled[group])
    seeds = tuple(filled["seeds"] if isinstance(filled["seeds"], list) else range(filled["seeds"]))
    n_features = filled["n_features"]
    base = {}
    for quantity in _RANGES:
        rows = _rows((*key, quantity), filled[quantity], n_features, None, quantity)
        if len(rows) != 1:
            allowed = "a family with one value a feature (per_instance is for cases)"
            raise wrong((*key, quantity), filled[quantity], allowed)
        base[quantity] = rows[0]
    cases = {}
    for case, settings in filled["cases"].items():
        case_key = (*key, "cases", case)
        rows_of = {
            quantity: _rows((*case_key, quantity), settings[quantity], n_features, base[quantity], quantity)
            for quantity in _RANGES
        }
        for quantity, rows in rows_of.items():
            if len(rows) > len(seeds):
                raise wrong(
                    (*case_key, quantity, "count"), len(rows), _at_most(len(seeds), "number of seeds")
                )
        counts = {len(rows) for rows in rows_of.values()} - {1}
        if len(counts) > 1:
            allowed = f"{len(rows_of['importance'])}, the count of its importance"
            raise wrong((*case_key, "probability", "count"), len(rows_of["probability"]), allowed)
        # A case leaves out what it shares with its experiment, so its own defaults must not count.
        training = filled["training"] | written["cases"][case].get("training", {})
        cases[case] = Case(
            name=case,
            title=settings["title"] or case,
            importance=rows_of["importance"],
            probability=rows_of["probability"],
            training=_training(key, case, training, written["cases"][case], n_features),
        )
    saes = {
        sae: _sae((*key, "saes", sae), settings, written["saes"][sae], seeds)
        for sae, settings in filled["saes"].items()
    }
    return Experiment(
        name=name,
        title=filled["title"] or name,
        family=filled["probability"]["family"] if filled["family"] == "auto" else filled["family"],
        n_features=n_features,
        n_hidden=filled["n_hidden"],
        seeds=seeds,
        shown_seeds=_number_of_seeds(key, "shown_seeds", filled, written, len(seeds)),
        shards=_shards(filled, len(seeds), [case.training for case in cases.values()]),
        claims=filled["claims"],
        cases=cases,
        saes=saes,
    )


def _shards(filled: Mapping[str, Any], n_seeds: int, trainings: Sequence[TrainingSettings]) -> int:
    """As many for all cases as the longest training needs."""
    if filled["shards"] != "auto":
        return int(filled["shards"])
    size = (n_seeds, filled["n_features"], filled["n_hidden"])
    work = [costs.training_operations(*size, own.steps, own.batch_size) for own in trainings]
    return costs.shards(n_seeds, max(work, default=0.0))


def _at_most(limit: int, meaning: str) -> str:
    return f"an integer ≥ 1 and ≤ {limit}, the {meaning}"


def _number_of_seeds(
    key: Key, name: str, filled: Mapping[str, Any], written: Mapping[str, Any], n_seeds: int
) -> int:
    """How many of the seeds; a default gives way where there are fewer."""
    number: int = filled[name]
    if number > n_seeds and name in written:
        raise wrong((*key, name), number, _at_most(n_seeds, "number of seeds"))
    return min(number, n_seeds)


def _training(
    key: Key, case: str, settings: Mapping[str, Any], written: Mapping[str, Any], n_features: int
) -> TrainingSettings:
    def at(name: str) -> Key:
        """Where a setting stands: the case's own, or the experiment's."""
        own = ("cases", case) if name in written.get("training", {}) else ()
        return (*key, *own, "training", name)

    return training_settings(at, settings, n_features)


_SAE_NUMBERS = (
    "learning_rate",
    "resample_scale",
    "auxiliary_coefficient",
    "initial_threshold",
    "bandwidth",
)


def _sae(key: Key, filled: Mapping[str, Any], written: Mapping[str, Any], seeds: Sequence[int]) -> SAE:
    steps, record_steps = filled["steps"], filled["record_steps"]
    check_record_steps((*key, "record_steps"), record_steps, steps)
    if filled["resampling"] != "none" and filled["resample_every"] > steps:
        # Else nothing would ever be resampled, in silence.
        raise wrong((*key, "resample_every"), filled["resample_every"], _at_most(steps, "value of steps"))
    settings = {name: value for name, value in filled.items() if name not in ("record_steps", "seeds")}
    for name in ("sparsity_coefficient", "k"):
        if not isinstance(settings[name], list):
            settings[name] = [settings[name]]
    # 1 and 1.0 are the same setting, and must be the same parameter to Snakemake.
    settings["sparsity_coefficient"] = [float(value) for value in settings["sparsity_coefficient"]]
    for name in (
        "learning_rate",
        "resample_scale",
        "auxiliary_coefficient",
        "initial_threshold",
        "bandwidth",
    ):
        settings[name] = float(settings[name])
    return SAE(
        name=str(key[-1]),
        settings=settings,
        record_steps=tuple(record_steps),
        seeds=tuple(seeds[: _number_of_seeds(key, "seeds", filled, written, len(seeds))]),
    )


# --- schedules ---------------------------------------------------------------------------------------------

_RANGES = {"importance": f"a number ≥ 0 and ≤ {LARGEST:g}", "probability": "a number > 0 and ≤ 1"}

_VALUE_KEYS = ("value", "values", "first", "last", "low", "high")
"""The keys of families that are values themselves, so that a message can name the very number."""


def _in_range(values: Any, quantity: str) -> Any:
    values = np.asarray(values, dtype=np.float64)
    if quantity == "importance":
        return np.less_equal(values, LARGEST) & np.greater_equal(values, 0)
    return np.greater(values, 0) & np.less_equal(values, 1)


def _rows(
    key: Key,
    spec: Mapping[str, Any] | str,
    n_values: int,
    base: Float[np.ndarray, " feature"] | None,
    quantity: str,
) -> Float[np.ndarray, "variant feature"]:
    """The values of a schedule, checked from the inside out, so that a message names the innermost key."""
    if isinstance(spec, str):
        if base is None:
            raise wrong(key, spec, "a mapping with the key family (base can't be made of base)")
        return base[None, :]
    for name in _VALUE_KEYS:
        given = spec.get(name)
        for index, value in enumerate(given) if isinstance(given, list) else ((None, given),):
            if value is not None and not _in_range(value, quantity):
                at = (*key, name) if index is None else (*key, name, index)
                raise wrong(at, value, f"{_RANGES[quantity]} ({quantity})")
    if spec["family"] == "explicit" and len(spec["values"]) != n_values:
        allowed = f"a list of {n_values} numbers, one a feature (it has {len(spec['values'])})"
        raise wrong((*key, "values"), spec["values"], allowed)
    if spec["family"] == "per_instance":
        _rows((*key, "of"), spec["of"], spec["count"], None, quantity)
    elif "of" in spec:
        _rows((*key, "of"), spec["of"], n_values, base, quantity)
    try:
        with np.errstate(all="ignore"):
            rows = schedules.values(spec, n_values, base)
    except ValueError as error:
        raise ConfigError(f"{dotted(key)}: got {shown(spec)}, but {error}") from None
    bad = np.argwhere(~_in_range(rows, quantity))
    if len(bad):
        row, feature = bad[0]
        found = f"feature {feature} would have {rows[row, feature]:.6g}"
        raise wrong(key, spec, f"{_RANGES[quantity]} for every feature ({found})")
    if quantity == "importance" and not np.all(np.any(rows > 0, axis=1)):
        raise wrong(key, spec, "an importance above 0 for at least one feature (all would have 0)")
    return rows
