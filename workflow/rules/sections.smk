"""What sections of the further papers measure, to results/metrics/{experiment}/cases/{case}/{table}.parquet.

Which experiments have which tables is said in config/sections.py.
"""


rule pairs:
    """How dependent features lie in the toy models of one case, in the best solution and the matching."""
    input:
        models=layout.models("{experiment}", "{case}"),
        like=INPUTS.structured_models,
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
        runtime=minutes(10),
    params:
        code=command_digest("pairs"),
    shell:
        "python -m superposition_atlas pairs --models {input.models:q} --like {input.like:q}"
        " --case {wildcards.case:q} --output {output:q} 2> {log:q}"


rule sets:
    """How sets of correlated features lie in the toy models of one case, at each recorded step."""
    input:
        models=layout.models("{experiment}", "{case}"),
        like=INPUTS.structured_models,
    output:
        layout.case_table("{experiment}", "{case}", "sets"),
    log:
        layout.log("sets/{experiment}/{case}"),
    benchmark:
        layout.benchmark("sets/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("sets"),
    shell:
        "python -m superposition_atlas sets --models {input.models:q} --like {input.like:q}"
        " --case {wildcards.case:q} --output {output:q} 2> {log:q}"


rule children:
    """What the SAEs of one case make of children and their parents."""
    input:
        models=layout.models("{experiment}", "{case}"),
        like=INPUTS.structured_models,
        saes=INPUTS.saes_of_case,
    output:
        layout.case_table("{experiment}", "{case}", "children"),
    log:
        layout.log("children/{experiment}/{case}"),
    benchmark:
        layout.benchmark("children/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(10),
    params:
        code=command_digest("children"),
        saes=braces.input_in_braces("saes"),
    shell:
        "python -m superposition_atlas children --models {input.models:q} --like {input.like:q}"
        " --saes {params.saes} --case {wildcards.case:q} --output {output:q} 2> {log:q}"


rule polytopes:
    """Fractions of a dimension and polytopes in the toy models of one case, and what chance gives."""
    input:
        models=layout.models("{experiment}", "{case}"),
    output:
        polytopes=layout.case_table("{experiment}", "{case}", "polytopes"),
        fractions=layout.case_table("{experiment}", "{case}", "fractions"),
    log:
        layout.log("polytopes/{experiment}/{case}"),
    benchmark:
        layout.benchmark("polytopes/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("polytopes"),
    shell:
        "python -m superposition_atlas polytopes --models {input.models:q} --case {wildcards.case:q}"
        " --polytopes {output.polytopes:q} --fractions {output.fractions:q} 2> {log:q}"


rule jumps:
    """Jumps of the features' fractions of a dimension while the toy models of one case were trained."""
    input:
        models=layout.models("{experiment}", "{case}"),
    output:
        jumps=layout.case_table("{experiment}", "{case}", "jumps"),
        learning=layout.case_table("{experiment}", "{case}", "learning"),
        jump_rates=layout.case_table("{experiment}", "{case}", "jump_rates"),
    log:
        layout.log("jumps/{experiment}/{case}"),
    benchmark:
        layout.benchmark("jumps/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("jumps"),
    shell:
        "python -m superposition_atlas jumps --models {input.models:q} --case {wildcards.case:q}"
        " --jumps {output.jumps:q} --learning {output.learning:q} --jump-rates {output.jump_rates:q} 2> {log:q}"


rule attacks:
    """What adversarial attacks do to the toy models of one case."""
    input:
        models=layout.models("{experiment}", "{case}"),
    output:
        attacks=layout.case_table("{experiment}", "{case}", "attacks"),
    log:
        layout.log("attacks/{experiment}/{case}"),
    benchmark:
        layout.benchmark("attacks/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(10),
    params:
        code=command_digest("attacks"),
    shell:
        "python -m superposition_atlas attacks --models {input.models:q} --case {wildcards.case:q}"
        " --attacks {output.attacks:q} 2> {log:q}"


rule neurons:
    """What the neurons of one case's toy models represent, and which toy model is kept."""
    input:
        models=layout.models("{experiment}", "{case}"),
    output:
        models=layout.case_table("{experiment}", "{case}", "neuron_models"),
        neurons=layout.case_table("{experiment}", "{case}", "neurons"),
        features=layout.case_table("{experiment}", "{case}", "neuron_features"),
    log:
        layout.log("neurons/{experiment}/{case}"),
    benchmark:
        layout.benchmark("neurons/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(10),
    params:
        code=command_digest("neurons"),
    shell:
        "python -m superposition_atlas neurons --models {input.models:q} --case {wildcards.case:q}"
        " --output-models {output.models:q} --output-neurons {output.neurons:q}"
        " --output-features {output.features:q} 2> {log:q}"


rule motifs:
    """Neurons of one case's toy models that represent two features, and how."""
    input:
        models=layout.models("{experiment}", "{case}"),
    output:
        layout.case_table("{experiment}", "{case}", "motifs"),
    log:
        layout.log("motifs/{experiment}/{case}"),
    benchmark:
        layout.benchmark("motifs/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("motifs"),
    shell:
        "python -m superposition_atlas motifs --models {input.models:q} --case {wildcards.case:q}"
        " --output {output:q} 2> {log:q}"
