"""What sections of the further papers measure, to results/metrics/{experiment}/cases/{case}/{table}.parquet.

Which experiments have which tables is said in config/sections.py.
"""


rule pairs:
    """How features that depend on one another lie in the toy models of one case."""
    input:
        models=layout.models("{experiment}", "{case}"),
    output:
        layout.case_table("{experiment}", "{case}", "pairs"),
    log:
        layout.log("pairs/{experiment}/{case}"),
    benchmark:
        layout.benchmark("pairs/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("pairs"),
    shell:
        "python -m superposition_atlas pairs --models {input.models:q} --case {wildcards.case:q}"
        " --output {output:q} 2> {log:q}"
