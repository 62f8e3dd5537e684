"""Turns the mapping that YAML gives into a checked `Config`."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from superposition_atlas.config.attention import attention_settings
from superposition_atlas.config.checking import check_names_differ, with_defaults
from superposition_atlas.config.configuration import Config
from superposition_atlas.config.experiments import experiment_of
from superposition_atlas.config.layers import whole
from superposition_atlas.config.maps import read_map
from superposition_atlas.config.messages import refused
from superposition_atlas.config.norms import check_norm_maps
from superposition_atlas.config.playground import playground_networks


def load(raw: Mapping[str, Any]) -> Config:
    """A configuration, checked and complete.

    Args:
        raw: what `read`, or Snakemake's `config`, holds.

    Raises:
        ConfigError: one line that names the first key whose value is not allowed, that value, and what is.
    """
    written = whole(raw)
    filled = with_defaults(written)
    if (filled["engine"], filled["device"]) == ("fused", "cuda"):
        raise refused(
            ("device",), "cuda", "auto or cpu with the engine fused (a GPU needs cuda, torch or auto)"
        )
    if (filled["engine"], filled["device"]) == ("cuda", "cpu"):
        raise refused(("device",), "cpu", "auto or cuda with the engine cuda")
    for group in ("experiments", "maps", "playground", "attention"):
        check_names_differ((group,), filled[group])
    for group in ("experiments", "maps"):
        _check_roles_differ(group, filled[group])
    maps = {
        name: read_map(name, block, written["maps"][name].get("variants", {}))
        for name, block in filled["maps"].items()
    }
    check_norm_maps(maps)
    return Config(
        engine=filled["engine"],
        device=filled["device"],
        experiments={
            name: experiment_of(name, experiment, written=written["experiments"][name])
            for name, experiment in filled["experiments"].items()
        },
        maps=maps,
        playground=playground_networks(filled["playground"]),
        attention=attention_settings(filled["attention"], written.get("attention", {})),
    )


def _check_roles_differ(group: str, by_name: Mapping[str, Mapping[str, Any]]) -> None:
    owners: dict[str, str] = {}
    for name, keys in by_name.items():
        owner = owners.setdefault(keys["role"], name) if keys["role"] else name
        if owner != name:
            raise refused((group, name, "role"), keys["role"], f"another role: {group}.{owner} has this one")


def schedule_source(raw: Mapping[str, Any], name: str, case: str | None = None) -> dict[str, Any]:
    """One experiment as a configuration of its own: nothing taken over, nothing left to defaults, no SAEs.

    It changes when the experiment's schedules or their description do, and not when another experiment does.
    With `case`, it holds that case alone and only what its toy models depend on: no titles, no roles.

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
        of_schedules = {
            key: value
            for key, value in sorted(filled.items())
            if key not in ("like", "saes", "shards", "figures", "section")
        }
        return {"experiments": {name: of_schedules | {"cases": cases, "shown_seeds": loaded.shown_seeds}}}
    structure = cases[case].get("structure", filled.get("structure"))
    own = {key: cases[case][key] for key in ("importance", "probability", "training")}
    alone = {
        **{key: filled[key] for key in ("n_features", "n_hidden", "importance", "probability")},
        "seeds": seeds_as_written(loaded.seeds),
        "cases": {case: own | ({"structure": structure} if structure else {})},
    }
    return {"experiments": {name: alone}}


@lru_cache(maxsize=1)
def _prepared(raw: str) -> tuple[dict[str, Any], Config]:
    """A configuration (as JSON) with its defaults filled in, and loaded: once for all of its cases."""
    content = json.loads(raw)
    return with_defaults(whole(content)), load(content)


def seeds_as_written(seeds: tuple[int, ...]) -> int | list[int]:
    """Seeds as a configuration writes them, one way only."""
    return len(seeds) if seeds == tuple(range(len(seeds))) else list(seeds)
