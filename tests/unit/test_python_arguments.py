"""Every public function called with what it is not made for: it works, or says in one line what is wrong."""

import inspect
import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import superposition_atlas as sa
import torch
from superposition_atlas import metrics, schedules
from superposition_atlas.backends import memory
from superposition_atlas.errors import ArgumentError, ArtefactError, AtlasError, TheoryError
from superposition_atlas.metrics import intervals, maxima, polysemanticity, recovery
from superposition_atlas.toy_model import ToyModels

# --- what is given -----------------------------------------------------------------------------------------


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Unreadable:
    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise RuntimeError("no")


class LongWinded:
    def __repr__(self) -> str:
        return "line\n" * 1000


def hostile_values() -> Iterator[tuple[str, Any]]:
    """What notebooks hold by mistake, each with a name; anew for each call, since generators are used up."""
    half = [0.5, 0.5]
    yield from {
        "None": None,
        "True": True,
        "text": "text",
        "no text": "",
        "lines": "two\nlines",
        "bytes": b"bytes",
        "complex": 1j,
        "complex array": np.full(2, 1j),
        "nan": float("nan"),
        "infinity": float("inf"),
        "minus one": -1,
        "zero": 0,
        "2^31": 2**31,
        "2^64": 2**64,
        "10^400": 10**400,
        "-1.5": -1.5,
        "1e300": 1e300,
        "0-d integer": np.array(2),
        "0-d float": np.array(0.5),
        "0-d text": np.array("text"),
        "numpy bool": np.bool_(True),
        "ragged": [[1, 2], [3]],
        "nested": [[[[1.0]]]],
        "empty list": [],
        "empty array": np.zeros((0, 3)),
        "mapping": {"a": 1},
        "set": {"a"},
        "object": object(),
        "function": len,
        "type": int,
        "generator": (value for value in half),
        "words": ["a", "b"],
        "mixed": [0.5, None],
        "tensor": torch.tensor(half),
        "tensor with grad": torch.tensor(half, requires_grad=True),
        "tensors with grad": [torch.tensor(0.5, requires_grad=True), torch.tensor(0.5)],
        "0-d tensor with grad": torch.tensor(0.5, requires_grad=True),
        "0-d tensor": torch.tensor(2),
        "bfloat16": torch.tensor(half, dtype=torch.bfloat16),
        "sparse tensor": torch.tensor(half).to_sparse(),
        "meta tensor": torch.zeros(2, device="meta"),
        "complex tensor": torch.zeros(2, dtype=torch.complex64),
        "Series": pd.Series(half),
        "Series of text": pd.Series(["a", "b"]),
        "Series with gaps": pd.Series([1, None], dtype="Int64"),
        "DataFrame": pd.DataFrame({"a": half, "b": ["x", "y"]}),
        "range": range(2),
        "long range": range(2**40),
        "tuple": (0.5, 0.5),
        "dates": np.array(["2024-01-01"], dtype="datetime64[D]"),
        "objects": np.array([object(), 1], dtype=object),
        "masked": np.ma.masked_array(half, [True, False]),
        "large numbers": [2**70, 1],
        "records": np.zeros(2, dtype=[("a", float)]),
        "five axes": np.zeros((1, 1, 1, 1, 2)),
        "Fraction": Fraction(1, 2),
        "Decimal": Decimal("0.5"),
        "path": Path("nowhere/at/all"),
        "null path": "a\0b",
        "long path": "x" * 5000,
        "unprintable": Unprintable(),
        "unreadable": Unreadable(),
        "long-winded": LongWinded(),
    }.items()


# --- what is called ----------------------------------------------------------------------------------------

SCHEDULE = schedules.constant(2, 0.5)
TINY: dict[str, Any] = {"steps": 1, "batch_size": 2}
MODELS: ToyModels = sa.train(SCHEDULE, 2, 2, engine="torch", device="cpu", **TINY)
SAES = sa.train_saes(MODELS, n_latents=2, engine="torch", **TINY)
ALONE = [{"form": "together", "features": [0]}]
TOGETHER = [{"form": "together", "features": [0, 1]}]
STRUCTURED = sa.random_dictionaries(SCHEDULE.with_structure(TOGETHER), 2, 2)
NEURONS = sa.train(
    SCHEDULE, 2, 2, hidden="relu", output_weights="untied", engine="torch", device="cpu", **TINY
)
W, B = MODELS.W, MODELS.b
X = MODELS.sample(0, 3)
H = MODELS.encode(X)
EVALUATION = recovery.evaluate(MODELS, SAES, 8)
THEORY = {"importance": [1.0, 0.9], "probability": [0.5, 0.4], "n_hidden": 1}
FLOATS = {
    "W": np.eye(2)[None],
    "b": np.zeros((1, 2)),
    "importance": np.ones(2),
    "probability": np.full(2, 0.5),
}

CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "sample": (sa.sample, {"seeds": [1], "step": 0, "batch_size": 2, "probability": [0.5, 0.5]}),
    "sample structured": (
        sa.sample,
        {"seeds": [1], "step": 0, "batch_size": 2, "probability": [0.5, 0.5], "structure": ALONE},
    ),
    "Schedule": (sa.Schedule, {"importance": [1.0, 1.0], "probability": [0.5, 0.5]}),
    "Schedule.with_structure": (SCHEDULE.with_structure, {"structure": TOGETHER}),
    "geometric": (schedules.geometric, {"n_features": 2, "first": 0.5, "last": 0.1, "importance": 0.9}),
    "geometric ratio": (schedules.geometric, {"n_features": 2, "first": 0.5, "ratio": 0.5}),
    "linear": (schedules.linear, {"n_features": 2, "first": 0.5, "last": 0.1, "importance": [1, 1]}),
    "constant": (schedules.constant, {"n_features": 2, "value": 0.5, "importance": 0.9}),
    "uniform": (schedules.uniform, {"n_features": 2, "probability": 0.5, "importance": 0.9}),
    "zipf": (schedules.zipf, {"n_features": 2, "first": 0.5, "exponent": 1.0, "importance": 0.9}),
    "random_uniform": (schedules.random_uniform, {"n_features": 2, "low": 0.1, "high": 0.5, "seed": 1}),
    "log_uniform": (schedules.log_uniform, {"n_features": 2, "low": 0.1, "high": 0.5, "seed": 1}),
    "explicit": (schedules.explicit, {"importance": [1.0, 1.0], "probability": [0.5, 0.5]}),
    "explicit values": (schedules.explicit, {"values": [0.5, 0.5]}),
    "permutation": (schedules.permutation, {"of": SCHEDULE, "order": [1, 0], "importance": 0.9}),
    "permutation seed": (schedules.permutation, {"of": [0.5, 0.1], "seed": 1, "n_features": 2}),
    "mean": (schedules.mean, {"of": [0.5, 0.1], "importance": 0.9, "n_features": 2}),
    "per_instance": (
        schedules.per_instance,
        {"n_features": 2, "of": [0.5, 0.1], "count": 2, "importance": 1.0},
    ),
    "exact_loss": (sa.exact_loss, FLOATS),
    "exact_gradient": (sa.exact_gradient, FLOATS),
    "best_solutions": (sa.best_solutions, THEORY | {"n_starts": 0, "seed": 0, "bias": None}),
    "match": (sa.match, THEORY),
    "explore": (sa.explore, {"schedule": SCHEDULE, "n_hidden": 2, "results": None, "height": 10}),
    "predict": (sa.predict, THEORY),
    "TrainingSettings": (
        sa.TrainingSettings,
        {name: field.default for name, field in sa.TrainingSettings.__dataclass_fields__.items()},
    ),
    "SAESettings": (
        sa.SAESettings,
        {"n_latents": 2}
        | {
            name: field.default
            for name, field in sa.SAESettings.__dataclass_fields__.items()
            if name != "n_latents"
        },
    ),
    "train": (
        sa.train,
        {
            "schedule": SCHEDULE,
            "n_hidden": 2,
            "seeds": [0, 1],
            "steps": 1,
            "batch_size": 2,
            "learning_rate": 1e-3,
            "bias": "trained",
            "record_steps": [],
            "engine": "torch",
            "device": "cpu",
            "threads": 1,
            "progress": False,
            "checkpoint": None,
            "checkpoint_seconds": 60.0,
        },
    ),
    "random_dictionaries": (
        sa.random_dictionaries,
        {"schedule": SCHEDULE, "n_hidden": 2, "seeds": [0, 1], "magnitudes": "uniform"},
    ),
    "train_saes": (
        sa.train_saes,
        {
            "models": MODELS,
            "n_latents": 2,
            "architecture": "relu",
            "sparsity_coefficient": 0.2,
            "k": 1,
            "tied": False,
            "prefixes": (),
            "resampling": "auto",
            "steps": 1,
            "batch_size": 2,
            "seeds": None,
            "record_steps": (),
            "engine": "torch",
            "threads": 1,
            "progress": False,
        },
    ),
    "train_saes topk": (
        sa.train_saes,
        {"models": MODELS, "n_latents": 2, "architecture": "topk", "k": 1, "engine": "torch", **TINY},
    ),
    "evaluate": (sa.evaluate, {"models": MODELS, "saes": SAES, "n_samples": 8}),
    "models.select": (MODELS.select, {"instances": [0]}),
    "models[]": (lambda index: MODELS[index], {"index": 0}),
    "models.encode": (MODELS.encode, {"x": X}),
    "models.reconstruct": (MODELS.reconstruct, {"x": X}),
    "models.sample": (MODELS.sample, {"step": 0, "batch_size": 2}),
    "models.to_frame": (MODELS.to_frame, {"level": "both"}),
    "saes.select": (SAES.select, {"instances": [0]}),
    "saes.encode": (SAES.encode, {"h": H}),
    "saes.decode": (SAES.decode, {"activations": SAES.encode(H)}),
    "saes.reconstruct": (SAES.reconstruct, {"h": H}),
    "import_toy_model": (
        sa.import_toy_model,
        {
            "W": W[0],
            "b": B[0],
            "probability": 0.5,
            "importance": 1.0,
            "seed": 0,
            "loss": None,
            "engine": "theirs",
            "settings": None,
            "layout": "hidden_feature",
            "n_features": None,
        },
    ),
    "import_toy_models": (
        sa.import_toy_models,
        {
            "source": {"W": W, "b_final": B},
            "b": B,
            "probability": 0.5,
            "importance": 1.0,
            "seeds": None,
            "loss": None,
            "settings": None,
            "layout": "hidden_feature",
            "n_features": None,
        },
    ),
    "import_saes": (
        sa.import_saes,
        {
            "source": {
                "W_enc": np.ones((1, 2)),
                "W_dec": np.ones((2, 1)),
                "b_enc": np.zeros(2),
                "b_dec": np.zeros(1),
            },
            "decoder": None,
            "n_hidden": None,
            "n_latents": None,
            "architecture": "relu",
            "k": None,
            "apply_b_dec_to_input": True,
            "seeds": None,
            "engine": "theirs",
        },
    ),
    "read_toy_model": (sa.read_toy_model, {"path": "nowhere", "layout": None}),
    "save": (sa.save, {"ensemble": MODELS, "path": "here.safetensors"}),
    "load": (sa.load, {"path": "nowhere"}),
    "norms": (metrics.norms, {"W": W}),
    "l1_norms": (metrics.l1_norms, {"W": W}),
    "overlaps": (metrics.overlaps, {"W": W}),
    "dimensionality": (metrics.dimensionality, {"W": W}),
    "interference": (metrics.interference, {"W": W, "weight": np.ones((2, 2))}),
    "represented": (metrics.represented, {"W": W, "norm": 0.5}),
    "dedicated": (metrics.dedicated, {"W": W, "norm": 0.5, "threshold": 0.9}),
    "model_table": (metrics.model_table, {"models": MODELS}),
    "pair_table": (metrics.pair_table, {"models": STRUCTURED, "like": STRUCTURED}),
    "set_table": (metrics.set_table, {"models": STRUCTURED, "like": STRUCTURED}),
    "child_table": (
        metrics.child_table,
        {"models": STRUCTURED, "saes": SAES, "n_samples": 8, "like": STRUCTURED},
    ),
    "neuron_tables": (metrics.neuron_tables, {"models": NEURONS, "n_samples": 8}),
    "motif_table": (metrics.motif_table, {"models": NEURONS}),
    "feature_table": (metrics.feature_table, {"models": MODELS}),
    "metrics.evaluate": (metrics.evaluate, {"models": MODELS, "saes": SAES, "n_samples": 8}),
    "sae_table": (metrics.sae_table, {"evaluation": EVALUATION}),
    "latent_table": (metrics.latent_table, {"evaluation": EVALUATION}),
    "recovered_features": (metrics.recovered_features, {"evaluation": EVALUATION}),
    "history_table": (metrics.history_table, {"evaluation": EVALUATION}),
    "latent_units": (metrics.latent_units, {"evaluation": EVALUATION}),
    "neuron_table": (metrics.neuron_table, {"models": MODELS, "n_samples": 8}),
    "exact_interval": (intervals.exact_interval, {"n_holding": 1, "n": 2, "n_tests": 1, "confidence": 0.95}),
    "t_interval": (intervals.t_interval, {"values": [1.0, 2.0], "confidence": 0.95}),
    "largest_quantile": (
        maxima.largest_quantile,
        {"share": 0.95, "n_drawn": 1, "n_seen": 3, "spread_dof": 2},
    ),
    "selectivity": (
        polysemanticity.selectivity,
        {"response": np.ones((2, 2)), "is_represented": np.array([True, True])},
    ),
}

ENDLESS = {"steps": {"2^31", "2^64"}}
"""What is allowed and would take years."""


@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments_work_or_are_named_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function, baseline = CALLS[name]
    failures = []
    for argument in baseline:
        for what, value in hostile_values():
            if what in ENDLESS.get(argument, ()):
                continue
            found = flaw(function, baseline, argument, value)
            if found:
                failures.append(f"{argument} = {what}: {found}")
    assert not failures, "\n".join([f"{len(failures)} of {name}", *failures[:40]])


def flaw(function: Callable[..., Any], baseline: Mapping[str, Any], argument: str, value: Any) -> str | None:
    """Why an answer is not one line that names the argument, or None if it is, or if there is a result."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            function(**{**baseline, argument: value})
    except AtlasError as error:
        message = str(error)
        if "\n" in message or len(message) > 6000:
            return f"more than a line: {message[:80]!r}"
        # A file is named by its path, and finite numbers may still be too large for training.
        is_other = isinstance(error, ArtefactError) or message.startswith("training diverged")
        named = is_other or re.search(rf"\b{argument}\b", message)
        return None if named else f"does not name it: {message}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:80]!r}"
    return None


# --- what is taken -----------------------------------------------------------------------------------------

SAME: dict[str, Callable[[Any], Any]] = {
    "tensor": torch.tensor,
    "tensor with grad": lambda values: torch.tensor(values, requires_grad=True),
    "parameter": lambda values: torch.nn.Parameter(torch.tensor(values, dtype=torch.float64)),
    "Series": pd.Series,
    "tuple": tuple,
    "generator": iter,
    "tensors": lambda values: [torch.tensor(value, requires_grad=True) for value in values],
    "float32": lambda values: np.array(values, dtype=np.float32),
    "fractions": lambda values: [Fraction(value) for value in values],
}
"""Ways to give the same numbers; these have no rounding in float32."""


@pytest.mark.parametrize("way", SAME)
def test_numbers_are_taken_as_they_come(way: str) -> None:
    importance, probability = [1.0, 0.75, 0.5], [0.5, 0.25, 0.125]
    given = SAME[way]
    wanted = sa.Schedule(importance, probability)
    assert sa.Schedule(given(importance), given(probability)) == wanted
    assert schedules.explicit(given(importance), given(probability)) == wanted
    assert sa.predict(given(importance), given(probability), 1).cost == sa.predict(wanted, n_hidden=1).cost
    np.testing.assert_array_equal(sa.sample([3], 0, 5, given(probability)), sa.sample([3], 0, 5, probability))
    np.testing.assert_array_equal(
        sa.exact_loss(np.eye(2, 3), given([0.0, 0.0, 0.25]), given(importance), given(probability)),
        sa.exact_loss(np.eye(2, 3), [0.0, 0.0, 0.25], wanted),
    )


@pytest.mark.parametrize(
    "seeds",
    [2, range(2), (0, 1), np.arange(2), torch.arange(2), pd.Series([0, 1]), iter([0, 1]), torch.tensor(2)],
)
def test_seeds_are_a_list_or_how_many(seeds: Any) -> None:
    models = sa.train((np.ones(2), [0.5, 0.5]), 2, seeds, engine="torch", device="cpu", **TINY)
    np.testing.assert_array_equal(models.seeds, np.array([0, 1], dtype=np.uint64))
    np.testing.assert_array_equal(models.W, MODELS.W)


def test_large_seeds_are_exact() -> None:
    large = [2**53, 2**53 + 1, 2**64 - 1]
    models = sa.random_dictionaries(SCHEDULE, 2, large)
    assert models.seeds.tolist() == large
    saes = sa.train_saes(MODELS, n_latents=2, engine="torch", seeds=large[:2], **TINY)
    assert saes.seeds.tolist() == large[:2]


def test_toy_models_and_schedules_stand_for_their_arrays() -> None:
    schedule = schedules.linear(3, 0.5, 0.1, importance=0.9)
    models = sa.random_dictionaries(schedule, 1, 2)
    direct = sa.predict(schedule.importance, schedule.probability, 1)
    for cost in (sa.predict(schedule, n_hidden=1).cost, sa.predict(models).cost):
        assert cost == direct.cost
    best = [sa.best_solutions(schedule, n_hidden=1, n_starts=0), sa.best_solutions(models, n_starts=0)]
    assert best[0][0].loss == best[1][0].loss
    trained = sa.train(models, 1, 2, engine="torch", device="cpu", **TINY)
    np.testing.assert_array_equal(trained.probability, np.tile(schedule.probability, (2, 1)))
    losses = sa.exact_loss(models)
    np.testing.assert_array_equal(losses, sa.exact_loss(models.W, models.b, schedule))
    np.testing.assert_array_equal(losses, sa.exact_gradient(models)[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sa.predict(SCHEDULE, [0.5, 0.5], 1), "probability is given twice"),
        (lambda: sa.predict([1.0, 1.0], n_hidden=1), "probability is missing"),
        (lambda: sa.predict(SCHEDULE), "n_hidden is missing"),
        (lambda: sa.exact_loss(np.eye(2)), "b is missing"),
        (lambda: sa.exact_loss(MODELS, np.zeros(2)), "must be all that is given"),
        (
            lambda: sa.exact_loss(sa.random_dictionaries(SCHEDULE, 2, 1, magnitudes="binary")),
            "magnitudes of the toy models is 'binary': must be 'uniform'",
        ),
        (
            lambda: sa.predict(schedules.per_instance(2, [0.1, 0.2]), n_hidden=1),
            "probability differs between instances",
        ),
    ],
)
def test_what_is_missing_or_given_twice_is_said(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TheoryError, match=message):
        call()


# --- memory ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: sa.train(SCHEDULE, 2**31, 1), "n_hidden is 2147483648"),
        (lambda: sa.train(SCHEDULE, 2**24, 1000), "n_hidden is 16777216"),
        (lambda: sa.train(SCHEDULE, 2, 1, batch_size=2**31), "batch_size is 2147483648"),
        (lambda: sa.train_saes(MODELS, n_latents=2**31), "n_latents is 2147483648"),
        (lambda: sa.train_saes(MODELS, n_latents=2, batch_size=2**31), "batch_size is 2147483648"),
        (lambda: sa.sample(range(100_000), 0, 2**20, [0.5, 0.5]), "batch_size is 1048576"),
        (lambda: sa.evaluate(MODELS, SAES, 2**31), "n_samples is 2147483648"),
        (lambda: schedules.constant(2**31, 0.5), "n_features is 2147483648"),
        (
            lambda: schedules.per_instance(2, {"family": "constant", "value": 0.5}, 2**31),
            "count is 2147483648",
        ),
        (lambda: sa.train(SCHEDULE, 2, range(2**40)), "seeds has 1099511627776 values"),
        (lambda: sa.train(SCHEDULE, 2, itertools.count()), "seeds has more than 4194304 values"),
    ],
)
def test_sizes_that_can_not_fit_are_refused_before_memory_is_asked_for(
    call: Callable[[], Any], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "machine_memory", lambda: 64e9)
    with pytest.raises(ArgumentError, match=named):
        call()


# --- one family of errors ----------------------------------------------------------------------------------


def test_errors_are_what_python_users_expect() -> None:
    with pytest.raises(ValueError, match="probability"):
        sa.Schedule([1.0], [2.0])
    with pytest.raises(TypeError, match="n_hidden"):
        sa.train(SCHEDULE, "two", 1)  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="index is 5: must be from 0 to 1"):
        MODELS[5]
    with pytest.raises(sa.AtlasError):
        sa.exact_loss(None)  # type: ignore[arg-type]


def test_every_public_function_is_in_the_table() -> None:
    called = {function for function, _ in CALLS.values()}
    public = [(sa, sa.__all__), (metrics, metrics.__all__), (schedules, schedules.FAMILIES)]
    found = {f"{module.__name__}.{name}": getattr(module, name) for module, names in public for name in names}
    assert not {name for name, value in found.items() if inspect.isfunction(value) and value not in called}


@pytest.mark.parametrize("name", sorted(set(sa.__all__) - {"AtlasError", "__version__"}))
def test_missing_and_unknown_arguments_are_named_in_one_line(name: str) -> None:
    """Python's own message does so; a function that takes any keyword would not."""
    function = getattr(sa, name)
    if not callable(function):
        return
    with pytest.raises(TypeError, match=r"'no_such_argument'") as caught:
        function(no_such_argument=1)
    assert "\n" not in str(caught.value)
    required = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is parameter.empty
    ]
    if required:
        with pytest.raises(TypeError) as caught:
            function()
        assert f"'{required[0]}'" in str(caught.value)
        assert "\n" not in str(caught.value)
