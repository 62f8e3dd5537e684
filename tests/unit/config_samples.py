"""Small configurations to change, and the message of one that is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config
from superposition_atlas.config import load
from superposition_atlas.config.saes import check_saes
from superposition_atlas.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
TALK = ROOT / "config" / "config.yaml"
SMOKE = ROOT / "config" / "smoke.yaml"
README = ROOT / "config" / "README.md"

SMALL = """
experiments:
  talk:
    n_features: 5
    n_hidden: 2
    seeds: 8
    importance: {family: geometric, first: 1.0, ratio: 0.9}
    probability: {family: linear, first: 0.9, last: 0.1}
    training: {steps: 100}
    cases:
      case1: {}
      case2: {probability: {family: permutation, of: base, order: reversed}}
    saes:
      relu: {n_latents: 5, resampling: simple, steps: 5000, seeds: 4}
"""


def small(**changes: Any) -> dict[str, Any]:
    """A small configuration, changed at dotted keys written with __ (talk__seeds)."""
    return changed({key.replace("__", "."): value for key, value in changes.items()})


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(SMALL)
    for dotted, value in changes.items():
        *parents, last = dotted.split(".")
        at: Any = raw
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    return raw


def talk_with(key: str, value: Any) -> dict[str, Any]:
    return changed({f"experiments.talk.{key}": value})


def laid_over(*overlays: Any) -> dict[str, Any]:
    """The talk's configuration under overlays, as Snakemake does it."""
    raw = load_configfile(TALK)
    for overlay in overlays:
        update_config(raw, overlay)
    return raw


def message(raw: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        check_saes(load(raw))
    return str(caught.value)


LINEAR = {"family": "linear", "first": 0.9, "last": 0.1}

JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
