"""Slide 4: from the configuration's playground to results/playground/{table}.parquet."""


rule playground:
    """All networks of the playground in one job: most are trained in less time than it takes to start one."""
    output:
        runs=catalogue.playground_table("runs"),
        curves=catalogue.playground_table("curves"),
        points=catalogue.playground_table("points"),
        units=catalogue.playground_table("units"),
        weights=catalogue.playground_table("weights"),
    log:
        "results/logs/playground.log",
    benchmark:
        "results/benchmarks/playground.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=playground_minutes,
    params:
        code=command_digest("playground"),
        spec=playground_json,
    shell:
        "python -m superposition_atlas playground --spec - --output-runs {output.runs:q}"
        " --output-curves {output.curves:q} --output-points {output.points:q} --output-units {output.units:q}"
        " --output-weights {output.weights:q} 2> {log:q} <<< {params.spec:q}"
