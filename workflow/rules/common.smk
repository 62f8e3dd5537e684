"""The plan of a run, made once: all rules ask it. Whatever is wrong ends the run with one line."""

import os
import sys
from pathlib import Path

from snakemake import benchmark as snakemake_benchmark

from superposition_atlas.errors import AtlasError
from superposition_atlas.plan import adoption, braces, forks, parts, preflight, targets
from superposition_atlas.plan.inputs import JobInputs
from superposition_atlas.plan.layers import configured, one_of
from superposition_atlas.plan.priorities import JobPriorities
from superposition_atlas.plan.rate_limit import lift_rate_limit
from superposition_atlas.plan.resources import JobResources, megabytes, minutes
from superposition_atlas.plan.spec_files import SpecFiles
from superposition_atlas.plan.specs import JobSpecs, command_digest
from superposition_atlas.storage import layout

# Everything here is shared with Snakemake itself: a class called Resources would replace its own.
ROOT = Path(workflow.basedir)
preflight.name_checkout(ROOT)
# With --directory, the checkout is not the working directory.
AS_SEEN_FROM_HERE = os.path.relpath(ROOT)

# Six attributes of `workflow` have no other way: which values --config gave (Snakemake's merged `config` does not
# tell), the files of --configfile, whether this process is the run itself or one of its jobs, whether jobs go to a
# cluster, how many cores they share, and the scheduler.
try:
    preflight.check_checkout(ROOT)
    RAW, CONFIG = configured(
        ROOT / DEFAULT_CONFIG,
        workflow.configfiles,
        workflow.config_settings.config or {},
    )
    ALL_FILES = targets.all_files(CONFIG)
    PARTS = parts.files_by_name(CONFIG)
    if workflow.is_main_process:
        preflight.refuse_damaged(ALL_FILES)
        adoption.require_records(ALL_FILES, Path(".snakemake"), RAW)
except AtlasError as error:
    sys.exit(f"error: {error}")

INPUTS = JobInputs(CONFIG, AS_SEEN_FROM_HERE)
SPECS = JobSpecs(RAW, CONFIG, INPUTS)
SPEC_FILES = SpecFiles(has_started=not workflow.is_main_process)
# A job on a cluster has cores of its own, and there Snakemake counts those of the node.
CORES = None if workflow.remote_exec else workflow.resource_settings.cores
RESOURCES = JobResources(CONFIG, SPECS, CORES)
PRIORITIES = JobPriorities(INPUTS)
FIGURES = INPUTS.figures
WHOLE = [name for name, own in CONFIG.experiments.items() if own.shards == 1]
CUT = [name for name in CONFIG.experiments if name not in WHOLE]


wildcard_constraints:
    experiment=one_of(CONFIG.experiments),
    case="[A-Za-z][A-Za-z0-9_-]*",
    sae="[A-Za-z][A-Za-z0-9_-]*",
    table=one_of(layout.JOINED_TABLES),
    figure=one_of(FIGURES),
    map=one_of(CONFIG.maps),
    shard="[0-9]+",


def prepare_run():
    """Nothing is written before this: a dry run leaves everything as it is."""
    try:
        preflight.hold_folder()
        preflight.note_memory(Path(".snakemake"))
        preflight.check_disk()
        SPEC_FILES.write()
    except AtlasError as error:
        sys.exit(f"error: {error}")
    if workflow.local_exec:
        lift_rate_limit(workflow.scheduler)
        if fork_server := forks.start_fork_server():
            forks.count_forks(snakemake_benchmark, fork_server)
    preflight.date_back([*ALL_FILES, *preflight.sources(ROOT)])
