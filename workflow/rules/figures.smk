"""Figures: from tables to results/figures/{figure}.svg and .png, as figures/catalogue lists them.

Those that move are there as .gif too.
"""

# One rule a module: a caption can't depend on wildcards.
for module in sorted({figure.module for figure in FIGURES.values()}):

    rule:
        """The figures that one module draws."""
        name:
            f"figure_{module}"
        input:
            INPUTS.figure,
        output:
            svg=layout.figure("{figure}", "svg"),
            png=report(
                layout.figure("{figure}", "png"),
                caption=f"../report/captions/{module}.rst",
                category=SPECS.figure_category,
                labels=SPECS.report_labels,
            ),
        log:
            layout.log("figures/{figure}"),
        benchmark:
            layout.benchmark("figures/{figure}")
        wildcard_constraints:
            figure=one_of(INPUTS.figures_of(module)),
        priority: PRIORITIES.of_figure
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=megabytes(1000),
            runtime=minutes(5),
        params:
            code=SPECS.figure_digest,
            spec=SPEC_FILES.of(SPECS.figure),
            labels=SPECS.figure_labels,
        shell:
            "python -m superposition_atlas figure --spec -"
            " --output {output.svg:q} {output.png:q} 2> {log:q} < {params.spec:q}"


for module in sorted({figure.module for figure in FIGURES.values() if figure.moves}):

    rule:
        """The figures of one module that move, as GIF; the last frame is the figure of that name."""
        name:
            f"animation_{module}"
        input:
            INPUTS.figure,
        output:
            report(
                layout.figure("{figure}", "gif"),
                caption="../report/moving.rst",
                category=SPECS.figure_category,
                labels=SPECS.report_labels,
            ),
        log:
            layout.log("animation/{figure}"),
        benchmark:
            layout.benchmark("animation/{figure}")
        wildcard_constraints:
            figure=one_of(INPUTS.figures_of(module, moving=True)),
        priority: PRIORITIES.of_figure
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=megabytes(1000),
            runtime=minutes(5),
        params:
            code=SPECS.figure_digest,
            spec=SPEC_FILES.of(SPECS.figure),
            labels=SPECS.figure_labels,
        shell:
            "python -m superposition_atlas figure --spec -"
            " --output {output:q} 2> {log:q} < {params.spec:q}"
