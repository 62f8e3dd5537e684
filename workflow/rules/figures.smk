"""Figures: from tables to results/figures/{figure}.svg and .png, as figures/catalogue.py lists them."""


def figure_of(wildcards):
    return FIGURES[wildcards.figure]


def figure_inputs(wildcards):
    return list(figure_of(wildcards).inputs.values())


def figure_digest(wildcards):
    """The code of this figure's own module and of what every figure shares."""
    return code_digest(
        "superposition_atlas.commands.figure",
        f"superposition_atlas.figures.{figure_of(wildcards).module}",
    )


def figure_arguments(wildcards):
    figure = figure_of(wildcards)
    pairs = [("--input", figure.inputs), ("--option", figure.options)]
    return [
        f"{flag}={key}={value}"
        for flag, values in pairs
        for key, value in sorted(values.items())
    ]


def figure_module(wildcards):
    return figure_of(wildcards).module


def figure_labels(wildcards):
    return dict(sorted(figure_of(wildcards).labels.items()))


def figure_report_labels(wildcards):
    return {"figure": wildcards.figure, **figure_labels(wildcards)}


def figure_category(wildcards):
    return figure_of(wildcards).category


# One rule a module: a caption can't depend on wildcards.
for module in sorted({figure.module for figure in FIGURES.values()}):

    rule:
        """The figures that one module draws."""
        name:
            f"figure_{module}"
        input:
            figure_inputs,
        output:
            svg="results/figures/{figure}.svg",
            png=report(
                "results/figures/{figure}.png",
                caption=f"../report/captions/{module}.rst",
                category=figure_category,
                labels=figure_report_labels,
            ),
        log:
            "results/logs/figures/{figure}.log",
        benchmark:
            "results/benchmarks/figures/{figure}.tsv"
        wildcard_constraints:
            figure="|".join(
                name for name, figure in FIGURES.items() if figure.module == module
            ),
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=1000,
            runtime=5,
        params:
            code=figure_digest,
            module=figure_module,
            arguments=figure_arguments,
            labels=figure_labels,
        shell:
            COMMAND + " figure --module {params.module} {params.arguments:q}"
            " --output {output.svg:q} {output.png:q} 2> {log:q}"
