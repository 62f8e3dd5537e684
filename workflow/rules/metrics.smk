"""Metrics: from models and SAEs to results/metrics/{experiment}/{table}.parquet, and on to results/claims.parquet.

Each case is measured by itself, so that a change in one leaves the others' figures alone.
"""


# On a cluster too: joining takes less time than submitting a job does.
localrules:
    collect,


rule features:
    """What the toy models of one case represent."""
    input:
        models="results/models/{experiment}/{case}.safetensors",
    output:
        models="results/metrics/{experiment}/cases/{case}/models.parquet",
        features="results/metrics/{experiment}/cases/{case}/features.parquet",
    log:
        "results/logs/features/{experiment}/{case}.log",
    benchmark:
        "results/benchmarks/features/{experiment}/{case}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=ensemble_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("features"),
        shown_seeds=lookup("{experiment}", within=SHOWN_SEEDS),
    shell:
        "python -m superposition_atlas features --models {input.models:q} --case {wildcards.case:q}"
        " --shown-seeds {params.shown_seeds} --output-models {output.models:q}"
        " --output-features {output.features:q} 2> {log:q}"


rule recovery:
    """What the SAEs of one case recover of its features."""
    input:
        models="results/models/{experiment}/{case}.safetensors",
        saes=saes_of_case,
    output:
        saes="results/metrics/{experiment}/cases/{case}/saes.parquet",
        latents="results/metrics/{experiment}/cases/{case}/latents.parquet",
        recovered="results/metrics/{experiment}/cases/{case}/recovered.parquet",
        history="results/metrics/{experiment}/cases/{case}/history.parquet",
        polysemanticity="results/metrics/{experiment}/cases/{case}/polysemanticity.parquet",
    log:
        "results/logs/recovery/{experiment}/{case}.log",
    benchmark:
        "results/benchmarks/recovery/{experiment}/{case}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=ensemble_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("recovery"),
        shown_seeds=lookup("{experiment}", within=SHOWN_SEEDS),
    shell:
        "python -m superposition_atlas recovery --models {input.models:q} --saes {input.saes:q} --case {wildcards.case:q}"
        " --shown-seeds {params.shown_seeds} --output-saes {output.saes:q}"
        " --output-latents {output.latents:q} --output-recovered {output.recovered:q}"
        " --output-history {output.history:q} --output-polysemanticity {output.polysemanticity:q} 2> {log:q}"


rule collect:
    """One table of an experiment, all cases together."""
    input:
        tables_of_cases,
    output:
        "results/metrics/{experiment}/{table}.parquet",
    log:
        "results/logs/collect/{experiment}/{table}.log",
    benchmark:
        "results/benchmarks/collect/{experiment}/{table}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        code=command_digest("collect"),
    shell:
        "python -m superposition_atlas collect --tables {input:q} --output {output:q} 2> {log:q}"


rule losses:
    """Exact losses of an experiment's toy models, beside the best solutions for their schedules."""
    input:
        models_of_experiment,
    output:
        losses="results/metrics/{experiment}/losses.parquet",
        solutions="results/metrics/{experiment}/solutions.parquet",
    log:
        "results/logs/losses/{experiment}.log",
    benchmark:
        "results/benchmarks/losses/{experiment}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=losses_minutes,
    params:
        code=command_digest("losses"),
        shown_seeds=lookup("{experiment}", within=SHOWN_SEEDS),
    shell:
        "python -m superposition_atlas losses --models {input:q} --shown-seeds {params.shown_seeds}"
        " --output-losses {output.losses:q} --output-solutions {output.solutions:q} 2> {log:q}"


rule claims:
    """Every observation of the talk, tested on every experiment."""
    input:
        schedules=[catalogue.schedules(name) for name in TESTED],
        features=tested_tables("features"),
    output:
        catalogue.CLAIMS,
    log:
        "results/logs/claims.log",
    benchmark:
        "results/benchmarks/claims.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(5),
    params:
        code=command_digest("claims"),
    shell:
        "python -m superposition_atlas claims --schedules {input.schedules:q} --features {input.features:q}"
        " --output {output:q} 2> {log:q}"


rule answer:
    """The talk's observations judged by the atlas: facts about representation, training, or one schedule?"""
    input:
        claims=catalogue.CLAIMS,
        points=catalogue.map_table("atlas", "points"),
        features=catalogue.map_table("atlas", "features"),
        solutions=JUDGED,
    output:
        answer=catalogue.ANSWER,
        effects=catalogue.EFFECTS,
    log:
        "results/logs/answer.log",
    benchmark:
        "results/benchmarks/answer.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=minutes(5),
    params:
        code=command_digest("answer"),
        variant=MAPS["atlas"].main_variant if "atlas" in MAPS else "",
    shell:
        "python -m superposition_atlas answer --claims {input.claims:q} --points {input.points:q}"
        " --features {input.features:q} --variant {params.variant:q} --solutions {input.solutions:q}"
        " --output-answer {output.answer:q} --output-effects {output.effects:q} 2> {log:q}"
