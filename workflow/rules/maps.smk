"""Maps: from the configuration to results/maps/{map}/points and results/maps/{map}/weights, one file a shard."""


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
        mem_mb=1000,
        runtime=5,
    params:
        code=command_digest("map_points"),
        points=shard_digest,
        spec=map_points_json,
        shards=map_shards,
    shell:
        "python -m superposition_atlas map-points --spec {params.spec:q} --shard {wildcards.shard}"
        " --shards {params.shards} --output {output:q} 2> {log:q}"


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
        store="results/checkpoints/maps/{map}",
        checkpoint="results/checkpoints/maps/{map}/shard={shard}.safetensors",
    shell:
        "python -m superposition_atlas map-weights --points {input:q} --spec {params.spec:q}"
        " --shards {params.shards} --engine {params.engine} --device {params.device} --threads {threads}"
        " --store {params.store:q} --checkpoint {params.checkpoint:q} --output {output:q} 2> {log:q}"
