"""Schedules: from the configuration to results/schedules/{experiment}.parquet."""


rule schedules:
    """Importance and feature probability of every case of an experiment."""
    output:
        "results/schedules/{experiment}.parquet",
    log:
        "results/logs/schedules/{experiment}.log",
    benchmark:
        "results/benchmarks/schedules/{experiment}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=2,
    params:
        code=command_digest("schedules"),
        spec=experiment_json,
    shell:
        COMMAND
        + " schedules --experiment {wildcards.experiment} --spec {params.spec:q}"
        " --output {output:q} 2> {log:q}"
