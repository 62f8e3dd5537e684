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
        points=shard_digest,
        spec=map_points_json,
        shards=map_shards,
    shell:
        "python -m superposition_atlas map-points --spec - --shard {wildcards.shard}"
        " --shards {params.shards} --output {output:q} 2> {log:q} <<< {params.spec:q}"


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
        mem_mb=map_megabytes,
        runtime=map_minutes,
        gpu=1 if on_gpu() else 0,
    params:
        code=command_digest("map_weights"),
        engine=CONFIG.engine,
        device=CONFIG.device,
        spec=map_training_json,
        shards=map_shards,
        # No outputs: Snakemake would remove them when the job runs again.
        store=layout.store("maps/{map}/weights"),
        checkpoint=layout.store("maps/{map}/shard={shard}.safetensors"),
    shell:
        "python -m superposition_atlas map-weights --points {input:q} --spec -"
        " --shards {params.shards} --engine {params.engine} --device {params.device} --threads {threads}"
        " --store {params.store:q} --checkpoint {params.checkpoint:q} --output {output:q} 2> {log:q} <<< {params.spec:q}"


rule map_solutions:
    """Best solutions and predictions for the points of one shard, but for what a former run has found already."""
    input:
        layout.map_part("{map}", "points", "{shard}"),
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
        runtime=solve_minutes,
    params:
        code=command_digest("map_solutions"),
        biases=map_searches,
        n_starts=map_starts,
        shards=map_shards,
        # No output: Snakemake would remove it when the job runs again.
        store=layout.store("maps/{map}/solutions"),
    shell:
        "python -m superposition_atlas map-solutions --points {input:q} --biases {params.biases:q}"
        " --n-starts {params.n_starts} --shards {params.shards} --store {params.store:q}"
        " --output {output:q} 2> {log:q}"


rule map_measures:
    """What the toy models of a map represent, beside the best solutions for their schedules."""
    input:
        points=map_parts("points"),
        weights=map_parts("weights"),
        solutions=map_parts("solutions"),
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
        mem_mb=measure_megabytes,
        runtime=minutes(10),
    params:
        code=command_digest("map_measures"),
        # The inputs, in a few letters however many there are.
        points=map_pattern("points"),
        weights=map_pattern("weights"),
        solutions=map_pattern("solutions"),
    shell:
        "python -m superposition_atlas map-measures --points {params.points} --weights {params.weights}"
        " --solutions {params.solutions} --output-models {output.models:q}"
        " --output-solutions {output.solutions:q} --output-points {output.points:q}"
        " --output-features {output.features:q} 2> {log:q}"


rule map_norms:
    """Norms over the schedules of several maps, beside the norms that the post published."""
    input:
        points=[
            layout.map_part(name, "points", shard)
            for name in NORM_MAPS
            for shard in range(MAPS[name].shards)
        ],
        models=[layout.map_table(name, "models") for name in NORM_MAPS],
        published=catalogue.PUBLISHED_NORMS,
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
    shell:
        "python -m superposition_atlas map-norms --points {input.points:q} --models {input.models:q}"
        " --published {input.published:q} --output-points {output.points:q}"
        " --output-schedules {output.schedules:q} 2> {log:q}"
