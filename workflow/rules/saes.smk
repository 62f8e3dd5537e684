"""SAEs: from a case's toy models to results/saes/{experiment}/{case}/{sae}.safetensors."""


rule saes:
    """SAEs on the toy models of a case that the configuration names: one for each, and for each λ or k."""
    input:
        models=layout.models("{experiment}", "{case}"),
        source=INPUTS.sae_source,
    output:
        layout.saes("{experiment}", "{case}", "{sae}"),
    log:
        layout.log("saes/{experiment}/{case}/{sae}"),
    benchmark:
        layout.benchmark("saes/{experiment}/{case}/{sae}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1  # several at a time: starting takes as long as training many of them
    resources:
        mem_mb=megabytes(2000),
        runtime=RESOURCES.sae_minutes,
    params:
        code=command_digest("saes"),
        spec=SPEC_FILES.of(SPECS.sae),
        checkpoint=layout.store("saes/{experiment}/{case}/{sae}.safetensors"),
    shell:
        "python -m superposition_atlas saes --models {input.models:q} --spec - --threads {threads}"
        " --checkpoint {params.checkpoint:q} --output {output:q} 2> {log:q} < {params.spec:q}"
