"""Training: from a case's schedule to results/models/{experiment}/{case}.safetensors."""


rule train:
    """All seeds of one case, trained as one ensemble."""
    input:
        schedule="results/schedules/{experiment}/{case}.parquet",
    output:
        "results/models/{experiment}/{case}.safetensors",
    log:
        "results/logs/train/{experiment}/{case}.log",
    benchmark:
        "results/benchmarks/train/{experiment}/{case}.tsv"
    conda:
        "../../environment.yml"
    threads: train_threads
    resources:
        mem_mb=train_megabytes,
        runtime=train_minutes,
        gpu=1 if on_gpu() else 0,
    params:
        code=command_digest("train"),
        engine=CONFIG.engine,
        device=CONFIG.device,
        # No output: Snakemake would remove it when a job fails.
        checkpoint="results/checkpoints/{experiment}/{case}.safetensors",
    shell:
        "python -m superposition_atlas train --schedules {input.schedule:q} --case {wildcards.case:q}"
        " --engine {params.engine} --device {params.device} --threads {threads}"
        " --checkpoint {params.checkpoint:q} --output {output:q} 2> {log:q}"
