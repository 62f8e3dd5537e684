"""Further papers: a configuration's sections decide which there are; the report leaves those out."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from superposition_atlas import config
from superposition_atlas.config.sections import PAPERS, TABLES
from superposition_atlas.errors import ConfigError
from superposition_atlas.figures import catalogue
from superposition_atlas.plan import targets
from superposition_atlas.plan.inputs import JobInputs
from superposition_atlas.plan.layers import configured
from superposition_atlas.plan.specs import JobSpecs
from superposition_atlas.storage import layout

ROOT = Path(__file__).parents[2]


def _raw(**keys: Any) -> dict[str, Any]:
    """One plain experiment, and one with these keys."""
    one: dict[str, Any] = {"n_features": 4, "n_hidden": 2, "seeds": 2, "cases": {"only": {}}}
    structure = [{"form": "together", "features": [0, 1]}]
    return {"experiments": {"plain": one, "paired": one | {"structure": structure} | keys}}


def test_a_section_makes_its_papers_and_their_tables_and_no_other() -> None:
    loaded = config.load(_raw(section="pairs"))
    assert loaded.papers() == {"structure": ("pairs",)}
    files = targets.all_files(loaded)
    assert layout.paper("structure") in files
    assert layout.paper_numbers("structure") in files
    assert layout.paper("tms") not in files
    assert layout.experiment_table("paired", "pairs") in files
    assert layout.experiment_table("plain", "pairs") not in files
    assert not config.load(_raw()).papers()


def test_a_section_may_stand_in_two_papers() -> None:
    loaded = config.load(_raw(section="correlated_sets"))
    assert set(loaded.papers()) == set(PAPERS)


def test_the_report_leaves_out_what_a_further_paper_shows() -> None:
    loaded = config.load(_raw(section="pairs"))
    assert list(loaded.without_sections().experiments) == ["plain"]
    assert not any("paired" in path for path in targets.report_sources(loaded))
    shown = {figure.name for figure in catalogue.figures(loaded) if not figure.section}
    assert {f"results/figures/{name}.svg" for name in shown} == set(targets.report_figures(loaded))
    of_paper = targets.paper_figures(loaded, "structure")
    assert of_paper
    assert not set(of_paper) & set(targets.report_figures(loaded))
    assert any("paired" in path for path in targets.paper_sources(loaded, "structure"))
    assert not any("plain" in path for path in targets.paper_sources(loaded, "structure"))


@pytest.mark.parametrize("other", [{"role": "post"}, {"claims": True}])
def test_a_section_goes_with_no_role_and_no_claims(other: dict[str, Any]) -> None:
    raw = _raw(section="pairs", **other)
    raw["experiments"]["paired"]["structure"] = []
    with pytest.raises(ConfigError, match=r"experiments\.paired\.section: got 'pairs', allowed is the empty"):
        config.load(raw)


@pytest.mark.parametrize("section", ["pairs", "correlated_sets", "hierarchy"])
def test_a_section_about_structure_needs_one(section: str) -> None:
    raw = _raw(section=section)
    raw["experiments"]["paired"]["structure"] = []
    with pytest.raises(ConfigError, match=r"paired\.section: got '\w+', allowed is another .*structure"):
        config.load(raw)


def test_children_are_of_saes() -> None:
    loaded = config.load(_raw(section="hierarchy"))
    assert targets.section_tables(loaded.experiments["paired"]) == ("pairs",)
    loaded = config.load(_raw(section="hierarchy", saes={"some": {"n_latents": 4}}))
    assert targets.section_tables(loaded.experiments["paired"]) == ("pairs", "children")


def test_an_unknown_section_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"experiments\.paired\.section.*geometry"):
        config.load(_raw(section="geometri"))


@pytest.mark.parametrize("section", ["geometry", "energy_levels", "vulnerability"])
def test_sections_about_fractions_of_a_dimension_need_no_structure_and_no_matching(section: str) -> None:
    raw = _raw(section=section, figures=False, n_features=12)
    raw["experiments"]["paired"]["structure"] = []
    loaded = config.load(raw)
    files = targets.all_files(loaded)
    for table in TABLES[loaded.experiments["paired"].section]:
        assert layout.experiment_table("paired", table) in files
    assert layout.experiment_table("paired", layout.MATCHING) not in files
    modules = {figure.module for figure in catalogue.figures(loaded) if figure.section == section}
    assert modules
    raw["experiments"]["paired"]["figures"] = ["matching"]
    assert layout.experiment_table("paired", layout.MATCHING) in targets.all_files(config.load(raw))


@pytest.mark.parametrize("name", ["structure", "tms"])
def test_a_papers_configuration_has_its_figures_and_nothing_of_the_rest(name: str) -> None:
    raw, loaded = configured(ROOT / "config/config.yaml", [ROOT / f"config/{name}.yaml"], {})
    specs = JobSpecs(raw, loaded, JobInputs(loaded))
    spec = json.loads(specs.paper(SimpleNamespace(paper=name), None))
    own = config.load(spec)
    assert targets.paper_figures(own, name) == targets.paper_figures(loaded, name)
    assert set(own.papers()) == set(loaded.papers())
    assert not own.playground
    assert len(own.experiments) < len(loaded.experiments)
