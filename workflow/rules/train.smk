"""Training: from an experiment's schedules to results/models/{experiment}/{case}.safetensors."""


def on_gpu():
    """Whether training runs on a GPU: with auto, where this machine has one."""
    if CONFIG.device == "cpu" or CONFIG.engine == "fused":
        return False
    return CONFIG.device == "cuda" or Path("/dev/nvidia0").exists()


def train_minutes(wildcards):
    """A generous estimate: a core does 5e8 multiply-adds a second; a retry asks for more in the profiles."""
    experiment, training = experiment_of(wildcards), case_of(wildcards).training
    size = experiment.n_features * (experiment.n_hidden + 5)
    work = len(experiment.seeds) * training.steps * training.batch_size * size
    return 5 + round(work / 5e8 / 60)


rule train:
    """All seeds of one case, trained as one ensemble."""
    input:
        # ancient: the file changes with every case; what this case depends on is in the params.
        schedules=ancient("results/schedules/{experiment}.parquet"),
    output:
        "results/models/{experiment}/{case}.safetensors",
    log:
        "results/logs/train/{experiment}/{case}.log",
    benchmark:
        "results/benchmarks/train/{experiment}/{case}.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        mem_mb=2000,
        runtime=train_minutes,
        gpu=1 if on_gpu() else 0,
    params:
        code=command_digest("train"),
        spec=case_json,
        engine=CONFIG.engine,
        device=CONFIG.device,
    shell:
        COMMAND + " train --schedules {input.schedules:q} --case {wildcards.case:q}"
        " --engine {params.engine} --device {params.device} --threads {threads}"
        " --output {output:q} 2> {log:q}"
