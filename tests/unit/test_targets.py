"""`targets`: what Snakemake can make of a configuration, a sentence each."""

from pathlib import Path

import pytest
from superposition_atlas.cli.main import main
from superposition_atlas.config import laid_over, load, read
from superposition_atlas.plan.targets import figures_by_name
from superposition_atlas.storage import layout

ROOT = Path(__file__).parents[2]


def test_targets_are_a_page_that_names_each_with_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["targets", "config/smoke.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("snakemake --cores all --configfile config/smoke.yaml -- TARGET")
    assert max(map(len, lines)) < 300
    named = {line.split()[0]: line.split(maxsplit=1)[1:] for line in lines if line.startswith("  ")}
    assert all(named.values())
    wanted = load(laid_over(read(ROOT / "config/config.yaml"), read(ROOT / "config/smoke.yaml")))
    assert set(wanted.experiments) <= set(named)
    assert {layout.figure(name, "svg") for name in figures_by_name(wanted)} <= set(named)
    assert main(["targets", "config/missing.yaml"]) == 1
