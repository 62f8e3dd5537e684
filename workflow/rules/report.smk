"""The reports: results/report.pdf from figures and tables, and Snakemake's own report as a zip."""


rule report:
    """The PDF, and beside it the numbers that it shows."""
    input:
        template="workflow/report/report.typ",
        parts=sorted(str(path) for path in Path("workflow/report").glob("*.typ")),
        captions=sorted(
            {
                f"workflow/report/captions/{figure.module}.rst"
                for figure in FIGURES.values()
            }
        ),
        figures=[f"results/figures/{name}.svg" for name in FIGURES],
        sources=report_sources(),
    output:
        pdf=report(
            "results/report.pdf",
            caption="../report/report.rst",
            category="Report",
            labels={"figure": "report"},
        ),
        numbers="results/report.json",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        code=command_digest("report"),
        spec=whole_json,
    shell:
        "python -m superposition_atlas report --spec - --template {input.template:q}"
        " --captions workflow/report/captions --results results --benchmarks results/benchmarks"
        " --output {output.pdf:q} 2> {log:q} <<< {params.spec:q}"


rule report_zip:
    """Snakemake's own report, to browse: every figure with its caption, the jobs, their code and settings."""
    input:
        TARGETS,
    output:
        "results/report.zip",
    log:
        "results/logs/report_zip.log",
    benchmark:
        "results/benchmarks/report_zip.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(5),
    params:
        config=whole_json,
    shell:
        # The configuration as it is: which files and options it came from does not matter then.
        'file=$(mktemp --suffix .json); trap \'rm -f "$file"\' EXIT; printf %s {params.config:q} > "$file";'
        ' snakemake --nolock --configfile "$file" --report {output:q} -- all 2> {log:q}'
