"""Metrics: from models and SAEs to results/metrics/{experiment}/{table}.parquet, and on to results/claims.parquet.

Each case is measured by itself, so that a change in one leaves the others' figures alone.
"""


# On a cluster too: joining takes less time than submitting a job does.
localrules:
    collect,


rule features:
    """What the toy models of one case represent."""
    input:
        models=layout.models("{experiment}", "{case}"),
    output:
        models=layout.case_table("{experiment}", "{case}", "models"),
        features=layout.case_table("{experiment}", "{case}", "features"),
    log:
        layout.log("features/{experiment}/{case}"),
    benchmark:
        layout.benchmark("features/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("features"),
        shown_seeds=SPECS.shown_seeds,
    shell:
        "python -m superposition_atlas features --models {input.models:q} --case {wildcards.case:q}"
        " --shown-seeds {params.shown_seeds} --output-models {output.models:q}"
        " --output-features {output.features:q} 2> {log:q}"


rule recovery:
    """What the SAEs of one case recover of its features."""
    input:
        models=layout.models("{experiment}", "{case}"),
        saes=INPUTS.saes_of_case,
    output:
        saes=layout.case_table("{experiment}", "{case}", "saes"),
        latents=layout.case_table("{experiment}", "{case}", "latents"),
        recovered=layout.case_table("{experiment}", "{case}", "recovered"),
        history=layout.case_table("{experiment}", "{case}", "history"),
        polysemanticity=layout.case_table("{experiment}", "{case}", "polysemanticity"),
    log:
        layout.log("recovery/{experiment}/{case}"),
    benchmark:
        layout.benchmark("recovery/{experiment}/{case}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("recovery"),
        saes=braces.input_in_braces("saes"),
        shown_seeds=SPECS.shown_seeds,
    shell:
        "python -m superposition_atlas recovery --models {input.models:q} --saes {params.saes} --case {wildcards.case:q}"
        " --shown-seeds {params.shown_seeds} --output-saes {output.saes:q}"
        " --output-latents {output.latents:q} --output-recovered {output.recovered:q}"
        " --output-history {output.history:q} --output-polysemanticity {output.polysemanticity:q} 2> {log:q}"


rule collect:
    """One table of an experiment, all cases together."""
    input:
        INPUTS.tables_of_cases,
    output:
        layout.experiment_table("{experiment}", "{table}"),
    log:
        layout.log("collect/{experiment}/{table}"),
    benchmark:
        layout.benchmark("collect/{experiment}/{table}")
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        code=command_digest("collect"),
        tables=braces.input_in_braces(),
    shell:
        "python -m superposition_atlas collect --tables {params.tables} --output {output:q} 2> {log:q}"


rule compare_saes:
    """SAEs on the same toy models: levels chosen on half of them, contrasts on the other half."""
    input:
        layout.experiment_table("{experiment}", "saes"),
    output:
        levels=layout.experiment_table("{experiment}", "sae_levels"),
        contrasts=layout.experiment_table("{experiment}", "sae_contrasts"),
    log:
        layout.log("compare_saes/{experiment}"),
    benchmark:
        layout.benchmark("compare_saes/{experiment}")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        code=command_digest("compare_saes"),
    shell:
        "python -m superposition_atlas compare-saes --saes {input:q} --output-levels {output.levels:q}"
        " --output-contrasts {output.contrasts:q} 2> {log:q}"


rule losses:
    """Exact losses of an experiment's toy models, beside the best solutions for their schedules."""
    input:
        INPUTS.models_of_experiment,
    output:
        losses=layout.experiment_table("{experiment}", "losses"),
        solutions=layout.experiment_table("{experiment}", "solutions"),
    log:
        layout.log("losses/{experiment}"),
    benchmark:
        layout.benchmark("losses/{experiment}")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=RESOURCES.losses_minutes,
    params:
        code=command_digest("losses"),
        models=braces.input_in_braces(),
        shown_seeds=SPECS.shown_seeds,
    shell:
        "python -m superposition_atlas losses --models {params.models} --shown-seeds {params.shown_seeds}"
        " --output-losses {output.losses:q} --output-solutions {output.solutions:q} 2> {log:q}"


rule claims:
    """Every observation of the talk, tested on every experiment."""
    input:
        schedules=INPUTS.tested_schedules(),
        features=INPUTS.tested_features(),
    output:
        layout.claims(),
    log:
        layout.log("claims"),
    benchmark:
        layout.benchmark("claims")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(5),
    params:
        code=command_digest("claims"),
        schedules=braces.input_in_braces("schedules"),
        features=braces.input_in_braces("features"),
    shell:
        "python -m superposition_atlas claims --schedules {params.schedules} --features {params.features}"
        " --output {output:q} 2> {log:q}"


rule answer:
    """The talk's observations over schedules: on the atlas's grid, and on random schedules."""
    input:
        claims=layout.claims(),
        points=targets.judging_table(CONFIG, "points"),
        models=targets.judging_table(CONFIG, "models"),
        features=targets.judging_table(CONFIG, "features"),
        solutions=[
            layout.experiment_table(name, "solutions")
            for name in targets.judged(CONFIG)
        ],
        random=targets.general_tables(CONFIG),
    output:
        answer=layout.answer(),
        effects=layout.effects(),
    log:
        layout.log("answer"),
    benchmark:
        layout.benchmark("answer")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(5),
    params:
        code=command_digest("answer"),
        solutions=braces.input_in_braces("solutions"),
        random=braces.input_in_braces("random"),
        primary=targets.primary(CONFIG),
        variant=SPECS.atlas_variant(),
        random_variant=SPECS.general_variant(),
    shell:
        "python -m superposition_atlas answer --claims {input.claims:q} --primary {params.primary:q}"
        " --solutions {params.solutions} --points {input.points:q} --models {input.models:q}"
        " --features {input.features:q} --variant {params.variant:q}"
        " --random {params.random} --random-variant={params.random_variant:q}"
        " --output-answer {output.answer:q} --output-effects {output.effects:q} 2> {log:q}"
