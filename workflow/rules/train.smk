"""Training: from a case's schedule to results/models/{experiment}/{case}.safetensors.

Where there are many seeds they are cut into shards: results/models/{experiment}/{case}/shard={shard}.safetensors.
"""


rule train:
    """All seeds of one case, trained as one ensemble, but for those that a former run has trained already."""
    input:
        schedule=layout.case_schedules("{experiment}", "{case}"),
    output:
        layout.models("{experiment}", "{case}"),
    log:
        layout.log("train/{experiment}/{case}"),
    benchmark:
        layout.benchmark("train/{experiment}/{case}")
    wildcard_constraints:
        experiment=one_of(WHOLE),
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: RESOURCES.train_threads
    resources:
        mem_mb=RESOURCES.train_megabytes,
        runtime=RESOURCES.train_minutes,
        gpu=RESOURCES.gpus,
        twin=RESOURCES.twins,
    params:
        code=command_digest("train"),
        engine=CONFIG.engine,
        device=CONFIG.device,
        # No outputs: Snakemake would remove them when a job fails, or runs again.
        store=layout.store("experiments/{experiment}/{case}"),
        checkpoint=layout.store("experiments/{experiment}/{case}.safetensors"),
        elsewhere=SPECS.stores_of_same,
        part="",
    shell:
        "python -m superposition_atlas train --schedules {input.schedule:q} --case {wildcards.case:q}"
        " --engine {params.engine} --device {params.device} --threads {threads} {params.part} --store {params.store:q}"
        " --elsewhere {params.elsewhere:q}"
        " --checkpoint {params.checkpoint:q} --output {output:q} 2> {log:q}"


use rule train as train_shard with:
    output:
        layout.model_shard("{experiment}", "{case}", "{shard}"),
    log:
        layout.log("train/{experiment}/{case}/{shard}"),
    benchmark:
        layout.benchmark("train/{experiment}/{case}/{shard}")
    wildcard_constraints:
        experiment=one_of(CUT),
    params:
        checkpoint=layout.store(
            "experiments/{experiment}/{case}/shard={shard}.checkpoint"
        ),
        part=SPECS.shard_arguments,


rule join_models:
    """The shards of a case as one ensemble, as if they had never been cut."""
    input:
        schedule=layout.case_schedules("{experiment}", "{case}"),
        models=INPUTS.shards_of_case,
    output:
        layout.models("{experiment}", "{case}"),
    log:
        layout.log("join_models/{experiment}/{case}"),
    benchmark:
        layout.benchmark("join_models/{experiment}/{case}")
    wildcard_constraints:
        experiment=one_of(CUT),
    priority: PRIORITIES.of_experiment
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.ensemble_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("join_models"),
        models=braces.input_in_braces("models"),
    shell:
        "python -m superposition_atlas join-models --schedules {input.schedule:q} --case {wildcards.case:q}"
        " --models {params.models} --output {output:q} 2> {log:q}"
