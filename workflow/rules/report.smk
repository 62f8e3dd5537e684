"""The reports: results/report.pdf from figures and tables, and Snakemake's own report as a zip."""


rule report:
    """The PDF, and beside it its words and numbers."""
    input:
        template=INPUTS.source("workflow/report/report.typ"),
        captions=INPUTS.report_captions(),
        citation=INPUTS.source("CITATION.cff"),
        prospective=INPUTS.source("docs/prospective/summary.csv"),
        figures=INPUTS.report_figures(),
        sources=INPUTS.report_sources(),
    output:
        pdf=report(
            layout.report(),
            caption="../report/report.rst",
            category="Report",
            labels={"figure": "report"},
        ),
        numbers=layout.report_numbers(),
    log:
        layout.log("report"),
    benchmark:
        layout.benchmark("report")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        code=command_digest("report"),
        spec=SPEC_FILES.of(SPECS.whole),
        captions=INPUTS.caption_folder,
        published=INPUTS.published_norms,
        results=INPUTS.results_folder,
        benchmarks=layout.folder_of("benchmark"),
    shell:
        "python -m superposition_atlas report --spec - --template {input.template:q}"
        " --captions {params.captions:q} --published {params.published:q} --prospective {input.prospective:q}"
        " --citation {input.citation:q} --results {params.results:q} --benchmarks {params.benchmarks:q}"
        " --output {output.pdf:q} 2> {log:q} < {params.spec:q}"


rule report_zip:
    """Snakemake's own report, to browse: every figure with its caption, the jobs, their code and settings."""
    input:
        ALL_FILES,
    output:
        layout.report_zip(),
    log:
        layout.log("report_zip"),
    benchmark:
        layout.benchmark("report_zip")
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        config=SPEC_FILES.of(SPECS.whole),
    shell:
        # The configuration as it is: which files and options it came from does not matter then.
        "snakemake --nolock --configfile {params.config:q} --report {output:q} -- all 2> {log:q}"
