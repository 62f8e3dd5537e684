"""The further papers: results/tms.pdf and results/structure.pdf, where a configuration has sections of them."""

for paper in CONFIG.papers():

    rule:
        """One further paper, by its name."""
        name:
            paper
        input:
            layout.paper(paper),


rule paper:
    """The PDF of a further paper, and beside it its words and numbers."""
    input:
        template=INPUTS.source("workflow/report/report.typ"),
        captions=INPUTS.paper_captions,
        citation=INPUTS.source("CITATION.cff"),
        figures=INPUTS.paper_figures,
        sources=INPUTS.paper,
    output:
        pdf=report(
            layout.paper("{paper}"),
            caption="../report/paper.rst",
            category="Report",
            labels={"figure": "{paper}"},
        ),
        numbers=layout.paper_numbers("{paper}"),
    log:
        layout.log("paper/{paper}"),
    benchmark:
        layout.benchmark("paper/{paper}")
    wildcard_constraints:
        paper=one_of(CONFIG.papers()),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        code=command_digest("paper"),
        spec=SPEC_FILES.of(SPECS.paper),
        captions=INPUTS.caption_folder,
        results=INPUTS.results_folder,
    shell:
        "python -m superposition_atlas paper --spec - --paper {wildcards.paper} --template {input.template:q}"
        " --captions {params.captions:q} --citation {input.citation:q} --results {params.results:q}"
        " --output {output.pdf:q} 2> {log:q} < {params.spec:q}"
