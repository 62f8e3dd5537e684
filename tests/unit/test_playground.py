"""Slide 4's networks: the page's data sets, gradients and steps as torch's, every data set solved."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from superposition_atlas import config
from superposition_atlas.cli.main import main
from superposition_atlas.errors import TrainingError
from superposition_atlas.playground.data_sets import DATA_SETS, Points, draw_points
from superposition_atlas.playground.input_features import INPUTS, input_features
from superposition_atlas.playground.network_settings import DataSetName, InputName, Settings
from superposition_atlas.playground.networks import ACTIVATIONS, Networks, initial_networks, losses
from superposition_atlas.playground.run_tables import GRID, SOLVED, joined_networks, tables
from superposition_atlas.playground.train_networks import N_RECORDED, train_networks
from superposition_atlas.storage.parquet import read_table, table_provenance

CONFIGURED = config.load(config.read(Path(__file__).parents[2] / "config/config.yaml")).playground
FRESH = range(500, 504)
"""Seeds on which no setting was chosen."""

names = st.sampled_from(get_args(DataSetName))
seeds = st.integers(0, 2**64 - 1)
noises = st.floats(0.0, 0.5)


def points(name: DataSetName, n_points: int = 400, noise: float = 0.0, seed: int = 1) -> Points:
    return draw_points(name, [seed], n_points, n_points // 2, noise)


def radius(drawn: Points) -> np.ndarray:
    return np.linalg.norm(drawn.x, axis=-1)


# --- data sets ---------------------------------------------------------------------------------------------


@given(name=names, noise=noises, several=st.lists(seeds, min_size=1, max_size=3), n_points=st.integers(2, 60))
def test_a_seeds_points_do_not_depend_on_other_seeds(
    name: DataSetName, noise: float, several: list[int], n_points: int
) -> None:
    together = draw_points(name, several, n_points, 1, noise)
    for k, seed in enumerate(several):
        alone = draw_points(name, [seed], n_points, 1, noise)
        np.testing.assert_array_equal(together.x[k], alone.x[0])
        np.testing.assert_array_equal(together.label[k], alone.label[0])
    assert together.x.shape == (len(several), n_points, 2)


@given(name=st.sampled_from(["circle", "gaussian", "spiral"]), seed=seeds, n_points=st.integers(2, 60))
def test_both_classes_have_as_many_points(name: DataSetName, seed: int, n_points: int) -> None:
    label = points(name, n_points, seed=seed).label
    assert (label == 1).sum() - (label == -1).sum() == n_points % 2
    assert set(np.unique(label)) == {-1.0, 1.0}


@given(name=st.sampled_from(["circle", "xor", "plane", "multi_gaussian"]), seed=seeds, noise=noises)
def test_noise_of_labels_leaves_the_places_where_they_are(name: DataSetName, seed: int, noise: float) -> None:
    np.testing.assert_array_equal(points(name, seed=seed).x, points(name, noise=noise, seed=seed).x)


@given(seed=seeds, noise=noises)
def test_noise_moves_points_of_the_spiral_by_no_more_than_itself(seed: int, noise: float) -> None:
    moved = points("spiral", noise=noise, seed=seed).x - points("spiral", seed=seed).x
    assert np.abs(moved).max() <= noise + 1e-12


def test_noise_turns_labels_near_the_boundary_only() -> None:
    for name, distance in (("circle", 5 * 0.2 * np.sqrt(2)), ("xor", 5 * 0.2)):
        clean, noisy = points(name, 4000), points(name, 4000, noise=0.2)  # type: ignore[arg-type]
        turned = clean.label != noisy.label
        to_boundary = np.abs(radius(clean) - 2.5) if name == "circle" else np.abs(clean.x).min(axis=-1)
        assert 0.01 < turned.mean() < 0.3
        assert to_boundary[turned].max() <= distance


def test_the_circle_is_a_disc_inside_a_ring() -> None:
    drawn = points("circle", 4000)
    inner, outer = radius(drawn)[drawn.label == 1], radius(drawn)[drawn.label == -1]
    for found, low, high in ((inner, 0.0, 2.5), (outer, 3.5, 5.0)):
        assert low <= found.min() < low + 0.05
        assert high - 0.05 < found.max() <= high
        assert found.mean() == pytest.approx((low + high) / 2, abs=0.05)


def test_exclusive_or_has_the_sign_of_the_product_and_a_gap() -> None:
    drawn = points("xor", 4000)
    np.testing.assert_array_equal(drawn.label, np.sign(drawn.x.prod(axis=-1)))
    size = np.abs(drawn.x)
    assert 0.3 <= size.min() < 0.32
    assert 5.28 < size.max() <= 5.3


@pytest.mark.parametrize("noise", [0.0, 0.25, 0.5])
def test_clouds_stand_around_2_2_with_the_variance_of_the_noise(noise: float) -> None:
    drawn = points("gaussian", 40000, noise)
    centred = drawn.x - 2 * drawn.label[..., None]
    assert np.abs(centred.mean(axis=(0, 1))).max() < 0.05
    variance = 0.5 + 7 * noise
    np.testing.assert_allclose(np.cov(centred[0].T), variance * np.eye(2), atol=0.04 * variance)


def test_the_spirals_points_are_on_its_arms() -> None:
    drawn = points("spiral", 401)
    along = radius(drawn) / 5
    turn = 2 * np.pi * 1.75 * along + np.where(drawn.label == 1, 0, np.pi)
    np.testing.assert_allclose(
        drawn.x, 5 * along[..., None] * np.stack([np.sin(turn), np.cos(turn)], axis=-1), atol=1e-9
    )
    for label, n in ((1, 201), (-1, 200)):
        np.testing.assert_allclose(np.sort(along[drawn.label == label]), np.arange(n) / n, atol=1e-12)


def test_surfaces_are_the_plane_and_six_bumps() -> None:
    plane, bumps = points("plane", 4000), points("multi_gaussian", 4000)
    np.testing.assert_allclose(plane.label, plane.x.sum(axis=-1) / 10)
    expected = np.zeros(bumps.label.shape)
    for x1, x2, sign in (
        (-4, 2.5, 1),
        (0, 2.5, -1),
        (4, 2.5, 1),
        (-4, -2.5, -1),
        (0, -2.5, 1),
        (4, -2.5, -1),
    ):
        away = np.hypot(bumps.x[..., 0] - x1, bumps.x[..., 1] - x2)
        height = sign * np.clip(1 - away / 2, 0, None)
        expected = np.where(np.abs(height) > np.abs(expected), height, expected)
    np.testing.assert_allclose(bumps.label, expected, atol=1e-12)
    for drawn in (plane, bumps):
        assert 5.9 < np.abs(drawn.x).max() < 6.0


@given(name=names, seed=seeds, n_training=st.integers(1, 39))
def test_the_split_is_a_random_order_of_the_same_points(
    name: DataSetName, seed: int, n_training: int
) -> None:
    one, other = (draw_points(name, [seed], 40, n, 0.1) for n in (n_training, 20))
    np.testing.assert_array_equal(one.x, other.x)
    assert one.is_training.sum() == n_training
    assert one.is_training[:n_training].all()


def test_training_and_test_data_are_alike() -> None:
    drawn = points("spiral", 4000)
    for part in (drawn.is_training, ~drawn.is_training):
        assert drawn.label[0, part].mean() == pytest.approx(0, abs=0.1)
        assert radius(drawn)[0, part].mean() == pytest.approx(2.5, abs=0.1)


def test_input_features_are_what_their_names_say() -> None:
    x = np.array([[[0.5, -2.0]]])
    found = input_features(["sin_x2", "x1", "x2", "x1_squared", "x2_squared", "x1x2", "sin_x1"], x)
    np.testing.assert_allclose(found[0, 0], [np.sin(-2.0), 0.5, -2.0, 0.25, 4.0, -1.0, np.sin(0.5)])
    assert set(INPUTS) == set(get_args(InputName))
    assert set(DATA_SETS) == set(get_args(DataSetName))


# --- networks ----------------------------------------------------------------------------------------------

TORCH = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "linear": lambda z: z}


def torch_outputs(networks: Networks, parameters: torch.Tensor, features: np.ndarray) -> torch.Tensor:
    """The same networks, written once more."""
    a, at = torch.tensor(features), 0
    for layer, (source, target) in enumerate(zip(networks.sizes, networks.sizes[1:], strict=False), start=1):
        end = at + source * target
        weights = parameters[:, at:end].reshape(-1, source, target)
        z = a @ weights + parameters[:, None, end : end + target]
        a = TORCH[networks.output if layer == len(networks.sizes) - 1 else networks.hidden](z)
        at = end + target
    return a[..., 0]


def torch_loss(networks: Networks, parameters: torch.Tensor, x: np.ndarray, y: np.ndarray) -> torch.Tensor:
    return (0.5 * (torch_outputs(networks, parameters, x) - torch.tensor(y)) ** 2).mean(dim=1).sum()


@settings(max_examples=40)
@given(
    layers=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    n_inputs=st.integers(1, 7),
    hidden=st.sampled_from(sorted(ACTIVATIONS)),
    output=st.sampled_from(["tanh", "linear"]),
    seed=st.integers(0, 2**32),
)
def test_gradients_are_those_of_automatic_differentiation(
    layers: list[int], n_inputs: int, hidden: Any, output: Any, seed: int
) -> None:
    networks = initial_networks([seed, seed + 1], [n_inputs, *layers, 1], hidden, output)
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 9, n_inputs)), rng.normal(size=(2, 9))
    parameters = torch.tensor(networks.parameters, requires_grad=True)
    torch_loss(networks, parameters, x, y).backward()
    assert parameters.grad is not None
    np.testing.assert_allclose(networks.gradient(x, y), parameters.grad.numpy(), rtol=1e-9, atol=1e-12)
    outputs = networks.outputs(x)
    np.testing.assert_allclose(outputs, torch_outputs(networks, parameters, x).detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(losses(outputs, y), 0.5 * ((outputs - y) ** 2).mean(axis=1))


def test_initial_weights_are_the_pages() -> None:
    networks = initial_networks(range(200), [7, 8, 8, 1], "tanh", "tanh")
    weights = np.concatenate([layer.reshape(-1) for layer in networks.weights])
    assert -0.5 < weights.min() < -0.499
    assert 0.499 < weights.max() < 0.5
    assert weights.mean() == pytest.approx(0, abs=0.005)
    assert all((bias == 0.1).all() for bias in networks.biases)
    # No two layers share numbers.
    assert len(np.unique(weights)) == weights.size


# --- training ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("batch_size", [10, 7])  # the second doesn't divide the training data
def test_steps_are_torchs(optimizer: Any, batch_size: int) -> None:
    wanted = Settings(
        "xor", n_points=60, steps=25, batch_size=batch_size, optimizer=optimizer, learning_rate=0.05
    )
    several = [3, 9]
    trained = train_networks(wanted, several)
    drawn = draw_points("xor", several, 60, 30)
    features = input_features(wanted.inputs, drawn.x)
    networks = initial_networks(several, [2, 4, 2, 1], "tanh", "tanh")
    parameters = torch.tensor(networks.parameters, requires_grad=True)
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    steps = make([parameters], lr=0.05)
    for step in range(25):
        batch = [(step * batch_size + k) % 30 for k in range(batch_size)]
        steps.zero_grad()
        torch_loss(networks, parameters, features[:, batch], drawn.label[:, batch]).backward()
        steps.step()
    np.testing.assert_allclose(
        trained.networks.parameters, parameters.detach().numpy(), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize("name", ["circle", "multi_gaussian"])
def test_a_seeds_network_does_not_depend_on_the_others(name: DataSetName) -> None:
    wanted = Settings(name, inputs=("x1", "x2", "sin_x1"), hidden_layers=(8, 3), steps=200)
    together, alone = train_networks(wanted, [5, 2**63, 0]), train_networks(wanted, [2**63])
    np.testing.assert_array_equal(together.networks.parameters[1], alone.networks.parameters[0])
    np.testing.assert_array_equal(together.test_loss[:, 1], alone.test_loss[:, 0])


def test_losses_are_recorded_from_before_the_first_step_to_after_the_last() -> None:
    for steps, n_records in ((7, 8), (1234, N_RECORDED + 1)):
        trained = train_networks(Settings("gaussian", n_points=40, steps=steps), [0, 1])
        assert (trained.recorded_steps[0], trained.recorded_steps[-1]) == (0, steps)
        assert len(trained.recorded_steps) == len(trained.test_loss) == n_records
        features = input_features(["x1", "x2"], trained.points.x)
        start = initial_networks([0, 1], trained.networks.sizes, "tanh", "tanh")
        for networks, record in ((start, 0), (trained.networks, -1)):
            outputs = networks.outputs(features)
            for part, recorded in ((slice(0, 20), trained.training_loss), (slice(20, 40), trained.test_loss)):
                expected = losses(outputs[:, part], trained.points.label[:, part])
                np.testing.assert_allclose(recorded[record], expected)


def test_l2_shrinks_weights_in_proportion_and_leaves_biases() -> None:
    """With an optimizer that does nothing else: the learning rate alone is next to 0."""
    wanted = {"data_set": "circle", "n_points": 20, "steps": 10, "learning_rate": 1e-9}
    plain = train_networks(Settings(**wanted), [0])
    shrunk = train_networks(Settings(**wanted, regularization="l2", regularization_rate=1e8), [0])
    for before, after in zip(plain.networks.weights, shrunk.networks.weights, strict=True):
        np.testing.assert_allclose(after, 0.9**10 * before, rtol=1e-5)
    for before, after in zip(plain.networks.biases, shrunk.networks.biases, strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-5)


def test_l1_leaves_few_weights_and_what_is_0_stays_0() -> None:
    def weights(**changes: Any) -> np.ndarray:
        wanted = {"data_set": "gaussian", "hidden_layers": (8,), "steps": 2000, "regularization": "l1"}
        trained = train_networks(Settings(**{**wanted, **changes}), range(4))
        return np.concatenate([layer.reshape(4, -1) for layer in trained.networks.weights], axis=1)

    assert (weights(regularization_rate=0.0) != 0).all()
    sparse = weights(regularization_rate=0.03)
    assert 0.2 < (sparse == 0).mean() < 0.95
    earlier = weights(regularization_rate=0.03, steps=1000)
    assert (sparse[earlier == 0] == 0).all()


def test_training_that_diverges_is_one_line() -> None:
    wanted = Settings("plane", activation="relu", learning_rate=100.0, steps=500)
    with pytest.raises(TrainingError, match=r"diverged by step \d+ \(seed 4\)") as caught:
        train_networks(wanted, [4])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in CONFIGURED if name != "spiral_raw"])
def test_every_data_set_is_solved(name: str) -> None:
    """The talk's configuration, on four seeds of which the worst may fail."""
    runs = tables(name, train_networks(CONFIGURED[name].settings, FRESH))["runs"]
    assert runs["solved"].sum() >= 3
    assert runs["test_loss"].median() < 0.05


def test_the_spiral_needs_its_inputs() -> None:
    """The same networks, steps and points: from the coordinates alone they have not learned it by then."""
    errors = {}
    for name in ("spiral", "spiral_raw"):
        shorter = {**CONFIGURED[name].settings.as_dict(), "steps": 5000}
        errors[name] = tables(name, train_networks(Settings(**shorter), FRESH))["runs"]["test_error"].median()
    assert errors["spiral"] + 0.1 < errors["spiral_raw"]


WRONG = [
    ({"data_set": "spirals"}, "data_set is 'spirals'"),
    ({"activation": "elu"}, "activation is 'elu'"),
    ({"optimizer": "lion"}, "optimizer is 'lion'"),
    ({"regularization": "l3"}, "regularization is 'l3'"),
    ({"inputs": ["x3"]}, "a value of inputs is 'x3'"),
    ({"inputs": "x1"}, "inputs is 'x1': must be a list"),
    ({"hidden_layers": [4, 0]}, "a value of hidden_layers is 0"),
    ({"n_points": 1}, "n_points is 1"),
    ({"steps": 0}, "steps is 0"),
    ({"noise": -1}, "noise is -1"),
    ({"learning_rate": 0}, "learning_rate is 0"),
    ({"training_share": 100}, "training_share is 100"),
    ({"training_share": 0.01}, "training_share is 0.01"),
    ({"batch_size": 251}, "batch_size is 251: must be an integer ≥ 1 and ≤ 250"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[message for _, message in WRONG])
def test_wrong_settings_are_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError) as caught:
        Settings(**{"data_set": "xor", **changes})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


# --- tables ------------------------------------------------------------------------------------------------

SETTINGS = {
    "first": Settings("spiral", n_points=60, inputs=("x2", "sin_x1"), hidden_layers=(3, 2), steps=40),
    "second": Settings(
        "plane", n_points=50, training_share=40, hidden_layers=(2,), activation="relu", steps=40
    ),
}
COLUMNS = {
    "runs": {"steps", "training_loss", "test_loss", "training_error", "test_error", "test_fvu", "solved"},
    "curves": {"step", "training_loss", "test_loss"},
    "points": {"x1", "x2", "label", "is_training"},
    "units": {"layer", "unit", "name", "used", "bias", "response"},
    "weights": {"layer", "source", "target", "weight"},
}


@pytest.fixture(scope="module")
def found() -> dict[str, pd.DataFrame]:
    return joined_networks({name: train_networks(own, [8, 1, 6]) for name, own in SETTINGS.items()})


def test_tables_have_their_columns_and_rows(found: dict[str, pd.DataFrame]) -> None:
    assert found.keys() == COLUMNS.keys()
    for name, columns in COLUMNS.items():
        assert columns | {"network", "data_set", "seed", "shown"} <= set(found[name].columns), name
        assert list(found[name]["network"].unique()) == list(SETTINGS)
        assert (found[name]["shown"] == (found[name]["seed"] == 8)).all()
    assert len(found["runs"]) == 2 * 3
    assert len(found["curves"]) == 2 * 3 * 41
    assert found["points"].groupby("network").size().to_dict() == {"first": 60, "second": 50}
    assert found["points"].groupby("network")["is_training"].sum().to_dict() == {"first": 30, "second": 20}
    for name in ("points", "units", "weights"):
        assert set(found[name]["seed"]) == {8}


def test_errors_are_those_of_the_points_and_weights_in_the_tables(found: dict[str, pd.DataFrame]) -> None:
    """The drawn network once more, from its tables alone."""
    hidden = {"first": np.tanh, "second": lambda z: np.maximum(z, 0)}
    for name, own in SETTINGS.items():
        here = {table: rows[rows["network"] == name] for table, rows in found.items()}
        x = here["points"][["x1", "x2"]].to_numpy()
        a = input_features(list(INPUTS), x)
        for layer, weights in here["weights"].groupby("layer"):
            bias = here["units"].loc[here["units"]["layer"] == layer, "bias"].to_numpy()
            z = np.tile(bias, (len(x), 1))
            for row in weights.itertuples():
                z[:, row.target] += row.weight * a[:, row.source]
            last = layer == len(own.hidden_layers) + 1
            a = z if last and name == "second" else np.tanh(z) if last else hidden[name](z)
        label, test = here["points"]["label"].to_numpy(), ~here["points"]["is_training"].to_numpy()
        run = here["runs"][here["runs"]["shown"]].iloc[0]
        squares = (a[:, 0] - label) ** 2
        assert run["training_loss"] == pytest.approx(0.5 * squares[~test].mean())
        assert run["test_loss"] == pytest.approx(0.5 * squares[test].mean())
        assert run["test_fvu"] == pytest.approx(squares[test].mean() / label[test].var())
        wrong = np.sign(a[:, 0]) != label
        if name == "first":
            assert run["test_error"] == pytest.approx(wrong[test].mean())
            assert run["training_error"] == pytest.approx(wrong[~test].mean())
        else:
            assert np.isnan(run["test_error"])
        curve = here["curves"][here["curves"]["shown"]].iloc[-1]
        assert (curve["step"], curve["test_loss"]) == (own.steps, run["test_loss"])


def test_solved_is_what_is_below_the_threshold(found: dict[str, pd.DataFrame]) -> None:
    runs = found["runs"]
    error = runs["test_error"].where(~runs["is_regression"], runs["test_fvu"])
    assert (runs["threshold"] == SOLVED).all()
    assert (runs["solved"] == (error < SOLVED)).all()


def test_responses_run_from_left_to_right_and_from_the_bottom_up(found: dict[str, pd.DataFrame]) -> None:
    units = found["units"].query("network == 'first'")
    assert units.groupby("layer").size().tolist() == [7, 3, 2, 1]
    inputs = units[units["layer"] == 0].set_index("name")
    assert list(inputs.index) == list(INPUTS)
    assert list(inputs.index[inputs["used"]]) == ["x2", "sin_x1"]
    x1, x2 = (np.reshape(inputs.loc[name, "response"], (GRID, GRID)) for name in ("x1", "x2"))
    middles = (np.arange(GRID) + 0.5) * 12 / GRID - 6
    np.testing.assert_allclose(x1, np.tile(middles, (GRID, 1)), rtol=1e-6)
    np.testing.assert_allclose(x2, np.tile(middles[:, None], (1, GRID)), rtol=1e-6)
    bottom = units[units["layer"] == 1].iloc[0]
    weights = (
        found["weights"]
        .query("network == 'first' and layer == 1 and target == 0")
        .set_index("source")["weight"]
    )
    assert set(weights.index) == {list(INPUTS).index("x2"), list(INPUTS).index("sin_x1")}
    expected = np.tanh(
        bottom["bias"] + sum(weight * inputs["response"].iloc[k] for k, weight in weights.items())
    )
    np.testing.assert_allclose(bottom["response"], expected, atol=1e-5)


# --- the command -------------------------------------------------------------------------------------------


def arguments(folder: Path, spec: dict[str, Any]) -> list[str]:
    outputs = [word for name in COLUMNS for word in (f"--output-{name}", str(folder / f"{name}.parquet"))]
    return ["playground", "--spec", json.dumps(spec), *outputs]


def test_the_command_writes_the_same_bytes_each_time(tmp_path: Path) -> None:
    spec = {"mine": {**SETTINGS["first"].as_dict(), "seeds": [4, 2]}}
    for folder in ("once", "again"):
        assert main(arguments(tmp_path / folder, spec)) == 0
    for name in COLUMNS:
        once, again = (tmp_path / folder / f"{name}.parquet" for folder in ("once", "again"))
        assert once.read_bytes() == again.read_bytes()
        assert table_provenance(once)["spec"] == {"networks": spec}
    expected = tables("mine", train_networks(SETTINGS["first"], [4, 2]))["runs"]
    pd.testing.assert_frame_equal(read_table(tmp_path / "once/runs.parquet"), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_set": "moons"}, "data_set is 'moons'"),
        ({"data_set": "plane", "activation": "relu", "learning_rate": 100.0}, "training has diverged"),
    ],
)
def test_what_goes_wrong_names_the_network_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    spec = {"mine": {**Settings("xor", steps=500).as_dict(), "seeds": [0], **changes}}
    assert main(arguments(tmp_path, spec)) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: playground.mine: {message}")
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_seeds_are_exact_in_the_tables(tmp_path: Path) -> None:
    """A list of small and large seeds is one of floats to numpy, in which these two are one."""
    seeds = [2**63 + 1, 2**63 + 2, 5]
    settings = Settings("xor", steps=2)
    assert main(arguments(tmp_path, {"mine": {**settings.as_dict(), "seeds": seeds}})) == 0
    runs = read_table(tmp_path / "runs.parquet")
    assert runs["seed"].tolist() == seeds
    assert runs["shown"].tolist() == [True, False, False]
    curves = read_table(tmp_path / "curves.parquet")
    assert list(dict.fromkeys(curves["seed"].tolist())) == seeds
    for name in ("points", "units", "weights"):
        assert set(read_table(tmp_path / f"{name}.parquet")["seed"].tolist()) == {seeds[0]}
