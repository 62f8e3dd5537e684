"""What the rules ask for, without Snakemake."""

import ast
import inspect
import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from snakemake.scheduling.job_scheduler import JobScheduler
from superposition_atlas import config
from superposition_atlas.errors import ArtefactError, ConfigError
from superposition_atlas.figures import catalogue
from superposition_atlas.plan import parts, preflight, targets
from superposition_atlas.plan.adoption import check_unrecorded
from superposition_atlas.plan.braces import braces
from superposition_atlas.plan.inputs import JobInputs
from superposition_atlas.plan.layers import configured, one_of
from superposition_atlas.plan.priorities import JobPriorities
from superposition_atlas.plan.rate_limit import lift_rate_limit
from superposition_atlas.plan.resources import JobResources, megabytes, minutes
from superposition_atlas.plan.spec_files import SpecFiles
from superposition_atlas.plan.specs import JobSpecs, command_digest
from superposition_atlas.storage import layout
from superposition_atlas.storage.atomic import write_sealed
from superposition_atlas.storage.parquet import write_table
from superposition_atlas.storage.provenance import provenance_of, provenance_text

ROOT = Path(__file__).parents[2]
PLAN = ROOT / "workflow/src/superposition_atlas/plan"
RAW, CONFIG = configured(ROOT / "config/config.yaml", [], {})
INPUTS = JobInputs(CONFIG)
SPECS = JobSpecs(RAW, CONFIG, INPUTS)
RESOURCES = JobResources(CONFIG, SPECS, 2)
EXPERIMENT = next(name for name, own in CONFIG.experiments.items() if own.saes and own.claims)
MAP = next(name for name, own in CONFIG.maps.items() if own.seeds and own.shards > 1)


def job(**wildcards: str) -> Any:
    return SimpleNamespace(**wildcards)


def first(experiment: str = EXPERIMENT) -> Any:
    return job(experiment=experiment, case=next(iter(CONFIG.experiments[experiment].cases)))


def test_nothing_here_knows_snakemake() -> None:
    for path in PLAN.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            module = node.module if isinstance(node, ast.ImportFrom) else ""
            assert not any(str(name).startswith("snakemake") for name in [*names, module]), path


def test_the_adapters_are_few_and_no_rule_has_a_lambda() -> None:
    rules = ROOT / "workflow/rules"
    assert len((rules / "common.smk").read_text(encoding="utf-8").splitlines()) <= 80
    for path in rules.glob("*.smk"):
        assert "lambda" not in path.read_text(encoding="utf-8"), path


# --- targets -----------------------------------------------------------------------------------------------


def test_every_target_is_a_file_that_a_command_makes_and_is_named_once() -> None:
    files = targets.all_files(CONFIG)
    assert len(files) > 500
    assert len(files) == len(set(files))
    for path in files:
        place = layout.identify(path)
        assert place is not None, path
        assert place.command is not None, path


def test_all_that_the_report_and_the_figures_read_is_a_target_or_a_source() -> None:
    files = {*targets.all_files(CONFIG), catalogue.PUBLISHED_NORMS}
    assert set(targets.report_sources(CONFIG)) <= files
    for name in targets.figures_by_name(CONFIG):
        assert set(INPUTS.figure(job(figure=name))) <= files


def test_the_slides_come_before_the_rest_and_figures_first_of_all() -> None:
    priorities = JobPriorities(INPUTS)
    slides, others = (CONFIG.experiment_of_role(role) for role in ("slides", "known_answers"))
    bench = next(own for own in CONFIG.experiments.values() if own.compares_architectures)
    assert slides
    assert others
    of = {own.name: priorities.of_experiment(job(experiment=own.name)) for own in (slides, others, bench)}
    assert of[slides.name] == of[others.name] > of[bench.name] > 0  # slide 5 shows models of known answers
    figures = {name: priorities.of_figure(job(figure=name)) for name in INPUTS.figures}
    assert {value for name, value in figures.items() if name.startswith("slide")} == {max(figures.values())}
    assert max(figures.values()) > max(of.values())
    assert 0 in figures.values()


def test_cases_with_the_same_schedule_and_training_share_what_is_trained() -> None:
    alike = {
        (name, case): SPECS.stores_of_same(job(experiment=name, case=case), None)
        for name, experiment in CONFIG.experiments.items()
        for case in experiment.cases
    }
    # The same densities from toy model to toy model in both families of one size.
    slides, linear = CONFIG.experiment_of_role("slides"), CONFIG.experiments["talk_linear"]
    assert slides is not None
    (case,) = slides.cases_of_role("densities")
    assert layout.store(f"experiments/{linear.name}/{case.name}") in alike[slides.name, case.name]
    (aligned,) = slides.cases_of_role("aligned")
    assert layout.store(f"experiments/{linear.name}/{aligned.name}") not in alike[slides.name, aligned.name]
    for (name, case_name), stores in alike.items():
        assert layout.store(f"experiments/{name}/{case_name}") not in stores
        # They wait for one another, so that the later one finds the store full.
        assert RESOURCES.twins(job(experiment=name, case=case_name)) == bool(stores)
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text(encoding="utf-8"))
    assert "twin=1" in profile["resources"]


def test_an_empty_configuration_asks_for_the_report_alone() -> None:
    raw = {"experiments": {"only": {"n_features": 3, "n_hidden": 2, "seeds": 2, "cases": {"a": {}}}}}
    own = targets.all_files(config.load(raw))
    assert {layout.report(), layout.models("only", "a")} <= set(own)
    assert not any("/maps/" in path or "/attention/" in path or "/saes/" in path for path in own)


def test_an_atlas_too_large_to_solve_judges_nothing() -> None:
    """Its tables have no columns of best solutions."""
    solved = targets.answer_files(CONFIG)
    assert solved == [layout.answer(), layout.effects()]
    name = next(name for name in CONFIG.maps if catalogue.atlas(CONFIG) is CONFIG.maps[name])
    larger = replace(CONFIG.maps[name], n_features=10)
    assert targets.answer_files(replace(CONFIG, maps={**CONFIG.maps, name: larger})) == []


def test_an_experiment_and_a_map_are_targets_with_their_figures() -> None:
    raw = {
        "experiments": {
            "zipf7": {
                "n_features": 7,
                "n_hidden": 2,
                "cases": {"a": {}},
                "saes": {"plain": {"n_latents": 7}},
            },
            "norms": {"n_features": 3, "n_hidden": 2, "cases": {"a": {}}},
        }
    }
    with pytest.raises(ConfigError, match=r"^experiments.norms: got the name of a rule \(`snakemake norms`"):
        parts.files_by_name(config.load(raw))
    del raw["experiments"]["norms"]
    files = parts.files_by_name(config.load(raw))
    assert list(files) == ["zipf7"]
    planes = layout.figure("zipf7_all_cases", "svg")
    assert {layout.models("zipf7", "a"), layout.saes("zipf7", "a", "plain"), planes} <= set(files["zipf7"])
    assert set(files["zipf7"]) <= set(targets.all_files(config.load(raw)))


def test_every_rule_is_known_as_a_target() -> None:
    text = "".join(
        path.read_text() for path in [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
    )
    rules = set(re.findall(r"^(?:rule|use rule \w+ as) (\w+)", text, re.MULTILINE))
    assert rules == parts.STAGES
    assert set(re.findall(r'f"(\w+_)\{module\}"', text)) == set(parts.PREFIXES)


# --- params ------------------------------------------------------------------------------------------------


def test_a_spec_is_a_file_named_by_its_digest_which_a_run_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = SpecFiles()
    for spec in (SPECS.whole, SPECS.experiment, SPECS.case, SPECS.playground, SPECS.attention):
        path = files.of(spec)(first())
        assert path == files.of(spec)(first()) == files.untracked(spec)(first(), None)
        assert len(path) < 60
        assert not Path(path).exists()  # a dry run writes nothing
    files.write()
    for spec in (SPECS.whole, SPECS.experiment, SPECS.case, SPECS.playground, SPECS.attention):
        assert Path(files.of(spec)(first())).read_text(encoding="utf-8") == spec(first(), None)
    other = first(next(name for name in CONFIG.experiments if name != EXPERIMENT))
    later = files.of(SPECS.experiment)(other)
    assert later != files.of(SPECS.experiment)(first())
    assert json.loads(Path(later).read_text(encoding="utf-8"))


def test_a_job_that_plans_for_itself_writes_its_spec_and_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cluster without a common folder; and where a file was changed by hand."""
    monkeypatch.chdir(tmp_path)
    path = Path(SpecFiles(has_started=True).of(SPECS.case)(first()))
    written = path.read_text(encoding="utf-8")
    path.write_text("{}", encoding="utf-8")
    SpecFiles(has_started=True).of(SPECS.case)(first())
    assert path.read_text(encoding="utf-8") == written
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_spec_that_cant_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").write_text("a file", encoding="utf-8")
    files = SpecFiles()
    path = files.of(SPECS.case)(first())
    with pytest.raises(ArtefactError, match="can't be") as caught:
        files.write()
    assert path in str(caught.value)


def test_every_spec_of_a_rule_is_tracked_but_for_the_points_of_a_map() -> None:
    """Their digest, by shard, is a param of its own: a point of another shard does not concern a job."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert re.findall(r"SPEC_FILES.untracked\((SPECS\.\w+)\)", text) == ["SPECS.map_points"]
    assert "points=SPECS.shard_digest" in text
    assert text.count("< {params.spec:q}") == text.count("spec=SPEC_FILES.") == 12
    assert not re.findall(r"<<<", text)


NAMES = st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(NAMES, NAMES)
def test_braces_stand_for_the_same_paths(folders: list[str], names: list[str]) -> None:
    paths = [f"results/{folder}/{name}.parquet" for folder in folders for name in names]
    shell = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {braces(paths)}"], capture_output=True, text=True, check=True
    )
    assert shell.stdout.splitlines() == paths


def test_braces_are_short_and_leave_other_letters_alone() -> None:
    assert braces(["results/a/x.parquet", "results/a/xy.parquet"]) == "results/a/{x,xy}.parquet"
    assert braces(["m/shard=0/part.parquet", "m/shard=1/part.parquet"]) == "m/{shard=0,shard=1}/part.parquet"
    assert braces(["a b", "c"]) == "'a b' c"
    assert braces(["only.parquet"]) == "only.parquet"
    assert braces([]) == ""


def test_a_case_depends_on_no_other_case_and_on_no_title() -> None:
    changed = json.loads(json.dumps(RAW))
    experiment = changed["experiments"][EXPERIMENT]
    name, other = list(CONFIG.experiments[EXPERIMENT].cases)[:2]
    experiment["title"] = "Another"
    experiment["cases"][other] = {"probability": {"family": "constant", "value": 0.3}}
    specs = JobSpecs(changed, config.load(changed), INPUTS)
    same, moved = (job(experiment=EXPERIMENT, case=case) for case in (name, other))
    assert specs.case(same, None) == SPECS.case(same, None)
    assert specs.case(moved, None) != SPECS.case(moved, None)


def test_shards_of_a_map_cover_its_points() -> None:
    shards = range(CONFIG.maps[MAP].shards)
    digests = {SPECS.shard_digest(job(map=MAP, shard=str(shard))) for shard in shards}
    assert len(digests) == len(shards)
    assert INPUTS.map_points(job(map=MAP)) == [layout.map_part(MAP, "points", shard) for shard in shards]
    assert SPECS.points_pattern(job(map=MAP)) == layout.map_part(MAP, "points", f"{{0..{len(shards) - 1}}}")


def test_options_of_figures_have_names_of_their_own() -> None:
    """A name of the configuration stands inside a value: it may be that of an argument."""
    for figure in targets.figures_by_name(CONFIG).values():
        spec = json.loads(SPECS.figure(job(figure=figure.name), None))
        assert spec["options"] == figure.options
        named = {*CONFIG.experiments, *CONFIG.maps, *CONFIG.playground}
        assert not named & set(figure.options)


# --- resources ---------------------------------------------------------------------------------------------


def resources(cores: int | None = 4, **changes: Any) -> JobResources:
    return JobResources(replace(CONFIG, **changes), SPECS, cores)


def test_each_attempt_asks_for_as_much_again() -> None:
    point = job(map=MAP, shard="0")
    sae = job(**vars(first()), sae=next(iter(CONFIG.experiments[EXPERIMENT].saes)))
    made = resources()
    for resource, wildcards in (
        (minutes(5), first()),
        (megabytes(1000), first()),
        (made.train_minutes, first()),
        (made.train_megabytes, first()),
        (made.ensemble_megabytes, first()),
        (made.losses_minutes, first()),
        (made.sae_minutes, sae),
        (made.map_minutes, point),
        (made.solve_minutes, point),
        (made.map_megabytes, point),
        (made.measure_megabytes, point),
        (made.playground_minutes, first()),
        (made.attention_minutes, first()),
    ):
        assert resource(wildcards, 3) == 3 * resource(wildcards, 1) > 0


def test_a_gpu_is_asked_for_only_where_the_configuration_says_so() -> None:
    assert resources().gpus == 0
    assert resources(device="cuda").gpus == 1
    assert resources(engine="cuda").gpus == 1


def test_cases_share_the_cores() -> None:
    n_cases = sum(len(experiment.cases) for experiment in CONFIG.experiments.values())
    assert resources(cores=1).train_threads(first()) == 1
    assert resources(cores=3 * n_cases).train_threads(first()) == 3
    assert resources(cores=None).train_threads(first()) == 2


# --- before a run ------------------------------------------------------------------------------------------


def test_another_working_directory_finds_the_sources(tmp_path: Path) -> None:
    elsewhere = JobInputs(CONFIG, "../checkout")
    assert elsewhere.source("workflow/report/report.typ") == "../checkout/workflow/report/report.typ"
    assert elsewhere.source(layout.claims()) == layout.claims()
    assert INPUTS.source("workflow/report/report.typ") == "workflow/report/report.typ"


def test_the_package_of_another_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    preflight.check_checkout(ROOT)
    (tmp_path / "link").symlink_to(ROOT)
    preflight.check_checkout(tmp_path / "link")
    other = tmp_path / "other/workflow/src/superposition_atlas"
    with pytest.raises(ConfigError, match=r"that of another checkout, .*/other; .*pip install --editable"):
        preflight.check_checkout(ROOT, other)
    with pytest.raises(ConfigError, match=r"installed as a copy in .*site-packages.*pip install --editable"):
        preflight.check_checkout(ROOT, tmp_path / "lib/site-packages/superposition_atlas")
    with pytest.raises(ConfigError, match="braces"):
        preflight.check_checkout(tmp_path / "{x}")


def test_records_in_a_database_are_records(tmp_path: Path) -> None:
    result, memory = tmp_path / "claims.parquet", tmp_path / ".snakemake"
    result.touch()
    (memory / "log").mkdir(parents=True)
    with pytest.raises(ArtefactError, match="does not say which configuration"):
        check_unrecorded([str(result)], memory, {})
    # Snakemake made no folder for records when the run began: they are in a database elsewhere.
    preflight.note_memory(memory)
    check_unrecorded([str(result)], memory, {})
    (memory / "metadata").mkdir()
    preflight.note_memory(memory)
    with pytest.raises(ArtefactError, match="restore"):
        check_unrecorded([str(result)], memory, {})
    (memory / "metadata.db").touch()
    check_unrecorded([str(result)], memory, {})


def result_of(path: Path, spec: dict[str, Any], command: str) -> None:
    """A result of this checkout's code, as its command would write it."""
    provenance = provenance_of(spec, command_digest(command))
    if path.suffix == ".json":
        with_provenance = json.dumps({"superposition_atlas": json.loads(provenance_text(provenance))})
        write_sealed(with_provenance.encode(), path)
    else:
        write_table(pd.DataFrame({"a": [1]}), path, provenance)


def test_results_without_records_are_adopted_if_configuration_and_code_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    memory, touch = tmp_path / ".snakemake", ["snakemake", "--touch", "--forceall", "all"]
    claims, report = Path(layout.claims()), Path(layout.report_numbers())
    paths = [str(claims), str(report), "results/report.pdf"]
    result_of(claims, {"features": []}, "claims")
    with pytest.raises(ArtefactError, match=r"--touch --forceall all \(with the --configfile"):
        check_unrecorded(paths, memory, {"maps": {}})
    with pytest.raises(ArtefactError, match=r"report.json: is missing"):
        check_unrecorded(paths, memory, {"maps": {}}, touch)
    result_of(report, {"maps": {}, "seeds": 8}, "report")
    with pytest.raises(ArtefactError, match=r"report.json: is of another configuration"):
        check_unrecorded(paths, memory, {"maps": {}}, touch)
    assert "2 files of results/" in check_unrecorded(paths, memory, {"maps": {}, "seeds": 8}, touch)
    result_of(claims, {"features": []}, "answer")  # by other code
    with pytest.raises(ArtefactError, match=r"claims.parquet: was made by other code"):
        check_unrecorded(paths, memory, {"maps": {}, "seeds": 8}, touch)
    (memory / "metadata").mkdir(parents=True)
    (memory / "metadata" / "record").touch()
    assert check_unrecorded(paths, memory, {}, touch) == ""


def test_overlays_are_laid_over_in_order(tmp_path: Path) -> None:
    paths = []
    for name, device in (("a", "cuda"), ("b", "cpu")):
        paths.append(str(tmp_path / f"{name}.yaml"))
        Path(paths[-1]).write_text(f"device: {device}", encoding="utf-8")
    default = ROOT / "config/config.yaml"
    assert configured(default, paths, {})[1].device == "cpu"
    assert configured(default, [], {"overlay": paths[::-1]})[1].device == "cuda"
    assert configured(default, paths[:1], {"device": "auto"})[1].device == "auto"
    with pytest.raises(ConfigError, match="overlay: got 3"):
        configured(default, [], {"overlay": 3})


def test_no_name_matches_the_pattern_of_none() -> None:
    assert one_of([]) == "(?!)"
    assert one_of(["a", "b.c"]) == r"a|b\.c"


def test_a_file_written_as_another_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from superposition_atlas.storage.atomic import write_sealed
    from superposition_atlas.storage.provenance import provenance_text

    content = provenance_text({"spec": {}, "code": "x"}).encode()
    names = [layout.report_numbers(), "results/maps/a/results.json"]
    monkeypatch.chdir(tmp_path)
    for name in names:
        write_sealed(content, Path(name))
    preflight.refuse_damaged(names)
    os.replace(names[0], names[1])
    with pytest.raises(ArtefactError, match="is whole, but was written as another file") as error:
        preflight.refuse_damaged(names)
    assert "delete" not in str(error.value)


def test_no_limit_on_the_rate_of_jobs_is_left_to_the_scheduler() -> None:
    """Snakemake reads it from this attribute: a version that calls it otherwise would have it back."""
    scheduler = SimpleNamespace(job_rate_limiter=object())
    lift_rate_limit(scheduler)
    assert scheduler.job_rate_limiter is None
    assert "self.job_rate_limiter is None" in inspect.getsource(JobScheduler.job_selector)
