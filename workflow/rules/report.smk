"""The reports: results/report.pdf from figures and tables, and Snakemake's own report as a zip."""


def report_tables():
    """Every table that the PDF reads numbers from."""
    tables = [catalogue.CLAIMS, catalogue.PUBLISHED_NORMS]
    for name, experiment in EXPERIMENTS.items():
        tables += [
            catalogue.schedules(name),
            catalogue.experiment_table(name, "models"),
        ]
        if experiment.saes:
            tables.append(catalogue.experiment_table(name, "saes"))
    return tables


rule report:
    """The PDF."""
    input:
        template="workflow/report/report.typ",
        captions=sorted(
            {
                f"workflow/report/captions/{figure.module}.rst"
                for figure in FIGURES.values()
            }
        ),
        figures=[f"results/figures/{name}.svg" for name in FIGURES],
        tables=report_tables(),
    output:
        "results/report.pdf",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        code=command_digest("report"),
        spec=as_json(config),
    shell:
        COMMAND + " report --spec {params.spec:q} --template {input.template:q}"
        " --captions workflow/report/captions --results results --benchmarks results/benchmarks"
        " --output {output:q} 2> {log:q}"
