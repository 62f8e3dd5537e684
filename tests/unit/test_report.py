"""The report, on a small chain of real results: what it says, where its numbers are from, what breaks it."""

import copy
import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from superposition_atlas import config
from superposition_atlas.cli.main import main
from superposition_atlas.errors import ArtefactError
from superposition_atlas.plan import targets
from superposition_atlas.report import captions, costs, typesetting
from superposition_atlas.report.gathered import gather
from superposition_atlas.report.ledger import Ledger
from superposition_atlas.report.sentences import bibliography
from superposition_atlas.report.sources import Sources
from superposition_atlas.storage import layout
from superposition_atlas.storage.embedded import read_provenance
from superposition_atlas.storage.parquet import read_table, table_provenance, write_table
from superposition_atlas.storage.tensors import read_tensors

from .report_chain import HOSTILE, ROOT, SPEC, TEMPLATE, build, draw, report

NUMBERS = Path("results/report.json")
MOST_WORDS = 60
"""Words of a caption."""


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


def document() -> dict[str, Any]:
    content = json.loads(NUMBERS.read_text())
    assert isinstance(content, dict)
    return content


def text_of(node: Any, codes: bool = True) -> str:
    """All words of a part of the document, blocks and cells apart by a bar."""

    def pieces(node: Any) -> Iterator[str]:
        if isinstance(node, list):
            for item in node:
                yield from pieces(item)
                if isinstance(item, list):
                    yield "|"
        elif isinstance(node, dict) and node.get("kind") in ("text", "code", "link"):
            if codes or node["kind"] == "text":
                yield node["text"]
        elif isinstance(node, dict):
            for key in ("text", "runs", "items", "caption", "header", "rows", "group", "cells"):
                yield from pieces(node.get(key, []))
                yield "|" if key in ("caption", "group", "cells") else ""

    return "".join(pieces(node)).replace("\u200b", "")


def blocks_of(kind: str, part: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    content = part or document()
    return [block for block in (*content["main"], *content["appendix"]) if block["kind"] == kind]


def headings() -> list[str]:
    return [text_of(block["text"]) for block in blocks_of("heading")]


def change(path: str, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    provenance = table_provenance(Path(path))
    write_table(edit(read_table(Path(path))), Path(path), provenance)


# --- the file ----------------------------------------------------------------------------------------------


def test_pdf_is_archival_accessible_and_the_same_each_time(workplace: Path) -> None:
    pdf = Path("results/report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-1.7")
    assert b"<pdfaid:part>2</pdfaid:part>" in pdf
    assert b"<pdfaid:conformance>A</pdfaid:conformance>" in pdf
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    assert report() == 0
    assert Path("results/report.pdf").read_bytes() == pdf


def test_the_subject_is_for_libraries_and_the_provenance_for_explain(workplace: Path) -> None:
    pdf = Path("results/report.pdf").read_bytes()
    (subject,) = re.findall(rb"/Subject\(([^)]*)\)", pdf)
    assert subject.decode() == document()["subject"]
    assert read_provenance(Path("results/report.pdf"))["spec"] == SPEC
    assert read_provenance(NUMBERS)["spec"] == SPEC


def test_cross_references_of_the_pdf_point_at_its_objects(workplace: Path) -> None:
    pdf = Path("results/report.pdf").read_bytes()
    start = int(pdf.rsplit(b"startxref", 1)[1].split()[0])
    assert pdf[start:].startswith(b"xref\n")
    entries = re.findall(rb"(\d{10}) \d{5} n", pdf[start:])
    assert len(entries) > 10
    for number, place in enumerate(entries, start=1):
        assert pdf[int(place) :].startswith(b"%d 0 obj" % number)


def test_the_summary_says_what_was_found_and_where(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["summary"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert 4 <= len([line for line in lines if line.startswith("- ")]) <= 10
    assert lines[-1] == f"The report: {Path('results/report.pdf').absolute()}"
    NUMBERS.write_text("{}")
    assert main(["summary"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {NUMBERS}")


# --- form --------------------------------------------------------------------------------------------------


def test_captions_are_short_and_say_first_what_is_found(workplace: Path) -> None:
    draw_real_captions()
    assert report() == 0
    for block in (*blocks_of("figure"), *blocks_of("table")):
        words = text_of(block["caption"]).replace(HOSTILE, "title").split()
        assert len(words) <= MOST_WORDS, (block["label"], len(words))
    tables = blocks_of("table")
    assert all(block["caption"][0]["kind"] == "strong" for block in tables)


def draw_real_captions() -> None:
    for path in (ROOT / "workflow" / "report" / "captions").glob("*.rst"):
        shutil.copy(path, Path("captions") / path.name)


def test_no_identifier_is_printed(workplace: Path) -> None:
    draw_real_captions()
    assert report() == 0
    content = document()
    words = "".join(text_of(content[part], codes=False) for part in ("main", "appendix")).replace(HOSTILE, "")
    assert "_" not in words


def test_the_abstract_has_150_words(workplace: Path) -> None:
    assert 60 < len(text_of(document()["abstract"]).split()) <= 150


def test_titles_come_out_letter_by_letter(workplace: Path) -> None:
    content = document()
    assert HOSTILE in text_of(content["main"])
    assert any(HOSTILE in text_of(block["caption"]) for block in blocks_of("figure"))


def test_every_figure_has_its_alternative_text_and_stands_once(workplace: Path) -> None:
    figures = blocks_of("figure")
    names = [block["name"] for block in figures]
    assert len(names) == len(set(names)) > 5
    every = targets.figures_by_name(config.load(SPEC))
    assert {block["name"]: block["alt"] for block in figures} == {name: every[name].alt for name in names}
    assert set(names) == set(document()["figures"])


def test_every_figure_is_referred_to_from_the_text(workplace: Path) -> None:
    content = document()
    shown = {
        block["label"]
        for part in ("main", "appendix")
        for block in content[part]
        if block["kind"] == "figure"
    }
    assert shown
    text = json.dumps([content["main"], content["appendix"]])
    unnamed = {label for label in shown if text.count(f'"{label}"') < 2}
    assert not unnamed


def test_references_are_cited_and_linked(workplace: Path) -> None:
    references = document()["references"]
    assert len(references) >= 25
    assert {entry["key"] for entry in references} <= set(bibliography.REFERENCES)
    assert all(
        entry["text"][-1]["kind"] == "link" or "https" in text_of(entry["text"]) for entry in references
    )


def test_two_parts_of_sixteen_pages(workplace: Path, tmp_path: Path) -> None:
    content = document()
    figures = [Path(f"results/figures/{name}.svg") for name in content["figures"]]
    pages = typesetting.pages(TEMPLATE, NUMBERS, figures, tmp_path / "root", 30)
    assert len(pages) <= 32


# --- numbers -----------------------------------------------------------------------------------------------

FIXED = {
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "8",
    "0.5",
    "0.9",
    "0.8",
    "0.001",
    "0.2",
    "1024",
    "10000",
    "95",
    "16",
    "17",
}
"""Numbers of the set-up, of definitions and of intervals."""


def test_every_number_in_the_text_is_in_the_ledger(workplace: Path) -> None:
    content = document()
    written = set()
    for entry in content["numbers"]:
        value = entry["value"]
        for scaled in (value, 100 * value, 1 - value, value**2):
            written |= {f"{scaled:.{digits}f}".lstrip("-") for digits in range(4)} | {f"{scaled:.3g}"}
    findings = [block for block in (*content["main"], *content["appendix"]) if block["kind"] == "paragraph"]
    assert findings
    loose = set()
    for block in findings:
        text = text_of(block["text"], codes=False).replace(HOSTILE, "").replace("\u202f", "")
        loose |= set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", text)) - written - FIXED
    assert not loose, sorted(loose)


def test_numbers_name_tables_that_exist(workplace: Path) -> None:
    tables = {entry["table"] for entry in document()["numbers"]}
    assert len(tables) > 8
    assert all(Path(table).is_file() for table in tables)


def test_ten_numbers_are_those_of_the_weights(workplace: Path) -> None:
    """From the weights alone, on a path of its own: of the package only the reader."""
    numbers = {entry["name"]: entry["value"] for entry in document()["numbers"]}
    expected = {}
    for experiment, n_hidden in (("talk", 2), ("wide", 2), ("controls", 2)):
        for path in sorted(Path("results/models", experiment).glob("*.safetensors")):
            W = read_tensors(path)[0]["W"].astype(np.float64)
            assert W.shape[1] == n_hidden
            norm = np.sqrt((W**2).sum(axis=1))
            represented = norm > 0.5
            overlaps = np.einsum("shi,shj->sij", W / np.maximum(norm, 1e-12)[:, None, :], W) ** 2
            dimensionality = norm**2 / np.maximum(overlaps.sum(axis=2), 1e-300)
            dedicated = represented & (dimensionality > 0.9)
            name = f"{experiment}.{path.stem}"
            expected[f"{name}.mean_represented"] = represented.sum(axis=1).mean()
            expected[f"{name}.mean_dedicated"] = dedicated.sum(axis=1).mean()
            expected[f"{name}.all_represented.share"] = represented.all(axis=1).mean()
            expected[f"{name}.some_dedicated.n_holding"] = dedicated.any(axis=1).sum()
    checked = random.Random(0).sample(sorted(set(expected) & set(numbers)), 10)
    for name in checked:
        assert numbers[name] == pytest.approx(expected[name]), name


def test_the_report_reads_what_its_rule_names(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    real = Ledger.read

    def noted(self: Ledger, path: str, columns: Any) -> pd.DataFrame:
        read.add(path)
        return real(self, path, columns)

    monkeypatch.setattr(Ledger, "read", noted)
    checked = config.load(SPEC)
    gather(Sources(checked, Path("results"), Path("none"), Path("captions"), Path("published.csv")))
    from superposition_atlas.figures.catalogue import PUBLISHED_NORMS

    assert read == set(targets.report_sources(checked)) - {PUBLISHED_NORMS}


def test_a_changed_result_changes_the_report(workplace: Path) -> None:
    before = Path("results/report.pdf").read_bytes()
    change(layout.experiment_table("talk", "models"), lambda table: table.assign(n_represented=5))
    assert report() == 0
    assert Path("results/report.pdf").read_bytes() != before
    assert "some toy models represent all 5 features" in text_of(document()["main"])


# --- what a configuration lacks ----------------------------------------------------------------------------


def test_text_follows_what_the_configuration_leaves_out(workplace: Path) -> None:
    spec = {"experiments": {"controls": SPEC["experiments"]["controls"] | {"role": ""}}}
    change(layout.claims(), lambda table: table.iloc[:0])
    draw(spec)
    assert report(spec) == 0
    found = headings()
    assert "Limits" in found
    for absent in ("Over all schedules", "Playground (slide 4)", "What sparse autoencoders recover"):
        assert absent not in found
    assert not any(block["label"] == "table-observations" for block in blocks_of("table"))


def test_without_maps_there_is_no_atlas(workplace: Path) -> None:
    spec = {name: value for name, value in SPEC.items() if name != "maps"}
    shutil.rmtree("results/maps")
    draw(spec)
    assert report(spec) == 0
    assert "Over all schedules" not in headings()
    assert "figure-atlas_represented" not in json.dumps(document())


def test_an_experiment_of_the_talks_size_is_another_family(workplace: Path) -> None:
    assert "Other families of schedules" in headings()
    assert any(block["label"] == "table-five-wide" for block in blocks_of("table"))


def test_a_script_that_the_fonts_lack_does_not_stop_the_report(workplace: Path) -> None:
    spec = copy.deepcopy(SPEC)
    spec["experiments"]["talk"]["cases"]["case1"]["title"] = "稀疏性"
    assert report(spec) == 0
    assert Path("results/report.pdf").read_bytes().startswith(b"%PDF")


# --- what breaks it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "column"),
    [
        (layout.claims(), "ci_low"),
        (layout.experiment_table("talk", "models"), "n_dedicated"),
        (layout.experiment_table("talk", "losses"), "keeps_best"),
        (layout.experiment_table("talk", "saes"), "sparsity_coefficient"),
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
    assert not NUMBERS.exists()


@pytest.mark.parametrize(
    "path",
    [
        layout.claims(),
        layout.experiment_table("controls", "models"),
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
    template, written = tmp_path / "wrong.typ", tmp_path / "data.json"
    template.write_text("= Title\n#nothing-of-that-name\n")
    written.write_text("{}")
    with pytest.raises(ArtefactError, match=r"^\S*wrong\.typ: .*unknown variable.*wrong\.typ:2:1$"):
        typesetting.compile_pdf(template, written, [], tmp_path / "out.pdf", {})
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
        "claims": "2.0\t0:00:02\t50.0\tNA\n",
        "report": "3.0\t0:00:03\t50.0\t1.0\n",
        "schedules/talk": "0.5\t0:00:00\t80.0\t0.4\n",
    }.items():
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + line)
    rows = costs.stages(tmp_path)
    assert [row["stage"] for row in rows] == ["schedules", "train", "claims"]
    assert (rows[1]["n_jobs"], rows[1]["cpu_seconds"], rows[1]["max_rss_mb"]) == (2, 22.0, 300.0)
    assert rows[2]["cpu_seconds"] == 0.0
    assert costs.stages(tmp_path / "nowhere") == []


def test_a_damaged_benchmark_is_named(tmp_path: Path) -> None:
    (tmp_path / "claims.tsv").write_text("nothing\n1\n")
    with pytest.raises(ArtefactError, match=r"claims\.tsv: not a benchmark"):
        costs.stages(tmp_path)
