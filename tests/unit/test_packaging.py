"""What is installed: the lists of packages agree with each other, and so do the versions of this one."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import superposition_atlas
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
PROFILES = sorted((ROOT / "profiles").glob("*/config.yaml"))

CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base", "snakemake[reports]": "snakemake"}
"""Packages that conda calls something else. bioconda's snakemake brings what [reports] does."""
FROM_PIP = {"typst"}
"""Packages that conda's channels do not have: in the pip section."""


def named(requirement: str) -> tuple[str, SpecifierSet]:
    """The name with its extras, as it is written, and the range."""
    parsed = Requirement(requirement)
    extras = f"[{','.join(sorted(parsed.extras))}]" if parsed.extras else ""
    return parsed.name + extras, parsed.specifier


def ranges(requirements: list[str]) -> dict[str, SpecifierSet]:
    found = dict(map(named, requirements))
    assert len(found) == len(requirements), "a package is listed twice"
    return found


def environment() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_the_conda_environment_has_the_same_packages_and_ranges() -> None:
    listed = environment()["dependencies"]
    (pip,) = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    conda = ranges([entry for entry in listed if isinstance(entry, str)])
    assert conda.pop("python") == SpecifierSet(PROJECT["requires-python"])
    assert conda.pop("pip") == SpecifierSet()  # or conda would warn about the pip section
    wanted = ranges(PROJECT["dependencies"])
    assert conda == {
        CONDA_NAMES.get(name, name): specifier for name, specifier in wanted.items() if name not in FROM_PIP
    }
    assert ranges(pip) == {name: specifier for name, specifier in wanted.items() if name in FROM_PIP}


def test_the_schema_for_editors_is_in_the_wheel() -> None:
    assert "config/schema.json" in PYPROJECT["tool"]["setuptools"]["package-data"]["superposition_atlas"]


def test_no_package_of_the_map_is_stale() -> None:
    assert CONDA_NAMES.keys() | FROM_PIP <= ranges(PROJECT["dependencies"]).keys()


def test_the_conda_environment_takes_community_channels_only() -> None:
    assert environment()["channels"] == ["conda-forge", "bioconda", "nodefaults"]
    assert environment()["name"] == PROJECT["name"]


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in lines)):
        requirement = Requirement(line)
        (pin,) = requirement.specifier
        assert pin.operator == "==", line
        assert not requirement.extras, line  # pip refuses extras in constraints
        name = canonicalize_name(requirement.name)
        assert name not in found, line
        found[name] = Version(pin.version)
    return found


@pytest.mark.parametrize("requirement", [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]])
def test_every_package_has_a_pin_within_its_range(requirement: str) -> None:
    parsed = Requirement(requirement)
    pinned = pins()[canonicalize_name(parsed.name)]
    assert pinned in parsed.specifier


def test_every_range_has_a_lower_end() -> None:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in (requirement for group in groups for requirement in group):
        assert any(part.operator == ">=" for part in Requirement(requirement).specifier), requirement


def test_the_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert Version(PROJECT["version"]) == Version(superposition_atlas.__version__)
    assert str(citation["version"]) == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(citation["date-released"]))


# --- profiles ----------------------------------------------------------------------------------------------

ELSEWHERE = "profiles/default, where they are explained"
"""A comment that ends so speaks for all lines of its block."""


def unexplained(text: str) -> list[str]:
    """Keys at the top that no comment directly above explains."""
    found, speaks_for_block, above = [], False, ""
    for line in text.splitlines():
        if line.startswith("#"):
            speaks_for_block = line.rstrip(".").endswith(ELSEWHERE)
        elif not line.strip():
            speaks_for_block = False
        elif not line.startswith(" ") and not (speaks_for_block or above.startswith("#")):
            found.append(line)
        above = line
    return found


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_every_setting_of_a_profile_is_explained(path: Path) -> None:
    assert unexplained(path.read_text(encoding="utf-8")) == []


def test_settings_without_a_comment_are_found() -> None:
    text = (
        f"# Why.\na: 1\nb: 2\nc:\n  # Not at the top.\n  d: 1\n\n# As in {ELSEWHERE}.\ne: 1\nf: 2\n\ng: 3\n"
    )
    assert unexplained(text) == ["b: 2", "c:", "g: 3"]


def test_the_profiles_are_those_promised() -> None:
    assert [path.parent.name for path in PROFILES] == ["default", "slurm", "slurm-gpu"]


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_profiles_hold_what_makes_rebuilds_right(path: Path) -> None:
    profile = yaml.safe_load(path.read_text(encoding="utf-8"))
    default = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    # Another profile replaces the default one, so each has to say it again.
    assert default.items() <= profile.items()
    assert profile["max-checksum-file-size"] >= 10**9
    assert "software-env" not in profile["rerun-triggers"]


def test_the_slurm_profiles_use_the_plugin_that_the_extra_installs() -> None:
    (plugin,) = map(Requirement, PROJECT["optional-dependencies"]["slurm"])
    for path in PROFILES:
        profile = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.parent.name.startswith("slurm"):
            assert plugin.name == f"snakemake-executor-plugin-{profile['executor']}"
    gpu = yaml.safe_load((ROOT / "profiles/slurm-gpu/config.yaml").read_text(encoding="utf-8"))
    assert gpu["set-resources"]["train"]["gpu"] == 1
