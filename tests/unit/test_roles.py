"""Roles say what slides, observations and report take parts of a configuration for: code knows no names."""

import ast
from pathlib import Path
from typing import Any

import pytest
import superposition_atlas
from superposition_atlas.config import laid_over, load, read
from superposition_atlas.errors import ConfigError
from superposition_atlas.figures import catalogue

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(superposition_atlas.__file__).parent
TALK = read(ROOT / "config" / "config.yaml")

WORDS = {
    "uniform": "a distribution of magnitudes, and sparsity that is the same for all features",
    "bias": "a parameter of toy models",
    "perturbation": "a kind of points",
    "pentagon": "a role",
    "rare": "features that are seldom active",
    "relu": "an architecture",
    **dict.fromkeys(("gated", "jumprelu", "topk", "batch_topk", "matryoshka", "frozen", "random", "pca"), ""),
    **dict.fromkeys(("circle", "xor", "gaussian", "spiral", "plane", "multi_gaussian"), "a data set"),
    "atlas": "a section of the report",
}
"""Names of the talk's configuration that are also words of the code, with their meaning there."""

ROWS_OF_THE_POST = {"maps/norms.py", "figures/draw/frobenius_norms_band.py"}
"""Modules that know the rows of the post's table of norms, which are called like the talk's cases."""


def names_of_the_talk() -> set[str]:
    experiments: dict[str, Any] = TALK["experiments"]
    groups = [experiments, TALK["maps"], TALK["attention"], TALK["playground"]]
    for experiment in experiments.values():
        groups += [experiment.get("cases") or {}, experiment.get("saes") or {}]
    return {name for group in groups for name in group} - WORDS.keys()


def strings_of(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_code_knows_no_name_of_the_talks_configuration() -> None:
    names = names_of_the_talk()
    assert {"talk", "case1", "controls", "wide", "random_schedules", "sae_arena", "post4"} <= names
    found = {path.relative_to(SOURCE).as_posix(): names & strings_of(path) for path in SOURCE.rglob("*.py")}
    assert {module for module, known in found.items() if known} == ROWS_OF_THE_POST


def renamed(raw: Any, names: dict[str, str]) -> Any:
    """A configuration with other names for its parts; `like` follows."""
    if isinstance(raw, dict):
        return {
            names.get(key, key): names.get(value, value) if key == "like" else renamed(value, names)
            for key, value in raw.items()
        }
    return raw


def test_names_change_names_of_files_only() -> None:
    names = {name: f"{name}_renamed" for name in names_of_the_talk() | {"atlas"}}
    before, after = catalogue.figures(load(TALK)), catalogue.figures(load(renamed(TALK, names)))
    assert [(figure.module, figure.category, figure.alt.split()[:3]) for figure in before] == [
        (figure.module, figure.category, figure.alt.split()[:3]) for figure in after
    ]


def without_roles(raw: Any) -> Any:
    if isinstance(raw, dict):
        return {key: without_roles(value) for key, value in raw.items() if key not in ("role", "slide")}
    return raw


def test_a_configuration_without_roles_has_the_figures_that_need_none() -> None:
    plain = load(without_roles(TALK))
    found = {figure.module for figure in catalogue.figures(plain)}
    with_roles = {figure.module for figure in catalogue.figures(load(TALK))}
    assert found < with_roles
    assert with_roles - found == {
        *("motivation", "uniform", "plane", "observations", "thresholds", "initial_scale"),
        *("atlas_represented", "atlas_dedicated", "atlas_gap", "atlas_observations"),
    }
    assert not catalogue.answers(plain)


def test_what_is_like_another_takes_over_the_roles_of_cases_but_not_its_own() -> None:
    experiments = load(TALK).experiments
    assert (experiments["talk"].role, experiments["talk_linear"].role) == ("slides", "")
    assert experiments["talk_linear"].cases["case2"].role == "reversed"


def test_the_cases_have_the_schedules_that_their_roles_say() -> None:
    for experiment in load(TALK).experiments.values():
        for case in experiment.cases.values():
            importance, probability = case.importance[0], case.probability[0]
            if case.role == "aligned":
                assert (probability[1:] <= probability[:-1]).all()
                assert importance.max() > importance.min()
            if case.role == "reversed":
                assert (probability[1:] >= probability[:-1]).all()
            if case.role in ("equal", "pentagon"):
                assert importance.max() == importance.min()
            if case.role in ("densities", "matched", "pentagon", "no_sparsity"):
                assert probability.max() == probability.min()


@pytest.mark.parametrize(
    ("over", "named"),
    [
        (
            {"experiments": {"wide": {"role": "slides"}}},
            ["experiments.wide.role: got 'slides'", "experiments.talk has this one"],
        ),
        (
            {"maps": {"bias": {"role": "observations"}}},
            ["maps.bias.role: got 'observations'", "maps.atlas has this one"],
        ),
        ({"experiments": {"talk": {"role": "slide"}}}, ["talk.role: got 'slide'", "(did you mean slides?)"]),
        ({"experiments": {"talk": {"cases": {"case1": {"slide": -1}}}}}, ["case1.slide: got -1", "≥ 0"]),
    ],
)
def test_a_role_that_can_not_be_is_named(over: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(laid_over(TALK, over))
    for part in named:
        assert part in str(caught.value)
