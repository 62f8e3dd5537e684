"""The explorer: results/explorer.html, one page that needs no network, from the configuration and the atlas."""

from superposition_atlas.explorer.inputs import (
    explorer_inputs,
    explorer_patterns,
    explorer_spec,
)

EXPLORER = explorer_inputs(CONFIG)


def explorer_pattern(role):
    # A function: Snakemake takes braces in plain params for wildcards.
    def pattern(wildcards):
        return explorer_patterns(CONFIG)[role]

    return pattern


def explorer_json(wildcards):
    return explorer_spec(CONFIG)


rule explorer:
    """Presets, the atlas with its stored toy models, and the page's program, in one file."""
    input:
        points=EXPLORER["points"],
        schedules=EXPLORER["schedules"],
        weights=EXPLORER["weights"],
        solutions=EXPLORER["solutions"],
        page=EXPLORER["page"],
    output:
        layout.explorer(),
    log:
        layout.log("explorer"),
    benchmark:
        layout.benchmark("explorer")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1500),
        runtime=minutes(5),
    params:
        code=command_digest("explorer"),
        spec=explorer_json,
        schedules=explorer_pattern("schedules"),
        weights=explorer_pattern("weights"),
        solutions=explorer_pattern("solutions"),
    shell:
        "python -m superposition_atlas explorer --spec - --points {input.points:q}"
        " --schedules {params.schedules} --weights {params.weights} --solutions {params.solutions}"
        " --output {output:q} 2> {log:q} <<< {params.spec:q}"
