"""Attention, slide 3: from the configuration to results/attention/{setting}/*.safetensors, and on to its tables.

Each setting has its toy models, an SAE on each of them, and for each number of heads a layer of attention.
"""


rule attention:
    """Everything that is trained for slide 3, in one job: starting takes longer than training one setting."""
    output:
        targets.attention_weights(CONFIG),
    log:
        layout.log("attention"),
    benchmark:
        layout.benchmark("attention")
    priority: 2
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=RESOURCES.attention_minutes,
    params:
        code=command_digest("attention"),
        spec=SPEC_FILES.of(SPECS.attention),
        folder=INPUTS.attention_folder,
    shell:
        "python -m superposition_atlas attention --spec - --threads {threads}"
        " --folder {params.folder:q} 2> {log:q} < {params.spec:q}"


rule pivot_tables:
    """The cells of every table, and what they show of the planted rule."""
    input:
        targets.attention_weights(CONFIG),
    output:
        cells=layout.attention_table("cells"),
        outputs=layout.attention_table("outputs"),
        rules=layout.attention_table("rules"),
        models=layout.attention_table("models"),
    log:
        layout.log("pivot_tables"),
    benchmark:
        layout.benchmark("pivot_tables")
    priority: 2
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(5),
    params:
        code=command_digest("pivot_tables"),
        heads=SPECS.attention_heads,
        folder=INPUTS.attention_folder,
    shell:
        "python -m superposition_atlas pivot-tables --heads {params.heads:q} --folder {params.folder:q}"
        " --output-cells {output.cells:q} --output-outputs {output.outputs:q} --output-rules {output.rules:q}"
        " --output-models {output.models:q} 2> {log:q}"
