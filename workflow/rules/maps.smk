"""Maps: from the configuration to results/maps/{map}/{points,weights,solutions}, one file a shard, and on to tables.

The tables results/maps/{map}/{models,solutions,points,features}.parquet have a row a toy model, a solution, a point
and variant, and a feature of those.
"""


rule map_points:
    """The schedules of one shard of a map, and where they stand on its axes."""
    output:
        "results/maps/{map}/points/shard={shard}/part.parquet",
    log:
        "results/logs/map_points/{map}/{shard}.log",
    benchmark:
        "results/benchmarks/map_points/{map}/{shard}.tsv"
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
        "results/maps/{map}/points/shard={shard}/part.parquet",
    output:
        "results/maps/{map}/weights/shard={shard}/part.parquet",
    log:
        "results/logs/map_weights/{map}/{shard}.log",
    benchmark:
        "results/benchmarks/map_weights/{map}/{shard}.tsv"
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
        store="results/checkpoints/maps/{map}/weights",
        checkpoint="results/checkpoints/maps/{map}/shard={shard}.safetensors",
    shell:
        "python -m superposition_atlas map-weights --points {input:q} --spec -"
        " --shards {params.shards} --engine {params.engine} --device {params.device} --threads {threads}"
        " --store {params.store:q} --checkpoint {params.checkpoint:q} --output {output:q} 2> {log:q} <<< {params.spec:q}"


rule map_solutions:
    """Best solutions and predictions for the points of one shard, but for what a former run has found already.

    What the lowest toy models lead to joins them, so no toy model is below the best.
    """
    input:
        points="results/maps/{map}/points/shard={shard}/part.parquet",
        weights=trained_in_shard,
    output:
        "results/maps/{map}/solutions/shard={shard}/part.parquet",
    log:
        "results/logs/map_solutions/{map}/{shard}.log",
    benchmark:
        "results/benchmarks/map_solutions/{map}/{shard}.tsv"
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
        store="results/checkpoints/maps/{map}/solutions",
    shell:
        "python -m superposition_atlas map-solutions --points {input.points:q} --weights {input.weights:q}"
        " --biases {params.biases:q} --n-starts {params.n_starts} --shards {params.shards} --store {params.store:q}"
        " --output {output:q} 2> {log:q}"


rule map_measures:
    """What the toy models of a map represent, beside the best solutions for their schedules."""
    input:
        points=map_parts("points"),
        weights=map_parts("weights"),
        solutions=map_parts("solutions"),
    output:
        models="results/maps/{map}/models.parquet",
        solutions="results/maps/{map}/solutions.parquet",
        points="results/maps/{map}/points.parquet",
        features="results/maps/{map}/features.parquet",
    log:
        "results/logs/map_measures/{map}.log",
    benchmark:
        "results/benchmarks/map_measures/{map}.tsv"
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
            f"results/maps/{name}/points/shard={shard}/part.parquet"
            for name in NORM_MAPS
            for shard in range(MAPS[name].shards)
        ],
        models=[f"results/maps/{name}/models.parquet" for name in NORM_MAPS],
        published=catalogue.PUBLISHED_NORMS,
    output:
        points=catalogue.norm_table("points"),
        schedules=catalogue.norm_table("schedules"),
    log:
        "results/logs/map_norms.log",
    benchmark:
        "results/benchmarks/map_norms.tsv"
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
