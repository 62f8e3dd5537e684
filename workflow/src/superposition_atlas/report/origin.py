"""Origin of the results: code digests, package versions, the machine, and the time of each stage."""

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from superposition_atlas.errors import ArtefactError

# The order of the chain; what it doesn't name comes after it.
_STAGES = (
    "schedules",
    "train",
    "saes",
    "features",
    "recovery",
    "collect",
    "losses",
    "claims",
    "map_points",
    "map_weights",
    "map_solutions",
    "map_measures",
    "answer",
    "attention",
    "pivot_tables",
    "playground",
    "figures",
)
_REPORTS = ("report", "report_zip")
_OF_THE_REPORT = ("snakemake", "matplotlib", "seaborn", "typst")


def made_by(provenances: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Digests of the code by kind of artefact; more than one a kind where code changed between cases."""
    rows = []
    for kind, several in provenances.items():
        codes = [provenance["code"] for provenance in several]
        if codes:
            rows.append({"kind": kind, "n_files": len(codes), "codes": sorted(set(codes))})
    return rows


def versions(provenances: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Versions of packages as the artefacts carry them, and of those that only draw and set the report."""
    found: dict[str, set[str]] = {}
    for provenance in provenances:
        for package, number in provenance["versions"].items():
            found.setdefault(package, set()).add(number)
    for package in _OF_THE_REPORT:
        try:
            found.setdefault(package, {version(package)})
        except PackageNotFoundError:  # snakemake is not needed to call the command by hand
            continue
    return [{"package": package, "versions": sorted(numbers)} for package, numbers in sorted(found.items())]


def machine() -> dict[str, Any]:
    """The machine that sets the report; with the default profile it is the one that made everything."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "n_cpus": os.cpu_count() or 1,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    names = [
        value.strip() for key, _, value in (line.partition(":") for line in lines) if "model name" in key
    ]
    return names[0] if names else platform.processor()


def stages(benchmarks: Path) -> list[dict[str, Any]]:
    """Seconds, CPU seconds and largest memory by stage, summed over Snakemake's benchmark files.

    The reports' own time is left out: it is not known while this one is made.

    Raises:
        ArtefactError: if a benchmark file is damaged.
    """
    found: dict[str, list[pd.DataFrame]] = {}
    for path in sorted(benchmarks.rglob("*.tsv")) if benchmarks.is_dir() else ():
        stage = path.relative_to(benchmarks).with_suffix("").parts[0]
        if stage not in _REPORTS:
            found.setdefault(stage, []).append(_benchmark(path))
    order = [*(stage for stage in _STAGES if stage in found), *sorted(set(found) - set(_STAGES))]
    rows = []
    for stage in order:
        table = pd.concat(found[stage], ignore_index=True)
        rows.append(
            {
                "stage": stage,
                "n_jobs": len(found[stage]),
                "seconds": float(table["s"].sum()),
                "cpu_seconds": float(table["cpu_time"].sum()),
                "max_rss_mb": float(table["max_rss"].max(skipna=True)) if table["max_rss"].any() else None,
            }
        )
    return rows


def _benchmark(path: Path) -> pd.DataFrame:
    try:
        # Jobs too short to be measured have "-" or "NA" in all but the seconds.
        table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        return table[["s", "cpu_time", "max_rss"]].astype(float)
    except (OSError, ValueError, KeyError) as error:
        raise ArtefactError(f"{path}: not a benchmark of Snakemake's ({error})") from None
