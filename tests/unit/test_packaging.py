"""What is installed: lists of packages agree, the wheel holds its data, and the library needs no extra."""

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import superposition_atlas
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from superposition_atlas.backends import optional_packages
from superposition_atlas.figures import catalogue
from superposition_atlas.maps.norms import PUBLISHED_NORMS

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


def extra(name: str) -> list[str]:
    """An extra's requirements, with those of the extras that it names."""
    listed: list[str] = []
    for requirement in PROJECT["optional-dependencies"][name]:
        parsed = Requirement(requirement)
        if parsed.name != PROJECT["name"]:
            listed.append(requirement)
        for other in sorted(parsed.extras) if parsed.name == PROJECT["name"] else ():
            listed += extra(other)
    return listed


ALL = [*PROJECT["dependencies"], *(each for name in PROJECT["optional-dependencies"] for each in extra(name))]
FOR_MAKE = [*PROJECT["dependencies"], *extra("workflow")]


def environment() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def test_the_conda_environment_has_the_same_packages_and_ranges() -> None:
    listed = environment()["dependencies"]
    (pip,) = [entry["pip"] for entry in listed if isinstance(entry, dict)]
    conda = ranges([entry for entry in listed if isinstance(entry, str)])
    assert conda.pop("python") == SpecifierSet(PROJECT["requires-python"])
    assert conda.pop("pip") == SpecifierSet()  # or conda would warn about the pip section
    wanted = ranges(FOR_MAKE)
    assert conda == {
        CONDA_NAMES.get(name, name): specifier for name, specifier in wanted.items() if name not in FROM_PIP
    }
    assert ranges(pip) == {name: specifier for name, specifier in wanted.items() if name in FROM_PIP}


def test_the_schema_for_editors_is_in_the_wheel() -> None:
    assert "config/schema.json" in PYPROJECT["tool"]["setuptools"]["package-data"]["superposition_atlas"]


def test_no_package_of_the_map_is_stale() -> None:
    assert CONDA_NAMES.keys() | FROM_PIP <= ranges(FOR_MAKE).keys()


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


@pytest.mark.parametrize("requirement", sorted({*FOR_MAKE, *extra("dev"), *extra("slurm")}))
def test_every_package_has_a_pin_within_its_range(requirement: str) -> None:
    parsed = Requirement(requirement)
    pinned = pins()[canonicalize_name(parsed.name)]
    assert pinned in parsed.specifier


def test_every_range_has_a_lower_end() -> None:
    for requirement in ALL:
        assert any(part.operator == ">=" for part in Requirement(requirement).specifier), requirement


def test_one_package_has_one_range() -> None:
    found: dict[str, SpecifierSet] = {}
    for requirement in ALL:
        name, specifier = named(requirement)
        assert found.setdefault(name, specifier) == specifier, name


def test_what_code_of_insides_stands_on_has_an_upper_end() -> None:
    """The fused engine writes LLVM's instructions, and the cache knows how numba keeps what it compiled."""
    core = ranges(PROJECT["dependencies"])
    for name in ("numba", "llvmlite"):
        assert any(part.operator == "<" for part in core[name]), name


# --- the library without its extras ------------------------------------------------------------------------

PACKAGE = Path(superposition_atlas.__file__).parent

WITHOUT_EXTRAS = """
import sys

MISSING = sys.argv[2:]
sys.modules |= dict.fromkeys(MISSING)  # import and find_spec then find none of them

import superposition_atlas as sa
from superposition_atlas.cli.main import main
from superposition_atlas.errors import AtlasError, TrainingError

for name in sa.__all__:
    try:
        getattr(sa, name)
    except AtlasError as error:
        print(error)
schedule = sa.schedules.Schedule([1.0, 0.9, 0.8, 0.7, 0.6], [0.9, 0.7, 0.5, 0.3, 0.1])
models = sa.train(schedule, 2, range(2), steps=2, batch_size=8)
print(models.engine, models.loss.shape)
assert main(["check-config", sys.argv[1]]) == 0
try:
    sa.train(schedule, 2, [0], steps=1, engine="torch")
except TrainingError as error:
    print(error)
try:
    sa.explore()
except AtlasError as error:
    print(error)
assert main(["figure", "--spec", "{}", "--output", "a.svg"]) == 1
"""


def test_the_library_needs_no_extra_and_names_the_one_that_a_command_lacks() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, ROOT / "config/config.yaml", *optional_packages.EXTRAS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    plot = (
        "sa.plot needs a package: matplotlib is not installed (pip install 'superposition-atlas[notebook]')"
    )
    assert ran.stdout.startswith(f"{plot}\nfused (2,)\n")
    assert (
        "engine is torch, but torch is not installed (pip install 'superposition-atlas[torch]')" in ran.stdout
    )
    assert "matplotlib is not installed (pip install 'superposition-atlas[notebook]')" in ran.stdout
    *_, last = ran.stderr.strip().splitlines()
    assert "is not installed (pip install 'superposition-atlas[workflow]')" in last


def test_each_optional_package_is_in_the_extra_that_messages_name() -> None:
    for package, name in optional_packages.EXTRAS.items():
        assert package in {Requirement(requirement).name for requirement in extra(name)}, package
    assert not optional_packages.EXTRAS.keys() & ranges(PROJECT["dependencies"]).keys()
    covered = {Requirement(requirement).name for name in ("workflow", "gpu") for requirement in extra(name)}
    assert covered <= optional_packages.EXTRAS.keys()


def test_the_wheel_holds_every_file_of_the_package() -> None:
    (patterns,) = PYPROJECT["tool"]["setuptools"]["package-data"].values()
    for path in PACKAGE.rglob("*"):
        name = path.relative_to(PACKAGE).as_posix()
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            assert any(fnmatch(name, pattern) for pattern in patterns), name
    assert (PACKAGE / "explorer/page/index.html").is_file()
    assert (PACKAGE / "config/schema.json").is_file()
    assert PUBLISHED_NORMS.is_relative_to(PACKAGE)
    assert PUBLISHED_NORMS == ROOT / catalogue.PUBLISHED_NORMS


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout of git")
def test_nothing_that_git_ignores_is_tracked() -> None:
    """A tracked link named .venv would replace the environment of whoever merges it."""
    listed = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    ran = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {"/.venv", "/.snakemake", "/results"} <= set(ignored)  # without a slash at the end: links too


# --- continuous integration and hooks ----------------------------------------------------------------------


def test_continuous_integration_runs_the_one_script_on_pythons_that_are_allowed() -> None:
    job = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]["test"]
    pythons = job["strategy"]["matrix"]["python"]
    assert len(pythons) >= 2
    assert all(Version(python) in SpecifierSet(PROJECT["requires-python"]) for python in pythons)
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o100


def test_hooks_format_as_make_does() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    formatting = makefile.partition("\nformat:")[2].partition("\n\n")[0]
    assert local["repo"] == "local"  # versions stand in constraints.txt alone
    for hook in local["hooks"]:
        assert f"\n\t{hook['entry']}" in formatting


def test_the_workflow_catalog_is_told_what_is_true() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    stack = usage["software-stack-deployment"]
    rules = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk")]
    assert stack["conda"] == any("conda:" in rule for rule in rules)
    assert stack["apptainer"] == any("container:" in rule for rule in rules)


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
    _, plugin = map(Requirement, PROJECT["optional-dependencies"]["slurm"])
    for path in PROFILES:
        profile = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.parent.name.startswith("slurm"):
            assert plugin.name == f"snakemake-executor-plugin-{profile['executor']}"
    gpu = yaml.safe_load((ROOT / "profiles/slurm-gpu/config.yaml").read_text(encoding="utf-8"))
    assert gpu["set-resources"]["train"]["gpu"] == 1
