"""Every code block of README and docs runs, in small, or says in its first line why it does not."""

import argparse
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import superposition_atlas as sa
import yaml
from superposition_atlas.attention import train_attention
from superposition_atlas.cli.main import COMMANDS
from superposition_atlas.config import load, read
from superposition_atlas.plan.parts import STAGES
from superposition_atlas.storage import layout
from superposition_atlas.storage.interchange import write_toy_model

from .config_samples import laid_over
from .test_docs import PAGES, ROOT, code_blocks, text_of

REASONS = {"needs SAELens", "needs a GPU", "needs anywidget"}
NOT_RUN = re.compile(r"# not run in our tests: (.*)\n")
MOST_NOT_RUN = 3
WITH_PYTHON = [page for page in PAGES if code_blocks(page, "python")]
WITH_SHELL = [page for page in PAGES if code_blocks(page, "sh")]


def named(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


def in_small(block: str) -> str:
    """The block with fewer steps."""
    return re.sub(r"steps=\d+", "steps=12", block)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of a few steps, in a folder that has what blocks read."""

    def with_less(function: Any, **less: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            return function(*given, **{**named, **less})

        return call

    few = {"steps": 12, "batch_size": 16, "progress": False, "engine": "torch"}
    monkeypatch.setattr(sa, "train", with_less(sa.train, **few), raising=False)
    monkeypatch.setattr(sa, "train_saes", with_less(sa.train_saes, resampling="none", **few), raising=False)
    monkeypatch.setattr(sa, "best_solutions", with_less(sa.best_solutions, n_starts=0), raising=False)
    monkeypatch.setattr(
        train_attention, "train_attention", with_less(train_attention.train_attention, steps=3)
    )
    monkeypatch.chdir(tmp_path)
    models = sa.import_toy_model(np.eye(2, 3), probability=0.3, n_features=3)
    Path("results/maps/atlas").mkdir(parents=True)
    points().to_parquet("results/maps/atlas/points.parquet")
    sa.explore().save("results/explorer.html")
    write_toy_model(models, 0, Path("toy.safetensors"))


def points() -> pd.DataFrame:
    """Invented rows of a map."""
    grid = [{"mean_density": p, "steepness": s} for p in (0.1, 0.3) for s in (2.0, 10.0)]
    same = {
        "variant": "v",
        "family": "geometric",
        "importance_ratio": 0.9,
        "order": "aligned",
        "agrees": True,
    }
    counts = dict.fromkeys(("n_represented", "best_n_represented", "predicted_n_represented"), 4.0)
    counts |= {
        "n_dedicated": 0.5,
        "best_n_dedicated": 1,
        "keeps_best": 0.5,
        "median_excess": 0.01,
        "agrees": 1,
    }
    rows = [row | same | counts | {"key": str(k), "best_kept": "11110"} for k, row in enumerate(grid)]
    return pd.DataFrame(rows)


@named(WITH_PYTHON)
def test_python_runs(page: Path, small: None) -> None:
    """The blocks of a page one after the other, as a reader would."""
    names: dict[str, Any] = {}
    for block in code_blocks(page, "python"):
        if not NOT_RUN.match(block):
            # The documentation of this checkout, as its reader would run it: no text from elsewhere.
            exec(compile(in_small(block), str(page), "exec"), names)


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    blocks = [block for page in WITH_PYTHON for block in code_blocks(page, "python")]
    reasons = [found[1] for block in blocks if (found := NOT_RUN.match(block))]
    assert set(reasons) <= REASONS
    assert len(reasons) <= MOST_NOT_RUN


def lines_of(block: str) -> Iterator[list[str]]:
    """The commands of a block as words, without comments and what continues over lines."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words:
            yield words


def configurations(page: Path) -> set[str]:
    """Files that a page tells to write."""
    blocks = code_blocks(page, "yaml")
    return {match[1] for block in blocks if (match := re.match(r"# (config/\S+)\n", block))}


def check_snakemake(words: list[str], page: Path) -> None:
    """Configuration files are in the checkout or written on the page; targets are rules or parts."""
    written = {"config/mine.yaml", *configurations(page)}
    named = [read(ROOT / word) for word in words if (ROOT / word).is_file() and word.endswith(".yaml")]
    loaded = load(laid_over(*named))
    parts = {*loaded.experiments, *loaded.maps, *loaded.papers()}
    for block in code_blocks(page, "yaml"):
        parts |= set(load(laid_over(yaml.safe_load(block))).experiments)
    rest = words[words.index("--") + 1 :] if "--" in words else [words[-1]]
    for word in words:
        if word.startswith("config/") and word.endswith(".yaml"):
            assert (ROOT / word).is_file() or word in written, word
    for target in rest:
        assert (
            target in STAGES | parts or layout.identify(target) or not re.fullmatch(r"[a-z_]\w*", target)
        ), target


@named(WITH_SHELL)
def test_shell_commands_and_their_options_exist(page: Path) -> None:
    """Commands of the package are parsed, with all their options; targets of make and Snakemake exist."""
    makefile = text_of(ROOT / "Makefile")
    for block in code_blocks(page, "sh"):
        for words in lines_of(block):
            if words[:3] == ["python", "-m", "superposition_atlas"]:
                name, *options = [word for word in words[3:] if word not in ("2>&1",)]
                parser = argparse.ArgumentParser()
                import_module(f"superposition_atlas.cli.commands.{name.replace('-', '_')}").configure(parser)
                assert name in COMMANDS
                parser.parse_args(options)
            elif words[0] == "make":
                targets = [word for word in words[1:] if "=" not in word]
                assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets), words
            elif words[0] == "snakemake":
                check_snakemake(words, page)
