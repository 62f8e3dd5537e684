"""Results without Snakemake's records: refused, or adopted if they are of this configuration and this code.

Snakemake compares a job with its record, and leaves a file without record alone whatever changes. So results
that come without records must be given them. `snakemake --touch --forceall` gives them to all that exists,
unseen; it is let through only if what the files carry fits.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from superposition_atlas.errors import ArtefactError
from superposition_atlas.storage import layout
from superposition_atlas.storage.carried import carried_provenance, code_of_here

_TOUCH = frozenset({"--touch", "-t"})
RECORDS_ELSEWHERE = "superposition_atlas.records_elsewhere"


def require_records(paths: Iterable[str], memory: Path, configuration: Mapping[str, Any]) -> None:
    """`check_unrecorded` with the words of this process; prints what it returns.

    Raises:
        ArtefactError: as there.
    """
    if said := check_unrecorded(paths, memory, configuration, sys.argv):
        print(said, file=sys.stderr)


def check_unrecorded(
    paths: Iterable[str], memory: Path, configuration: Mapping[str, Any], command: Iterable[str] = ()
) -> str:
    """Refuses results that may be of another configuration, since Snakemake has no record of any job.

    Args:
        paths: of results.
        memory: Snakemake's folder.
        configuration: as it is written, all layers together.
        command: words of the command line; `--touch` asks to adopt the results.

    Returns:
        A line to print if results are adopted, else nothing.

    Raises:
        ArtefactError: if some of them exist and `memory` has no record of any job, done or begun; or if they
            can't be adopted, with the first file that does not fit.
    """
    existing = sorted(path for path in paths if Path(path).is_file())
    if not existing or _remembers(memory):
        return ""
    if _TOUCH & set(command):
        _check_fit(existing, configuration)
        return (
            f"{len(existing)} files of {layout.RESULTS}/ are of this configuration and this code: with "
            "--forceall they are recorded as done"
        )
    others = f" and {len(existing) - 1} other files exist" if existing[1:] else " exists"
    raise ArtefactError(
        f"{existing[0]}{others}, but {memory}/ does not say which configuration made them; restore "
        f"{memory}/; or have them checked and taken as they are: snakemake --cores 1 --touch --forceall all "
        "(with the --configfile of the run); or delete all of results/ but checkpoints/ (training is kept "
        "there) and run the same command again"
    )


def _remembers(memory: Path) -> bool:
    """Whether there is a record of any job, as files, in Snakemake's database, or in a database elsewhere."""
    records = (record for name in ("metadata", "incomplete") for record in (memory / name).rglob("*"))
    elsewhere = (memory / "metadata.db", memory / RECORDS_ELSEWHERE)
    return next(records, None) is not None or any(path.is_file() for path in elsewhere)


def _check_fit(paths: Iterable[str], configuration: Mapping[str, Any]) -> None:
    """Compares the configuration with the report's, and the code of each file with this checkout's."""
    report = Path(layout.report_numbers())
    if not report.is_file():
        raise ArtefactError(f"{report}: is missing; only it says which configuration made these results")
    if carried_provenance(report).get("spec") != json.loads(json.dumps(configuration)):
        raise ArtefactError(f"{report}: is of another configuration; give the --configfile of that run")
    for path in paths:
        place = layout.identify(path)
        if place is None or place.command is None:
            continue
        provenance = carried_provenance(Path(os.path.normpath(path)))
        if provenance.get("code") != code_of_here(place.command, provenance.get("spec", {})):
            raise ArtefactError(
                f"{path}: was made by other code than that of this checkout; check out that of the run, or "
                "delete the file"
            )
