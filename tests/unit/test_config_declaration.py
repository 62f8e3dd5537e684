"""What follows from the declarations: documentation, the schema for editors, signatures."""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas.config import declaration, families, load, read
from superposition_atlas.config.checking import plain, problems_of
from superposition_atlas.config.document import SCHEMA_PATH, TABLES, schema_text, with_tables
from superposition_atlas.config.schema import schema, sentences
from superposition_atlas.errors import ConfigError
from superposition_atlas.sae.settings import SAESettings
from superposition_atlas.sae.train_saes import train_saes
from superposition_atlas.settings.rules import fields_of
from superposition_atlas.toy_model import TrainingSettings
from superposition_atlas.training.train_toy_models import train

from .config_samples import (
    JSON_LIKE,
    LINEAR,
    README,
    ROOT,
    TALK,
    laid_over,
    message,
    talk_with,
)
from .test_config_refused import KEYS

DECLARING = [
    *dict.fromkeys(each for keys in TABLES.values() for each in keys.classes),
    *families.FAMILIES.values(),
    *declaration.KINDS.values(),
]


@pytest.mark.parametrize("declaring", DECLARING, ids=lambda declaring: declaring.__name__)
def test_every_key_has_a_sentence_and_an_optional_one_a_valid_default(declaring: type) -> None:
    assert declaring.__doc__
    for key, field in fields_of(declaring).items():
        assert re.match(r"[A-Z`].*[.)]$", sentences(declaring)[key]), key
        if field.has_default:
            problems = list(problems_of(field.rule, plain(field.default), (key,), complete=False))
            assert not problems, key


def test_the_schema_is_a_schema_and_the_file_has_it() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert SCHEMA_PATH.read_text(encoding="utf-8") == schema_text(), (
        "python -m superposition_atlas.config.document"
    )


VALIDATOR = jsonschema.Draft202012Validator(schema())


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_editors_find_nothing_wrong_with_our_files(path: Path) -> None:
    VALIDATOR.validate(read(path))
    first = path.read_text(encoding="utf-8").splitlines()[0]
    schema_file = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema_file).resolve() == SCHEMA_PATH


@settings(deadline=None)
@given(key=st.sampled_from(KEYS), value=JSON_LIKE)
def test_editors_find_nothing_wrong_with_what_loads(key: str, value: Any) -> None:
    raw = talk_with(key, value)
    try:
        load(raw)
    except ConfigError:
        return
    VALIDATOR.validate(raw)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_feature", 5),
        ("training.lr", 0.1),
        ("n_features", "5"),
        ("training.optimizer", "Adam"),
        ("training.batch_size", 0),
        ("probability", LINEAR | {"ratio": 0.9}),
        ("cases.case1.probability", {"family": "gauss"}),
        ("cases.1st", {}),
        ("seeds", [3, 4, 3]),
    ],
)
def test_editors_find_what_is_wrong(key: str, value: Any) -> None:
    assert not VALIDATOR.is_valid(talk_with(key, value))


@pytest.mark.parametrize(
    ("function", "settings_class"),
    [(train, TrainingSettings), (train_saes, SAESettings)],
    ids=["train", "train_saes"],
)
def test_training_functions_take_the_settings_as_they_are_declared(
    function: Callable[..., Any], settings_class: type
) -> None:
    parameters = inspect.signature(function).parameters
    documented = documented_arguments(function)
    for name, field in fields_of(settings_class).items():
        default = parameters[name].default
        if field.is_required:
            assert default is inspect.Parameter.empty, name
        else:
            one = field.default[0] if name in ("k", "sparsity_coefficient") else field.default
            assert default == one, name
        assert documented[name].startswith(sentences(settings_class)[name]), name


def documented_arguments(function: Callable[..., Any]) -> dict[str, str]:
    """The texts of a Google docstring's arguments, each on one line."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"\nArgs:\n(.*?)\n\n", text, re.DOTALL)
    assert section
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section[1], re.MULTILINE)
    return {name: " ".join(sentence.split()) for name, sentence in entries}


def test_the_readme_is_what_the_declarations_make_of_it() -> None:
    """Else: python -m superposition_atlas.config.document config/README.md."""
    text = README.read_text(encoding="utf-8")
    assert with_tables(text) == text
    for part in [*TABLES, "families", "kinds"]:
        assert f"<!-- table: {part} -->" in text


def test_a_changed_default_changes_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    text = README.read_text(encoding="utf-8")
    changed_field = replace(fields_of(TrainingSettings)["steps"], default=12345)
    monkeypatch.setitem(fields_of(TrainingSettings), "steps", changed_field)
    assert "`12345`" in with_tables(text)


def test_a_table_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="'nothing'"):
        with_tables("<!-- table: nothing -->\n<!-- end of table -->")


EXAMPLES = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[text.splitlines()[1].strip() for text in EXAMPLES])
def test_the_readmes_examples_load(example: str) -> None:
    changed_config = load(laid_over(yaml.safe_load(example)))
    assert str(changed_config) != str(load(read(TALK)))


def test_the_readmes_examples_do_what_they_say() -> None:
    steeper, rare_middle, *others, fewer = (yaml.safe_load(example) for example in EXAMPLES)
    config = load(laid_over(steeper, *others))
    assert all("steeper" in config.experiments[name].cases for name in ("talk", "talk_linear", "wide"))
    listed = load(laid_over(rare_middle)).experiments
    assert listed["talk"].cases["rare_middle"].probability.tolist() == [[0.9, 0.3, 0.05, 0.3, 0.9]]
    assert listed["wide"].cases.keys() == config.experiments["wide"].cases.keys() - {"steeper"}
    less = load(laid_over(fewer)).experiments
    assert "wide" not in less
    assert "case4" not in less["talk"].cases
    assert config.experiments["talk_zipf"].family == "zipf"
    medium = config.experiments["medium"]
    assert (medium.n_features, medium.n_hidden, len(medium.seeds)) == (20, 5, 64)
    assert medium.cases["case1"].training.init_scale == "xavier"
    assert {name: sae.settings["n_latents"] for name, sae in medium.saes.items()} == {"relu_simple": 20}
    pairs = config.experiments["pairs"]
    assert pairs.cases["densities"].probability.shape == (8, 2)
    assert pairs.cases["dense_last"].training == TrainingSettings(steps=20000, init_scale=0.2)


def test_the_readmes_message_is_what_one_gets() -> None:
    shown = re.search(r"```text\n(.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert shown
    assert message(talk_with("probability.first", 1.4)) == shown[1]


def test_reading_the_configuration_imports_nothing_heavy() -> None:
    program = (
        "import sys; from superposition_atlas.config import load, read; "
        "from superposition_atlas.figures.distinct_names import check_figures; "
        "check_figures(load(read(sys.argv[1]))); "
        "print(*({'torch', 'numba', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(TALK)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == ""
