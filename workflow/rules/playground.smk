"""Slide 4: from the configuration's playground to results/playground/{table}.parquet."""


rule playground:
    """All networks of the playground in one job: most are trained in less time than it takes to start one."""
    output:
        runs=layout.playground_table("runs"),
        curves=layout.playground_table("curves"),
        points=layout.playground_table("points"),
        units=layout.playground_table("units"),
        weights=layout.playground_table("weights"),
    log:
        layout.log("playground"),
    benchmark:
        layout.benchmark("playground")
    priority: 2
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=RESOURCES.playground_minutes,
    params:
        code=command_digest("playground"),
        spec=SPEC_FILES.of(SPECS.playground),
    shell:
        "python -m superposition_atlas playground --spec - --output-runs {output.runs:q}"
        " --output-curves {output.curves:q} --output-points {output.points:q} --output-units {output.units:q}"
        " --output-weights {output.weights:q} 2> {log:q} < {params.spec:q}"
