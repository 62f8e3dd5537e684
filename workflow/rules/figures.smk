"""Figures: from tables to results/figures/{figure}.svg and .png, as figures/catalogue.py lists them.

Those that move are there as .gif too.
"""

# One rule a module: a caption can't depend on wildcards.
for module in sorted({figure.module for figure in FIGURES.values()}):

    rule:
        """The figures that one module draws."""
        name:
            f"figure_{module}"
        input:
            figure_inputs,
        output:
            svg=layout.figure("{figure}", "svg"),
            png=report(
                layout.figure("{figure}", "png"),
                caption=f"../report/captions/{module}.rst",
                category=figure_category,
                labels=figure_report_labels,
            ),
        log:
            layout.log("figures/{figure}"),
        benchmark:
            layout.benchmark("figures/{figure}")
        wildcard_constraints:
            figure="|".join(
                name for name, figure in FIGURES.items() if figure.module == module
            ),
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=megabytes(1000),
            runtime=minutes(5),
        params:
            code=figure_digest,
            module=figure_module,
            arguments=figure_arguments,
            labels=figure_labels,
        shell:
            "python -m superposition_atlas figure --module {params.module} {params.arguments:q}"
            " --output {output.svg:q} {output.png:q} 2> {log:q}"


for module in sorted({FIGURES[name].module for name in MOVING}):

    rule:
        """The figures of one module that move, as GIF; the last frame is the figure of that name."""
        name:
            f"animation_{module}"
        input:
            figure_inputs,
        output:
            report(
                layout.figure("{figure}", "gif"),
                caption="../report/moving.rst",
                category=figure_category,
                labels=figure_report_labels,
            ),
        log:
            layout.log("animation/{figure}"),
        benchmark:
            layout.benchmark("animation/{figure}")
        wildcard_constraints:
            figure="|".join(name for name in MOVING if FIGURES[name].module == module),
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=megabytes(1000),
            runtime=minutes(5),
        params:
            code=figure_digest,
            module=figure_module,
            arguments=figure_arguments,
            labels=figure_labels,
        shell:
            "python -m superposition_atlas figure --module {params.module} {params.arguments:q}"
            " --output {output:q} 2> {log:q}"
