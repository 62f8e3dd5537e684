"""The explorer: results/explorer.html, one page that needs no network, from the configuration and the atlas."""


rule explorer:
    """Presets, the atlas with its stored toy models, and the page's program, in one file."""
    input:
        **INPUTS.explorer(),
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
        spec=SPEC_FILES.of(SPECS.explorer),
        schedules=SPECS.explorer_schedules,
        weights=SPECS.explorer_weights,
        solutions=SPECS.explorer_solutions,
    shell:
        "python -m superposition_atlas explorer --spec - --points {input.points:q}"
        " --schedules {params.schedules} --weights {params.weights} --solutions {params.solutions}"
        " --output {output:q} 2> {log:q} < {params.spec:q}"
