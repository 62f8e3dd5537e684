"""A small map that is really trained and solved, by the commands that the rules call."""

import json
from pathlib import Path
from typing import Any

from superposition_atlas import config
from superposition_atlas.cli.main import main
from superposition_atlas.config import Map, seeds_as_written

TABLES = ("models", "solutions", "points", "features")
RATIO = 0.4
"""Of importance. With it, best solutions of the small map represent one to three features."""
SPEC: dict[str, Any] = {
    "experiments": {
        "talk": {
            "role": "slides",
            "n_features": 3,
            "n_hidden": 1,
            "importance": {"family": "geometric", "first": 1.0, "ratio": RATIO},
            "probability": {"family": "linear", "first": 0.9, "last": 0.1},
            "claims": True,
            "cases": {
                "case1": {"role": "aligned"},
                "case2": {
                    "role": "reversed",
                    "probability": {"family": "permutation", "of": "base", "order": "reversed"},
                },
                "case5": {
                    "role": "equal",
                    "importance": {"family": "constant", "value": 1.0},
                    "probability": {"family": "permutation", "of": "base", "order": [1, 2, 0]},
                },
                "post4": {"role": "equal", "importance": {"family": "constant", "value": 1.0}},
                "uniform": {"role": "densities", "probability": {"family": "constant", "value": 0.5}},
            },
        }
    },
    "maps": {
        "atlas": {
            "title": "A small map",
            "role": "observations",
            "n_features": 3,
            "n_hidden": 1,
            "seeds": 2,
            "n_starts": 1,
            "training": {"steps": 200, "batch_size": 64, "learning_rate": 0.01},
            "points": {
                "kind": "grid",
                "family": ["geometric", "linear"],
                "mean_density": [0.03, 0.5],
                "steepness": [1, 9],
                "importance_ratio": [1.0, RATIO],
                "order": ["aligned", "reversed"],
            },
        }
    },
}
"""A map and an experiment whose cases are among its schedules."""


def small_map() -> Map:
    """The map of SPEC."""
    return config.load(SPEC).maps["atlas"]


def build_map(described: Map, results: Path) -> Path:
    """Writes results/maps/{map}/{models,solutions,points,matching}.parquet and returns their folder."""
    folder = results / "maps" / described.name
    (points, weights, solutions), tables = (
        [folder / name / "shard=0" / "part.parquet" for name in ("points", "weights", "solutions")],
        {name: folder / f"{name}.parquet" for name in TABLES},
    )
    size = {"n_features": described.n_features, "n_hidden": described.n_hidden}
    variants = {name: training.as_dict() for name, training in described.variants.items()}
    training = {"seeds": seeds_as_written(described.seeds), "variants": variants}
    store = folder / "store"
    _run("map-points", spec=json.dumps(size | {"points": described.points}), shard=0, shards=1, output=points)
    _run(
        "map-weights",
        points=points,
        spec=json.dumps(training),
        shards=1,
        engine="fused",
        device="cpu",
        threads=1,
        store=store / "weights",
        checkpoint=store / "checkpoint.safetensors",
        output=weights,
    )
    _run(
        "map-solutions",
        points=points,
        weights=weights,
        biases="trained",
        n_starts=described.n_starts,
        shards=1,
        store=store / "solutions",
        output=solutions,
    )
    outputs = {f"output-{name}": path for name, path in tables.items()}
    _run("map-measures", points=points, weights=weights, solutions=solutions, **outputs)
    _run("map-matching", points=points, weights=weights, output=folder / "matching.parquet")
    return folder


def _run(command: str, **arguments: object) -> None:
    words = [
        word for name, value in arguments.items() for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    assert main([command, *words]) == 0
