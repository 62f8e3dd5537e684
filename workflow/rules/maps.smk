"""Maps: from the configuration to results/maps/{map}/{points,weights,solutions}, one file a shard, and on to tables.

The tables results/maps/{map}/{models,solutions,points,features}.parquet have a row a toy model, a solution, a point
and variant, and a feature of those.
"""


rule map_points:
    """The schedules of one shard of a map, and where they stand on its axes."""
    output:
        layout.map_part("{map}", "points", "{shard}"),
    log:
        layout.log("map_points/{map}/{shard}"),
    benchmark:
        layout.benchmark("map_points/{map}/{shard}")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        code=command_digest("map_points"),
        points=SPECS.shard_digest,
        spec=SPEC_FILES.untracked(SPECS.map_points),
        shards=SPECS.map_shards,
    shell:
        "python -m superposition_atlas map-points --spec - --shard {wildcards.shard}"
        " --shards {params.shards} --output {output:q} 2> {log:q} < {params.spec:q}"


rule map_weights:
    """All seeds at the points of one shard, but for what a former run of the map has trained already."""
    input:
        layout.map_part("{map}", "points", "{shard}"),
    output:
        layout.map_part("{map}", "weights", "{shard}"),
    log:
        layout.log("map_weights/{map}/{shard}"),
    benchmark:
        layout.benchmark("map_weights/{map}/{shard}")
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=RESOURCES.map_megabytes,
        runtime=RESOURCES.map_minutes,
        gpu=RESOURCES.gpus,
    params:
        code=command_digest("map_weights"),
        engine=CONFIG.engine,
        device=CONFIG.device,
        spec=SPEC_FILES.of(SPECS.map_training),
        shards=SPECS.map_shards,
        # No outputs: Snakemake would remove them when the job runs again.
        store=layout.store("maps/{map}/weights"),
        checkpoint=layout.store("maps/{map}/shard={shard}.safetensors"),
    shell:
        "python -m superposition_atlas map-weights --points {input:q} --spec -"
        " --shards {params.shards} --engine {params.engine} --device {params.device} --threads {threads}"
        " --store {params.store:q} --checkpoint {params.checkpoint:q} --output {output:q} 2> {log:q} < {params.spec:q}"


rule map_solutions:
    """Best solutions and predictions for the points of one shard, but for what a former run has found already.

    What the lowest toy models lead to joins them, so no toy model is below the best.
    """
    input:
        points=layout.map_part("{map}", "points", "{shard}"),
        weights=INPUTS.trained_in_shard,
    output:
        layout.map_part("{map}", "solutions", "{shard}"),
    log:
        layout.log("map_solutions/{map}/{shard}"),
    benchmark:
        layout.benchmark("map_solutions/{map}/{shard}")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=RESOURCES.solve_minutes,
    params:
        code=command_digest("map_solutions"),
        biases=SPECS.map_searches,
        n_starts=SPECS.map_starts,
        shards=SPECS.map_shards,
        # No output: Snakemake would remove it when the job runs again.
        store=layout.store("maps/{map}/solutions"),
    shell:
        "python -m superposition_atlas map-solutions --points {input.points:q} --weights {input.weights:q}"
        " --biases {params.biases:q} --n-starts {params.n_starts} --shards {params.shards} --store {params.store:q}"
        " --output {output:q} 2> {log:q}"


rule map_measures:
    """What the toy models of a map represent, beside the best solutions for their schedules."""
    input:
        points=INPUTS.map_points,
        weights=INPUTS.map_weights,
        solutions=INPUTS.map_solutions,
    output:
        models=layout.map_table("{map}", "models"),
        solutions=layout.map_table("{map}", "solutions"),
        points=layout.map_table("{map}", "points"),
        features=layout.map_table("{map}", "features"),
    log:
        layout.log("map_measures/{map}"),
    benchmark:
        layout.benchmark("map_measures/{map}")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.measure_megabytes,
        runtime=minutes(10),
    params:
        code=command_digest("map_measures"),
        # The inputs, in a few letters however many there are.
        points=SPECS.points_pattern,
        weights=SPECS.weights_pattern,
        solutions=SPECS.solutions_pattern,
    shell:
        "python -m superposition_atlas map-measures --points {params.points} --weights {params.weights}"
        " --solutions {params.solutions} --output-models {output.models:q}"
        " --output-solutions {output.solutions:q} --output-points {output.points:q}"
        " --output-features {output.features:q} 2> {log:q}"


rule map_norms:
    """Norms over the schedules of several maps, beside the norms that the post published."""
    input:
        points=INPUTS.norm_points(),
        models=INPUTS.norm_models(),
        published=INPUTS.published_norms,
    output:
        points=layout.norm_table("points"),
        schedules=layout.norm_table("schedules"),
    log:
        layout.log("map_norms"),
    benchmark:
        layout.benchmark("map_norms")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        code=command_digest("map_norms"),
        points=braces.input_in_braces("points"),
        models=braces.input_in_braces("models"),
    shell:
        "python -m superposition_atlas map-norms --points {params.points} --models {params.models}"
        " --published {input.published:q} --output-points {output.points:q}"
        " --output-schedules {output.schedules:q} 2> {log:q}"
