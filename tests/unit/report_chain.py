"""A small chain of real results, and the report on them: what the report's tests build upon."""

import json
from pathlib import Path
from typing import Any

from superposition_atlas import config
from superposition_atlas.cli.main import main
from superposition_atlas.figures import catalogue
from superposition_atlas.storage import layout

from .map_chain import SMALL_MAPS, make_maps, run

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "workflow" / "report" / "report.typ"

HOSTILE = '#panic("no") $x$ *bold* _it_ `raw` <label> @ref [x] \\ "q" \'s // /* = - + ~ — 100 %'

SPEC: dict[str, Any] = {
    "experiments": {
        "talk": {
            "title": "5 features in 2 dimensions, linear densities",
            "role": "slides",
            "n_features": 5,
            "n_hidden": 2,
            "seeds": 6,
            "shown_seeds": 3,
            "importance": {"family": "geometric", "first": 1.0, "ratio": 0.9},
            "probability": {"family": "linear", "first": 0.9, "last": 0.1},
            "training": {"steps": 300, "batch_size": 32, "init_scale": 0.2},
            "claims": True,
            "cases": {
                "case1": {"title": HOSTILE, "role": "aligned"},
                "case2": {
                    "role": "reversed",
                    "slide": 13,
                    "probability": {"family": "permutation", "of": "base", "order": "reversed"},
                },
                "case5": {"role": "equal", "slide": 15, "importance": {"family": "constant", "value": 1.0}},
                "uniform": {
                    "role": "densities",
                    "probability": {
                        "family": "per_instance",
                        "of": {"family": "geometric", "first": 1.0, "last": 0.1},
                        "count": 3,
                    },
                },
            },
            "saes": {
                "relu_simple": {
                    "n_latents": 5,
                    "steps": 40,
                    "batch_size": 16,
                    "resample_every": 20,
                    "dead_window": 10,
                    "record_steps": [0, 40],
                    "seeds": 2,
                }
            },
        },
        "bench": {
            "like": "talk",
            "title": "SAE architectures",
            "role": "",
            "seeds": 2,
            "shown_seeds": 2,
            "claims": False,
            "cases": {"case1": None, "case5": None, "uniform": None},
            "saes": {
                "relu": {"n_latents": 5, "sparsity_coefficient": [0.01, 0.1], "steps": 200, "seeds": 2},
                "topk": {"architecture": "topk", "n_latents": 5, "k": [1, 2], "steps": 200, "seeds": 2},
                "pca": {"architecture": "pca", "n_latents": 5, "seeds": 2},
            },
        },
        "wide": {"like": "talk", "title": "The size of the table", "role": "post", "seeds": 3, "saes": None},
        "controls": {
            "role": "known_answers",
            "n_features": 5,
            "n_hidden": 2,
            "seeds": 4,
            "training": {"steps": 300, "batch_size": 32},
            "importance": {"family": "geometric", "first": 1.0, "ratio": 0.9},
            "probability": {"family": "constant", "value": 0.05},
            "cases": {
                "sparsity_0": {"role": "no_sparsity", "probability": {"family": "constant", "value": 1.0}},
                "pentagon_xavier": {"role": "pentagon", "importance": {"family": "constant", "value": 1.0}},
                "pentagon_talk": {
                    "role": "pentagon",
                    "importance": {"family": "constant", "value": 1.0},
                    "training": {"init_scale": 0.2},
                },
            },
        },
    },
    "playground": {
        "rings": {"title": HOSTILE, "data_set": "circle", "hidden_layers": [6], "seeds": 3},
        "bare": {"data_set": "circle", "inputs": ["x1"], "hidden_layers": [6], "seeds": 3},
        "slope": {"data_set": "plane", "steps": 5, "noise": 10, "optimizer": "adam", "seeds": 2},
    },
    "maps": SMALL_MAPS
    | {
        "atlas": {
            "title": HOSTILE,
            "role": "observations",
            "n_features": 5,
            "n_hidden": 2,
            "seeds": 3,
            "n_starts": 1,
            "training": {"steps": 300, "batch_size": 32, "init_scale": 0.2},
            "points": {
                "kind": "grid",
                "family": ["linear"],
                "mean_density": [0.05, 0.5],
                "steepness": [1, 9],
                "importance_ratio": [1.0, 0.9],
                "order": ["aligned", "reversed"],
            },
        }
    },
}


def build(spec: dict[str, Any]) -> None:
    """All results that the report reads, under results/ of the current folder; figures as empty drawings."""
    text = json.dumps(spec)
    checked = config.load(spec)
    tested = [name for name, experiment in checked.experiments.items() if experiment.claims]
    for name, experiment in checked.experiments.items():
        run("schedules", "--experiment", name, "--spec", text, "--output", layout.schedules(name))
        for case in experiment.cases:
            models = Path(f"results/models/{name}/{case}.safetensors")
            run("train", "--schedules", layout.schedules(name), "--case", case, "--output", models)
            outputs = (f"--output-{table}" for table in ("models", "features"))
            paths = (layout.case_table(name, case, table) for table in ("models", "features"))
            pairs = [word for pair in zip(outputs, paths, strict=True) for word in pair]
            shown = ("--shown-seeds", experiment.shown_seeds)
            run("features", "--models", models, "--case", case, *shown, *pairs)
            saes = []
            for sae, settings in experiment.saes.items():
                saes.append(f"results/saes/{name}/{case}/{sae}.safetensors")
                sae_text = json.dumps(config.sae_spec(settings))
                run("saes", "--models", models, "--spec", sae_text, "--output", saes[-1])
            if saes:
                tables = ("saes", "latents", "recovered", "history", "polysemanticity")
                pairs = [
                    word
                    for table in tables
                    for word in (f"--output-{table}", layout.case_table(name, case, table))
                ]
                run("recovery", "--models", models, "--saes", *saes, "--case", case, *shown, *pairs)
        of_saes = layout.SAE_TABLES if experiment.saes else ()
        for table in (*layout.TOY_MODEL_TABLES, *of_saes):
            parts = [layout.case_table(name, case, table) for case in experiment.cases]
            run("collect", "--tables", *parts, "--output", layout.experiment_table(name, table))
        if experiment.compares_architectures:
            found, levels, contrasts = (
                layout.experiment_table(name, table) for table in ("saes", *layout.SAE_COMPARISON)
            )
            run("compare-saes", "--saes", found, "--output-levels", levels, "--output-contrasts", contrasts)
    wanted = [*tested, *(["controls"] if "controls" in checked.experiments else [])]
    schedules = [layout.schedules(name) for name in wanted]
    features = [layout.experiment_table(name, "features") for name in wanted]
    run("claims", "--schedules", *schedules, "--features", *features, "--output", layout.claims())
    networks = {name: own.spec for name, own in checked.playground.items()}
    tables = ("runs", "curves", "points", "units", "weights")
    outputs = [word for table in tables for word in (f"--output-{table}", layout.playground_table(table))]
    if networks:
        run("playground", "--spec", json.dumps(networks), *outputs)
    for experiment in catalogue.compared_experiments(checked):
        models = [f"results/models/{experiment.name}/{case}.safetensors" for case in experiment.cases]
        given = ("--models", *models, "--shown-seeds", experiment.shown_seeds, "--n-starts", 1)
        tables = {f"--output-{table}": table for table in ("losses", "solutions")}
        paths = (
            word
            for option, table in tables.items()
            for word in (option, layout.experiment_table(experiment.name, table))
        )
        run("losses", *given, *paths)
    for figure in catalogue.figures(checked):
        if figure.module == "answer_matching":
            of_cases = [
                f"results/models/{figure.labels['experiment']}/{case['name']}.safetensors"
                for case in figure.options["cases"]
            ]
            given = ("--models", *of_cases, "--shown-seeds", 2)
            run("matching", *given, "--output", figure.inputs["matching"])
    few = ("--values", 2, "--trained-values", 1, "--seeds", 1)
    pairs = [word for name in layout.PAIR_TABLES for word in (f"--output-{name}", layout.pair_table(name))]
    run("pair-phases", *few, *pairs)
    make_maps(spec)
    if catalogue.answers(checked):
        solutions = [layout.experiment_table(name, "solutions") for name in tested]
        solved = [path for path in solutions if Path(path).is_file()]
        talk = checked.experiment_of_role("slides")
        atlas = checked.map_of_role("observations")
        assert atlas is not None
        maps = (
            word
            for table in ("points", "models", "features")
            for word in (f"--{table}", layout.map_table(atlas.name, table))
        )
        run(
            *(
                "answer",
                "--claims",
                layout.claims(),
                "--primary",
                talk.name if talk else "",
                "--solutions",
                *solved,
            ),
            *(*maps, "--variant", atlas.main_variant),
            *("--output-answer", layout.answer(), "--output-effects", layout.effects()),
        )
    draw(spec)
    benchmark = Path("results/benchmarks/train/talk/case1.tsv")
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\th:m:s\tmax_rss\tcpu_time\n12.5\t0:00:12\t321.0\t20.25\n")
    Path("published.csv").write_text("case,published_norm,note\nuniform,7.55,its sparsest\ncase1,1.23,\n")


def draw(spec: dict[str, Any]) -> None:
    for folder in (Path("results/figures"), Path("captions")):
        folder.mkdir(exist_ok=True)
    for figure in catalogue.figures(config.load(spec)):
        svg = '<svg xmlns="http://www.w3.org/2000/svg" width="450pt" height="200pt" viewBox="0 0 450 200"/>'
        Path(f"results/figures/{figure.name}.svg").write_text(svg)
        caption = "{{ snakemake.params.labels.title }}: what is drawn, :math:`W_i` among it.\n"
        Path(f"captions/{figure.module}.rst").write_text(caption)


def report(spec: dict[str, Any] = SPEC) -> int:
    arguments = {
        "spec": json.dumps(spec),
        "template": TEMPLATE,
        "captions": "captions",
        "results": "results",
        "benchmarks": "results/benchmarks",
        "published": "published.csv",
        "prospective": ROOT / "docs" / "prospective" / "summary.csv",
        "citation": ROOT / "CITATION.cff",
        "output": "results/report.pdf",
    }
    return main(["report", *(f"--{name}={value}" for name, value in arguments.items())])
