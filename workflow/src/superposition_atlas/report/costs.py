"""What the results cost: processor time and memory by stage, from Snakemake's benchmark files."""

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
