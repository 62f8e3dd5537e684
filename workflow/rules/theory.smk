"""Theory: from a map's solutions to tables of predictions, and of structures that compete.

results/maps/{map}/predictions.parquet has a row a random schedule; branches, crossings and branch_models.parquet are of
maps in which one feature's density varies.
"""


rule map_predictions:
    """The predictor's answers beside the best solutions, and what it costs where it is wrong."""
    input:
        points=INPUTS.map_points,
        solutions=INPUTS.map_solutions,
        solved=layout.map_table("{map}", "solutions"),
    output:
        layout.map_table("{map}", "predictions"),
    log:
        layout.log("map_predictions/{map}"),
    benchmark:
        layout.benchmark("map_predictions/{map}")
    wildcard_constraints:
        map=one_of(targets.predicted_maps(CONFIG)),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        code=command_digest("map_predictions"),
    shell:
        "python -m superposition_atlas map-predictions --points {input.points:q} --solutions {input.solutions:q}"
        " --solved {input.solved:q} --output {output:q} 2> {log:q}"


rule map_branches:
    """The loss of each structure as one feature's density varies, where they cross, and what training finds."""
    input:
        points=INPUTS.map_points,
        weights=INPUTS.map_weights,
        solutions=INPUTS.map_solutions,
        models=layout.map_table("{map}", "models"),
    output:
        branches=layout.map_table("{map}", "branches"),
        crossings=layout.map_table("{map}", "crossings"),
        models=layout.map_table("{map}", "branch_models"),
    log:
        layout.log("map_branches/{map}"),
    benchmark:
        layout.benchmark("map_branches/{map}")
    wildcard_constraints:
        map=one_of(targets.branched_maps(CONFIG)),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(10),
    params:
        code=command_digest("map_branches"),
    shell:
        "python -m superposition_atlas map-branches --points {input.points:q} --weights {input.weights:q}"
        " --solutions {input.solutions:q} --models {input.models:q} --output-branches {output.branches:q}"
        " --output-crossings {output.crossings:q} --output-models {output.models:q} 2> {log:q}"
