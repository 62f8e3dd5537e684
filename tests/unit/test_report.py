"""The report, on a small chain of real results: what stands in it, and that it breaks when they do."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typst
from superposition_atlas import config
from superposition_atlas.cli.main import main
from superposition_atlas.errors import ArtefactError
from superposition_atlas.figures import catalogue
from superposition_atlas.metrics.intervals import wilson_interval
from superposition_atlas.report import captions, origin, typesetting
from superposition_atlas.storage import layout
from superposition_atlas.storage.parquet import read_table, table_provenance, write_joined, write_table
from superposition_atlas.storage.tensors import read_tensors, write_tensors

from .map_chain import SMALL_MAPS, make_maps, run

TEMPLATE = Path(__file__).parents[2] / "workflow" / "report" / "report.typ"

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
        for table in ("models", "features", *(["saes"] if experiment.saes else [])):
            parts = [layout.case_table(name, case, table) for case in experiment.cases]
            run("collect", "--tables", *parts, "--output", layout.experiment_table(name, table))
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
        tables = ("points", "models", "features")
        atlas = [word for table in tables for word in (f"--{table}", layout.map_table("atlas", table))]
        given = ("--claims", layout.claims(), *atlas, "--primary", *tested)
        outputs = ("--output-answer", layout.answer(), "--output-effects", layout.effects())
        variant = checked.maps["atlas"].main_variant
        random = [layout.map_table("drawn", table) for table in tables]
        given = (*given, "--variant", variant, "--solutions", *solved)
        given = (*given, "--random", *random, "--random-variant", "standard")
        run("answer", *given, *outputs)
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
        caption = "Of {{ snakemake.params.labels.title }}: what is shown.\n"
        Path(f"captions/{figure.module}.rst").write_text(caption)


def report(spec: dict[str, Any] = SPEC) -> int:
    arguments = {
        "spec": json.dumps(spec),
        "template": TEMPLATE,
        "captions": "captions",
        "results": "results",
        "benchmarks": "results/benchmarks",
        "published": "published.csv",
        "output": "results/report.pdf",
    }
    return main(["report", *(f"--{name}={value}" for name, value in arguments.items())])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        build(SPEC)
        assert report() == 0
    return folder


@pytest.fixture
def workplace(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the results with their report, as the current folder."""
    shutil.copytree(built, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def elements(selector: str) -> list[dict[str, Any]]:
    """The elements of the report in the current folder that match, as typst sees them."""
    root = Path("staged")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    svgs = sorted(Path("results/figures").glob("*.svg"))
    typesetting.stage(TEMPLATE, Path("results/report.json"), svgs, root)
    found = json.loads(typst.query(root / TEMPLATE.name, selector, root=root, ignore_system_fonts=True))
    assert isinstance(found, list)
    return found


def text_of(element: Any) -> str:
    """All text inside an element, cells apart by a bar."""

    def pieces(node: Any) -> Iterator[str]:
        if isinstance(node, list):
            for item in node:
                yield from pieces(item)
        elif isinstance(node, dict):
            if node.get("func") == "cell":
                yield "|"
            if node.get("func") in ("space", "linebreak", "parbreak"):
                yield " "
            for key in ("text", "child", "body", "children", "caption"):
                value = node.get(key)
                if isinstance(value, str):
                    yield value
                elif value is not None:
                    yield from pieces(value)

    return "".join(pieces(element)).replace("\u200b", "")


def change(path: str, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    provenance = table_provenance(Path(path))
    write_table(edit(read_table(Path(path))), Path(path), provenance)


def rename(experiment: str, new: str) -> None:
    """Gives what there is of an experiment another name, and of those whose names begin as its does."""
    for kind in ("schedules", "models", "metrics"):
        for path in Path("results", kind).glob(f"{experiment}*"):
            path.rename(path.with_name(path.name.replace(experiment, new)))
        for path in sorted(Path("results", kind).glob(f"{new}*")):
            for file in [path] if path.is_file() else sorted(path.rglob("*.*")):
                belongs_here(file)


def belongs_here(path: Path) -> None:
    """Writes a file anew, since each says where it belongs."""
    elsewhere = path.rename(f"copy{path.suffix}")
    if path.suffix == ".parquet":
        write_joined([elsewhere], path, table_provenance(elsewhere))
    else:
        tensors, provenance = read_tensors(elsewhere)
        write_tensors(tensors, path, provenance)
    elsewhere.unlink()


# --- what stands in it -------------------------------------------------------------------------------------


def test_pdf_is_archival_accessible_and_the_same_each_time(workplace: Path) -> None:
    pdf = Path("results/report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-1.7")
    assert b"<pdfaid:part>2</pdfaid:part>" in pdf
    assert b"<pdfaid:conformance>A</pdfaid:conformance>" in pdf
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    assert report() == 0
    assert Path("results/report.pdf").read_bytes() == pdf


def test_every_outcome_stands_in_the_tables(workplace: Path) -> None:
    claims = read_table(Path(layout.claims()))
    claims = claims[claims["primary"] & (claims["requires"] != "")]
    talk, controls = (text_of(elements(f"<table-{name}>")) for name in ("outcomes", "controls"))
    assert set(claims["experiment"]) == {"talk", "wide", "controls"}
    for row in claims.to_dict(orient="records"):
        table = controls if row["experiment"] == "controls" else talk
        assert row["statement"] in table
        assert row["criterion"] in table
        group = table.split(row["statement"])[1]
        rival = f" against {row['rival']}" if row["rival"] else ""
        line = group.split(f"|{row['experiment']}, {row['case']}{rival}|")[1].split("|")
        cells = line[1:4] if row["sample"] == "shown" else line[4:7]
        values = {"models": f"{row['n_holding']}/{row['n_models']}", "features": f"{row['fraction']:.3f}"}
        value = values.get(row["kind"], f"{row['difference']:.2f}".replace("-", "−"))
        interval = f"{row['ci_low']:.2f} to {row['ci_high']:.2f}".replace("-", "−")
        assert cells == [value, interval, f"{row['verdict']} ({row['state']})"]


def test_published_norms_stand_beside_the_largest_shown_norm(workplace: Path) -> None:
    table = text_of(elements("<table-norms>"))
    models = read_table(Path(layout.experiment_table("wide", "models")))
    for case, published in (("uniform", 7.55), ("case1", 1.23)):
        largest = models.loc[(models["case"] == case) & models["shown"], "frobenius_norm"].max()
        cells = table.split(f"|{case}")[1].split("|")
        assert cells[2:4] == [f"{published:.2f}", f"{largest:.2f}"]
        assert cells[7:9] == [f"{published**2:.1f}", f"{largest**2:.1f}"]


NORMS: dict[str, Any] = {
    "n_features": 5,
    "n_hidden": 2,
    "compare_norms": True,
    "seeds": 3,
    "shards": 1,
    "training": {"steps": 100, "batch_size": 32, "learning_rate": 0.02},
    "points": {
        "kind": "grid",
        "family": ["geometric", "linear"],
        "mean_density": [0.1, 0.3],
        "steepness": [1, 5],
        "importance_ratio": [1.0, 0.9],
        "order": ["aligned", "reversed", 3],
    },
}


def build_norms(spec: dict[str, Any], name: str) -> None:
    """The map of that name, trained, measured, and compared with the published norms."""
    described = config.load(spec).maps[name]
    points, weights = (f"results/maps/{name}/{table}/shard=0/part.parquet" for table in ("points", "weights"))
    size = {"n_features": described.n_features, "n_hidden": described.n_hidden, "points": described.points}
    shards = ("--shards", 1)
    run("map-points", "--spec", json.dumps(size), "--shard", 0, *shards, "--output", points)
    variants = {variant: training.as_dict() for variant, training in described.variants.items()}
    training = json.dumps({"seeds": list(described.seeds), "variants": variants})
    run(
        *("map-weights", "--points", points, "--spec", training, *shards),
        *("--store", "store", "--output", weights),
    )
    tables = ("models", "solutions", "points", "features")
    outputs = [f"--output-{table}=results/maps/{name}/{table}.parquet" for table in tables]
    run("map-measures", "--points", points, "--weights", weights, *outputs)
    compared = [f"--output-{table}={layout.norm_table(table)}" for table in ("points", "schedules")]
    models = f"results/maps/{name}/models.parquet"
    run(
        *("map-norms", "--points", points, "--models", models),
        *("--published", TEMPLATE.parents[2] / catalogue.PUBLISHED_NORMS, *compared),
    )


def test_the_nearest_schedules_stand_in_the_report(workplace: Path) -> None:
    spec = SPEC | {"maps": {"norms": NORMS}}
    build_norms(spec, "norms")
    draw(spec)
    assert report(spec) == 0
    assert "Which schedule has these norms?" in text_of(elements("heading"))
    table = read_table(Path(layout.norm_table("schedules"))).sort_values("largest_difference")
    assert len(table) == 2 * 2
    lines = text_of(elements("<table-nearest>")).split("|")
    for row in table.to_dict("records"):
        ends = f"{row['family']} {row['first']:.3g}\u00a0→\u00a0{row['last']:.3g}"
        at = lines.index(ends)
        assert lines[at + 2 : at + 6] == [f"{row[case]:.2f}" for case in ("case1", "case2", "case3", "post4")]
        assert lines[at + 6 : at + 8] == [f"{row['largest_difference']:.2f}", "3"]
    words = text_of(elements("par"))
    assert "norms are those of 80 features in 20 dimensions" in words  # and so not these
    assert f"So {3 * (2 * 2 * 4 + 2 * 2)} toy models with 5 features in 2 dimensions" in words


def test_variants_of_training_stand_in_a_table_of_their_own(workplace: Path) -> None:
    variants = {"standard": {}, "longer": {"steps": 200}}
    spec = SPEC | {"maps": {"norms": NORMS | {"n_features": 9, "variants": variants}}}
    build_norms(spec, "norms")
    draw(spec)
    assert report(spec) == 0
    lines = text_of(elements("<table-trainings>")).split("|")
    assert lines.count("longer") == 4
    assert "standard" not in lines


def test_without_a_map_the_report_says_how_to_get_it(workplace: Path) -> None:
    assert json.loads(Path("results/report.json").read_text())["norm_maps"] is None
    assert elements("<table-nearest>") == []
    assert "config/norms.yaml" in text_of(elements("raw"))


def test_slide_4_counts_the_networks_that_solve_their_data_set(workplace: Path) -> None:
    runs = read_table(Path(layout.playground_table("runs")))
    lines = text_of(elements("<table-playground>")).split("|")
    for name, own in runs.groupby("network"):
        surface = name == "slope"
        at = lines.index(f"{name}*" if surface else str(name))
        solved, low, high = own["solved"].sum(), *wilson_interval(int(own["solved"].sum()), len(own))
        error = 100 * own["test_fvu" if surface else "test_error"]
        bounds = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f}–{high:.2f}"
        assert lines[at + 5 : at + 7] == [f"{solved}/{len(own)}", bounds]
        assert lines[at + 7 : at + 9] == [f"{value:.1f}\u202f%" for value in (error.median(), error.max())]
    assert runs.loc[runs["network"] == "rings", "solved"].all()
    assert not runs.loc[runs["network"] == "bare", "solved"].any()
    assert "Adam, 0.03, 10" in lines
    words = text_of(elements("par")) + text_of(elements("emph"))
    assert "But for their inputs" in words
    assert "All seeds do in rings; 0 of 3 do in bare" in words


def test_slide_4_is_left_out_where_there_is_no_playground(workplace: Path) -> None:
    spec = {name: value for name, value in SPEC.items() if name != "playground"}
    shutil.rmtree("results/playground")
    assert report(spec) == 0
    assert "Slide 4" not in text_of(elements("heading"))
    assert elements("<table-playground>") == []
    document = json.loads(Path("results/report.json").read_text())
    assert document["playground"] == []
    assert "playground" not in {row["kind"] for row in document["provenance"]["made_by"]}


def test_the_atlas_counts_each_schedule_once(workplace: Path) -> None:
    table = read_table(Path(layout.map_table("atlas", "points")))
    once = {row["key"]: row for row in table.to_dict("records")}
    assert len(once) == 2 * (2 + 3) < len(table)
    rows = text_of(elements("<table-atlas-observations>")).split("|")
    for name, column, chosen in (
        ("O1", "not_all_represented", lambda row: True),
        ("O2", "none_dedicated", lambda row: row["importance_ratio"] < 1 and row["order"] == "reversed"),
        ("O3", "none_dedicated", lambda row: row["importance_ratio"] == 1),
        ("P1-top", "top_dedicated", lambda row: row["importance_ratio"] < 1 and row["order"] == "aligned"),
        ("P2", "densest_dropped", lambda row: row["importance_ratio"] == 1),
    ):
        asked = [row for row in once.values() if row["steepness"] > 1 and chosen(row)]
        best, trained = [row[f"best_{column}"] for row in asked], [row[column] for row in asked]
        most = [share > 0.5 for share in trained]
        counts = [
            len(asked),
            sum(best),
            sum(most),
            sum(share == 1 for share in trained),
            sum(m and not b for m, b in zip(most, best, strict=True)),
            sum(b and not m for m, b in zip(most, best, strict=True)),
        ]
        cells = rows[rows.index(name) + 2 :]
        assert cells[:6] == [str(count) for count in counts], name
        assert cells[6].startswith(f"{100 * sum(trained) / len(asked):.0f}\u202f%"), name
    words = text_of(elements("par"))
    keeps = [row["keeps_best"] for row in once.values()]
    assert f"{sum(share > 0.5 for share in keeps)} of 10 schedules; in {keeps.count(0)} no seed does" in words


def test_the_atlas_has_the_talks_cases(workplace: Path) -> None:
    table = read_table(Path(layout.map_table("atlas", "points")))
    lines = text_of(elements("<table-atlas-cases>")).split("|")
    for name, ratio, order in (
        ("case1", 0.9, "aligned"),
        ("case2", 0.9, "reversed"),
        ("case5", 1.0, "aligned"),
    ):
        (row,) = table[
            (table["importance_ratio"] == ratio)
            & (table["order"] == order)
            & (table["mean_density"] == 0.5)
            & (table["steepness"] == 9)
        ].to_dict("records")
        cells = lines[lines.index(name) :]
        assert cells[1:4] == ["linear", f"{row['n_represented']:.2f}", str(row["best_n_represented"])]
        assert cells[7] == f"{100 * row['keeps_best']:.0f}\u202f%"
        best = "yes" if row["best_not_all_represented"] else "no"
        assert cells[9].startswith(f"O1: {100 * row['not_all_represented']:.0f}\u202f%, best: {best}")


def test_the_atlas_says_nothing_of_predictions_where_there_are_none(workplace: Path) -> None:
    assert "Without a search, the prediction keeps" in text_of(elements("par"))
    unknown = {"predicted_n_represented": None, "agrees": pd.NA}
    change(
        layout.map_table("atlas", "points"),
        lambda table: table.assign(**unknown).astype({"agrees": "boolean"}),
    )
    assert report() == 0
    assert "Without a search, the prediction keeps" not in text_of(elements("par"))
    lines = text_of(elements("<table-atlas-cases>")).split("|")
    assert lines[lines.index("case1") + 4] == "–"


def test_the_atlas_is_left_out_where_there_is_none(workplace: Path) -> None:
    spec = {name: value for name, value in SPEC.items() if name != "maps"}
    shutil.rmtree("results/maps")
    assert report(spec) == 0
    assert "The atlas" not in text_of(elements("heading"))
    document = json.loads(Path("results/report.json").read_text())
    assert document["atlas"] is None
    assert "maps" not in {row["kind"] for row in document["provenance"]["made_by"]}


def shown_share(n_holding: int, n: int) -> str:
    low, high = wilson_interval(n_holding, n)
    bounds = (
        f"{100 * low:.0f}"
        if f"{100 * low:.0f}" == f"{100 * high:.0f}"
        else f"{100 * low:.0f}–{100 * high:.0f}"
    )
    return f"{100 * n_holding / n:.0f}\u202f% ({bounds})"


def test_theory_stands_in_the_report_as_its_tables_have_it(workplace: Path) -> None:
    predictions = read_table(Path(layout.map_table("drawn", "predictions")))
    lines = text_of(elements("<table-predictor>")).split("|")
    for family, own in predictions.groupby("family"):
        at = lines.index(str(family).replace("_", " "))
        shares = [shown_share(int(own[rule].sum()), len(own)) for rule in ("bare_agrees", "agrees")]
        assert lines[at + 1 : at + 4] == [str(len(own)), *shares]
    losses = read_table(Path(layout.experiment_table("talk", "losses")))
    lines = text_of(elements("<table-losses>")).split("|")
    for case, own in losses.groupby("case"):
        at = lines.index(str(case))
        assert lines[at + 3] == shown_share(int((own["n_represented"] == 5).sum()), len(own))
        assert lines[at + 4] == shown_share(int(own["keeps_best"].sum()), len(own))
    (crossing,) = read_table(Path(layout.map_table("one_varied", "crossings"))).to_dict("records")
    numbers = json.loads(Path("results/report.json").read_text())["theory"]
    assert numbers["perturbation"][0]["crossings"][0]["varied"] == crossing["varied"]
    features = read_table(Path(layout.map_table("biases", "features")))
    densest = features[features["probability"] == features["probability"].max()]
    assert len(numbers["bias"]) == len(densest)
    assert {row["best_bias"] for row in numbers["bias"]} == set(densest["best_bias"])


def test_theory_is_left_out_where_nothing_is_compared(workplace: Path) -> None:
    spec = {name: value for name, value in SPEC.items() if name != "maps"}
    spec["experiments"] = {
        name: {**described, "n_features": 9} if "n_features" in described else described
        for name, described in spec["experiments"].items()
        if name != "controls"
    }
    shutil.rmtree("results/maps")
    change(layout.claims(), lambda table: table[table["experiment"] != "controls"])
    draw(spec)
    assert report(spec) == 0
    assert elements("<table-losses>") == []
    headings = text_of(elements("heading"))
    assert "is a matching" in headings  # of no configuration
    assert "the schedule or the training" not in headings


def test_a_changed_result_changes_the_report(workplace: Path) -> None:
    before = Path("results/report.pdf").read_bytes()
    change(layout.experiment_table("talk", "saes"), lambda table: table.assign(mmcs=0.4321))
    assert report() == 0
    assert Path("results/report.pdf").read_bytes() != before
    assert "0.43" in text_of(elements("<table-saes>"))


def test_undefined_measures_are_counted_and_not_averaged_in_silence(workplace: Path) -> None:
    def blank(table: pd.DataFrame) -> pd.DataFrame:
        first = table.groupby("case").head(1).index
        table.loc[first, "mmcs"] = float("nan")
        return table.assign(fvu=float("nan"))

    change(layout.experiment_table("talk", "saes"), blank)
    assert report() == 0
    row = json.loads(Path("results/report.json").read_text())["saes"][0]
    assert row["n_defined"]["mmcs"] == row["n_saes"] - 1
    assert row["mean"]["fvu"] is None
    assert "–" in text_of(elements("<table-saes>"))


def test_every_figure_of_the_catalogue_is_there_once_with_its_alt_text(workplace: Path) -> None:
    figures = catalogue.figures(config.load(SPEC))
    images = {element["source"]: element["alt"] for element in elements("image")}
    assert images == {f"figures/{figure.name}.svg": figure.alt for figure in figures}
    captions = [text_of(element["caption"]) for element in elements("figure.where(kind: image)")]
    assert len(captions) == len(figures)


def test_titles_come_out_letter_by_letter(workplace: Path) -> None:
    assert HOSTILE in text_of(elements("<table-cases>"))
    captions = [text_of(element["caption"]) for element in elements("figure.where(kind: image)")]
    assert any(f"Of {HOSTILE}: what is shown." in caption for caption in captions)


def test_the_configuration_is_there_in_full(workplace: Path) -> None:
    import yaml

    (block,) = [
        element["text"] for element in elements("raw.where(block: true)") if "n_hidden" in str(element)
    ]
    assert yaml.safe_load(block) == SPEC


def test_text_follows_what_the_configuration_leaves_out(workplace: Path) -> None:
    spec = copy.deepcopy(SPEC)
    spec["experiments"] = {"mine": {**spec["experiments"]["talk"], "role": "", "saes": None, "claims": False}}
    rename("talk", "mine")
    change(layout.claims(), lambda table: table.iloc[:0])
    draw(spec)
    assert report(spec) == 0
    headings = text_of(elements("heading.where(level: 1)"))
    assert "Provenance" in headings
    for absent in ("Published", "The observations", "Controls", "Sparse autoencoders"):
        assert absent not in headings


def test_an_experiment_of_another_name_has_a_section(workplace: Path) -> None:
    spec = copy.deepcopy(SPEC)
    spec["experiments"]["other"] = spec["experiments"].pop("wide") | {"role": ""}
    rename("wide", "other")
    change(layout.claims(), lambda table: table.replace({"experiment": {"wide": "other"}}))
    draw(spec)
    assert report(spec) == 0
    assert "other" in text_of(elements("heading.where(level: 2)"))
    assert len(elements("figure.where(kind: image)")) == len(catalogue.figures(config.load(spec)))


def test_a_script_that_the_fonts_lack_does_not_stop_the_report(workplace: Path) -> None:
    change(layout.claims(), lambda table: table.assign(statement="稀疏性"))
    assert report() == 0
    assert Path("results/report.pdf").read_bytes().startswith(b"%PDF")


# --- what breaks it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "column"),
    [
        (layout.claims(), "ci_low"),
        (layout.experiment_table("talk", "models"), "n_dedicated"),
        (layout.experiment_table("wide", "models"), "frobenius_norm"),
        (layout.experiment_table("talk", "saes"), "recall_represented_alive"),
        (layout.schedules("controls"), "probability"),
        (layout.playground_table("runs"), "solved"),
        (layout.map_table("atlas", "points"), "keeps_best"),
    ],
)
def test_a_missing_column_leaves_no_report(
    workplace: Path, capsys: pytest.CaptureFixture[str], path: str, column: str
) -> None:
    change(path, lambda table: table.drop(columns=column))
    assert report() == 1
    message = capsys.readouterr().err.strip()
    assert message.startswith(f"error: {path}: has no column '{column}'")
    assert "\n" not in message
    assert not Path("results/report.pdf").exists()
    assert not Path("results/report.json").exists()


@pytest.mark.parametrize(
    "path",
    [
        layout.claims(),
        layout.experiment_table("controls", "models"),
        "results/models/talk/case1.safetensors",
        layout.playground_table("runs"),
        layout.map_table("atlas", "points"),
        "results/figures/slide12_all_cases.svg",
        "captions/all_cases.rst",
        "published.csv",
    ],
)
@pytest.mark.parametrize("damage", ["missing", "empty"])
def test_a_missing_or_empty_file_is_named_and_leaves_no_report(
    workplace: Path, capsys: pytest.CaptureFixture[str], path: str, damage: str
) -> None:
    if damage == "missing":
        Path(path).unlink()
    elif path.endswith((".svg", ".rst")):
        Path(path).write_bytes(b"\xff\xfe broken")
    else:
        Path(path).write_bytes(b"")
    assert report() == 1
    message = capsys.readouterr().err.strip()
    assert message.startswith("error: ")
    assert "\n" not in message
    assert Path(path).stem in message
    assert not Path("results/report.pdf").exists()


def test_a_case_without_models_is_named(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = layout.experiment_table("talk", "models")
    change(path, lambda table: table[table["case"] != "case2"])
    assert report() == 1
    assert f"{path}: has no rows of case 'case2'" in capsys.readouterr().err


def test_a_wrong_template_is_named_with_the_place(tmp_path: Path) -> None:
    template, document = tmp_path / "wrong.typ", tmp_path / "data.json"
    template.write_text("= Title\n#nothing-of-that-name\n")
    document.write_text("{}")
    with pytest.raises(ArtefactError, match=r"^\S*wrong\.typ: .*unknown variable.*wrong\.typ:2:1$"):
        typesetting.compile_pdf(template, document, [], tmp_path / "out.pdf")
    assert not (tmp_path / "out.pdf").exists()


# --- parts -------------------------------------------------------------------------------------------------


def test_captions_are_rendered_into_one_line(tmp_path: Path) -> None:
    path = tmp_path / "plane.rst"
    path.write_text(
        "Case {{ snakemake.params.labels.case }}\nof\n\n  {{ snakemake.params.labels.size }}all.\n"
    )
    assert captions.render(path, {"case": "<b>#1</b>"}) == "Case <b>#1</b> of all."


def test_a_caption_that_is_no_template_is_named(tmp_path: Path) -> None:
    path = tmp_path / "plane.rst"
    path.write_text("{{ snakemake.params.")
    with pytest.raises(ArtefactError, match=r"plane\.rst: caption can't be rendered"):
        captions.render(path, {})


def test_stages_are_summed_in_the_order_of_the_chain(tmp_path: Path) -> None:
    header = "s\th:m:s\tmax_rss\tcpu_time\n"
    for name, line in {
        "train/talk/case1": "10.5\t0:00:10\t100.0\t20.0\n",
        "train/talk/case2": "1.5\t0:00:01\t300.0\t2.0\n",
        "figures/slide05": "0.1\t0:00:00\t-\t-\n",
        "claims": "2.0\t0:00:02\t50.0\tNA\n",
        "report": "3.0\t0:00:03\t50.0\t1.0\n",
        "report_zip": "9.0\t0:00:09\t50.0\t8.0\n",
        "schedules/talk": "0.5\t0:00:00\t80.0\t0.4\n",
    }.items():
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + line)
    rows = origin.stages(tmp_path)
    assert [row["stage"] for row in rows] == ["schedules", "train", "claims", "figures"]
    assert rows[1] == {
        "stage": "train",
        "n_jobs": 2,
        "seconds": 12.0,
        "cpu_seconds": 22.0,
        "max_rss_mb": 300.0,
    }
    assert rows[3]["max_rss_mb"] is None
    assert rows[2]["cpu_seconds"] == 0.0
    assert origin.stages(tmp_path / "nowhere") == []


def test_a_damaged_benchmark_is_named(tmp_path: Path) -> None:
    (tmp_path / "claims.tsv").write_text("nothing\n1\n")
    with pytest.raises(ArtefactError, match=r"claims\.tsv: not a benchmark"):
        origin.stages(tmp_path)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("fixed(0.5, 3)", "0.500"),
        ("fixed(-0.04, 1)", "0.0"),
        ("fixed(-1.25, 1)", "−1.3"),
        ("fixed(12, 0)", "12"),
        ("fixed(none, 2)", "–"),
        ("short(0.02987)", "0.0299"),
        ("short(1.0)", "1"),
        ("whole(1234567)", "1\u202f234\u202f567"),
        ("whole(1024)", "1024"),
        ("signed-percent(0.125)", "+12.5\u202f%"),
        ("interval(0.1, 0.1, digits: 2)", "0.10"),
        ("duration(89.96)", "90.0\u202fs"),
        ("duration(119.7)", "2\u202fmin 0\u202fs"),
        ("duration(3725.2)", "62\u202fmin 5\u202fs"),
    ],
)
def test_numbers_are_written_as_they_should(tmp_path: Path, expression: str, text: str) -> None:
    shutil.copy(TEMPLATE.parent / "wording.typ", tmp_path)
    main = tmp_path / "main.typ"
    main.write_text(f'#import "wording.typ": *\n#metadata({expression}) <value>\n')
    found = json.loads(typst.query(main, "<value>", field="value", ignore_system_fonts=True))
    assert found == [text]
