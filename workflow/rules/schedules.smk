"""Schedules: from the configuration to results/schedules/{experiment}/{case}.parquet, and to {experiment}.parquet.

On a cluster they are written where Snakemake runs: in less time than submitting a job takes.
"""


localrules:
    schedule,
    schedules,


rule schedule:
    """Importance and feature probability of one case, alone: what its toy models are trained on."""
    output:
        layout.case_schedules("{experiment}", "{case}"),
    log:
        layout.log("schedules/{experiment}/{case}"),
    benchmark:
        layout.benchmark("schedules/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=minutes(2),
    params:
        code=command_digest("schedules"),
        spec=SPEC_FILES.of(SPECS.case),
    shell:
        "python -m superposition_atlas schedules --experiment {wildcards.experiment} --spec -"
        " --output {output:q} 2> {log:q} < {params.spec:q}"


rule schedules:
    """Importance and feature probability of all cases of an experiment, with titles, for figures and the report."""
    output:
        layout.schedules("{experiment}"),
    log:
        layout.log("schedules/{experiment}"),
    benchmark:
        layout.benchmark("schedules/{experiment}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(500),
        runtime=minutes(2),
    params:
        code=command_digest("schedules"),
        spec=SPEC_FILES.of(SPECS.experiment),
    shell:
        "python -m superposition_atlas schedules --experiment {wildcards.experiment} --spec -"
        " --output {output:q} 2> {log:q} < {params.spec:q}"
