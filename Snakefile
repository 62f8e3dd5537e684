"""The talk, end to end: schedules -> toy models -> SAEs -> metrics -> figures and claims -> results/report.pdf.

Goes in: config/config.yaml, or what --configfile lays over it. Comes out: everything under results/.
"""

from snakemake.utils import min_version

min_version("9.21")


# No `configfile:`, which would run what a YAML file asks for in the template language YTE: files are read as data.
DEFAULT_CONFIG = "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/schedules.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/maps.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/saes.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/sections.smk"
include: "workflow/rules/playground.smk"
include: "workflow/rules/attention.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/papers.smk"
include: "workflow/rules/explorer.smk"


report: "workflow/report/workflow.rst"


onstart:
    prepare_run()


onerror:
    preflight.name_full_disk()


rule all:
    default_target: True
    input:
        ALL_FILES,


rule atlas:
    """All maps over schedules: toy models, best solutions, and the tables of what is found."""
    input:
        targets.map_files(CONFIG),


rule norms:
    input:
        targets.norm_files(CONFIG),


for part, files in PARTS.items():

    rule:
        """One experiment or map: what is trained, measured and drawn of it."""
        name:
            part
        input:
            files,
