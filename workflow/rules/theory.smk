"""Theory: from a map's solutions to tables of predictions, of structures that compete, and of phases; matchings.

results/maps/{map}/predictions.parquet has a row a random schedule; branches, crossings and branch_models.parquet are of
maps in which one feature's density varies, phases and phase_borders.parquet of phase diagrams. matching.parquet, of
each map and each experiment, has a row a schedule. results/pairs/{table}.parquet is the phase diagram of two features
in one dimension, which no configuration changes.
"""


rule matching:
    """Which features the matching represents on each schedule of an experiment, beside its toy models."""
    input:
        INPUTS.matched_models,
    output:
        layout.experiment_table("{experiment}", layout.MATCHING),
    log:
        layout.log("matching/{experiment}"),
    benchmark:
        layout.benchmark("matching/{experiment}")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1500),
        runtime=RESOURCES.matching_minutes,
    params:
        code=command_digest("matching"),
        models=braces.input_in_braces(),
        shown_seeds=SPECS.shown_seeds,
    shell:
        "python -m superposition_atlas matching --models {params.models} --shown-seeds {params.shown_seeds}"
        " --output {output:q} 2> {log:q}"


rule map_matching:
    """Which features the matching represents at each point of a map, beside its toy models."""
    input:
        points=INPUTS.map_points,
        weights=INPUTS.map_weights,
    output:
        layout.map_table("{map}", layout.MATCHING),
    log:
        layout.log("map_matching/{map}"),
    benchmark:
        layout.benchmark("map_matching/{map}")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.measure_megabytes,
        runtime=RESOURCES.map_matching_minutes,
    params:
        code=command_digest("map_matching"),
        # The inputs, in a few letters however many there are.
        points=SPECS.points_pattern,
        weights=SPECS.weights_pattern,
    shell:
        "python -m superposition_atlas map-matching --points {params.points} --weights {params.weights}"
        " --output {output:q} 2> {log:q}"


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
        points=braces.input_in_braces("points"),
        solutions=braces.input_in_braces("solutions"),
    shell:
        "python -m superposition_atlas map-predictions --points {params.points} --solutions {params.solutions}"
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
        points=braces.input_in_braces("points"),
        weights=braces.input_in_braces("weights"),
        solutions=braces.input_in_braces("solutions"),
    shell:
        "python -m superposition_atlas map-branches --points {params.points} --weights {params.weights}"
        " --solutions {params.solutions} --models {input.models:q} --output-branches {output.branches:q}"
        " --output-crossings {output.crossings:q} --output-models {output.models:q} 2> {log:q}"


rule map_phases:
    """A phase diagram: what becomes of the last feature, trained and at the optimum, and the borders in closed form."""
    input:
        points=INPUTS.map_points,
        weights=INPUTS.map_weights,
        solutions=INPUTS.map_solutions,
        models=layout.map_table("{map}", "models"),
    output:
        phases=layout.map_table("{map}", "phases"),
        borders=layout.map_table("{map}", "phase_borders"),
    log:
        layout.log("map_phases/{map}"),
    benchmark:
        layout.benchmark("map_phases/{map}")
    wildcard_constraints:
        map=one_of(targets.phased_maps(CONFIG)),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=RESOURCES.measure_megabytes,
        runtime=minutes(5),
    params:
        code=command_digest("map_phases"),
    shell:
        "python -m superposition_atlas map-phases --points {input.points:q} --weights {input.weights:q}"
        " --solutions {input.solutions:q} --models {input.models:q} --output-phases {output.phases:q}"
        " --output-borders {output.borders:q} 2> {log:q}"


rule pair_phases:
    """The phase diagram of pairs, two features in one dimension: the optimum, the matching, toy models."""
    output:
        phases=layout.pair_table("phases"),
        boundaries=layout.pair_table("boundaries"),
        models=layout.pair_table("models"),
    log:
        layout.log("pair_phases"),
    benchmark:
        layout.benchmark("pair_phases")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1500),
        runtime=minutes(5),
    params:
        code=command_digest("pair_phases"),
    shell:
        "python -m superposition_atlas pair-phases --threads {threads}"
        " --output-phases {output.phases:q} --output-boundaries {output.boundaries:q}"
        " --output-models {output.models:q} 2> {log:q}"
