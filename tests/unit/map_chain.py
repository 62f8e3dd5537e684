"""The maps of a configuration, made by the rules' commands under results/ of the current folder."""

import json
from pathlib import Path
from typing import Any

from superposition_atlas import config
from superposition_atlas.cli.main import main
from superposition_atlas.figures import catalogue
from superposition_atlas.plan import targets
from superposition_atlas.storage import layout

TINY = {"steps": 60, "batch_size": 64, "learning_rate": 0.02, "init_scale": 0.2}
GRID = {
    "kind": "grid",
    "family": ["linear"],
    "mean_density": [0.5],
    "steepness": [9],
    "importance_ratio": [0.9],
    "order": ["aligned", "reversed"],
}
SMALL_MAPS: dict[str, Any] = {
    "drawn": {
        "title": "Random schedules",
        "n_features": 5,
        "n_hidden": 2,
        "seeds": 2,
        "n_starts": 1,
        "shards": 2,
        "training": TINY,
        "points": {"kind": "random", "count": 10, "seed": 4},
    },
    "one_varied": {
        "title": "One feature's density",
        "n_features": 5,
        "n_hidden": 2,
        "seeds": 3,
        "n_starts": 1,
        "shards": 1,
        "training": TINY,
        "points": {
            "kind": "perturbation",
            "density": 0.05,
            "feature": 0,
            "varied": [0.004, 0.009, 0.02, 0.3],
        },
    },
    "biases": {
        "title": "What the bias is for",
        "n_features": 5,
        "n_hidden": 2,
        "seeds": 3,
        "n_starts": 1,
        "shards": 1,
        "training": TINY,
        "variants": {
            "trained": {},
            "zero": {"bias": "zero"},
            "mean": {"bias": "mean"},
            "centred": {"centred_inputs": True},
        },
        "points": GRID,
    },
    "ways": {
        "title": "Ways of training",
        "n_features": 5,
        "n_hidden": 2,
        "seeds": 3,
        "n_starts": 1,
        "shards": 1,
        "training": TINY,
        "variants": {"standard": {}, "longer": {"steps": 120}, "wider": {"init_scale": "xavier"}},
        "points": GRID | {"steepness": [1, 9]},
    },
}
"""A map of each kind that the theory's figures and tables are about."""


SPEC: dict[str, Any] = {
    "experiments": {
        "other": {
            "n_features": 20,
            "n_hidden": 2,
            "seeds": 1,
            "importance": {"family": "constant", "value": 1.0},
            "probability": {"family": "constant", "value": 0.1},
            "cases": {"uniform": {}},
        }
    },
    "maps": SMALL_MAPS,
}
"""A configuration of these maps, and of an experiment since there must be one."""


def run(command: str, *arguments: object) -> None:
    """One command, which must succeed."""
    assert main([command, *map(str, arguments)]) == 0


def make_maps(spec: dict[str, Any]) -> None:
    """All tables of all maps."""
    checked = config.load(spec)
    for name in checked.maps:
        _make(checked, name)


def _make(checked: config.Config, name: str) -> None:
    described = checked.maps[name]
    parts: dict[str, list[Path]] = {"points": [], "weights": [], "solutions": []}
    biases = sorted({own.bias for own in described.variants.values() if isinstance(own.bias, str)})
    points_spec = {
        "n_features": described.n_features,
        "n_hidden": described.n_hidden,
        "points": described.points,
    }
    variants = {variant: own.as_dict() for variant, own in described.variants.items()}
    training_spec = {"seeds": list(described.seeds), "variants": variants}
    store = Path("results/checkpoints/maps") / name
    for shard in range(described.shards):
        path = {table: Path(f"results/maps/{name}/{table}/shard={shard}/part.parquet") for table in parts}
        which = ("--shards", described.shards)
        spec = ("--spec", json.dumps(points_spec))
        run("map-points", *spec, "--shard", shard, *which, "--output", path["points"])
        points = ("--points", path["points"])
        if described.seeds:
            spec = ("--spec", json.dumps(training_spec))
            run(
                "map-weights",
                *points,
                *spec,
                *which,
                "--store",
                store / "weights",
                "--output",
                path["weights"],
            )
            parts["weights"].append(path["weights"])
        searched = ("--biases", *biases, "--n-starts", described.n_starts)
        solutions = ("--store", store / "solutions", "--output", path["solutions"])
        trained = ("--weights", path["weights"]) if described.seeds else ()
        run("map-solutions", *points, *trained, *searched, *which, *solutions)
        parts["points"].append(path["points"])
        parts["solutions"].append(path["solutions"])
    given = [word for table, paths in parts.items() for word in (f"--{table}", *paths) if paths]
    table = {one: layout.map_table(name, one) for one in ("models", "solutions", "points", "features")}
    run("map-measures", *given, *(word for one, path in table.items() for word in (f"--output-{one}", path)))
    trained = [word for one in ("points", "weights") if parts[one] for word in (f"--{one}", *parts[one])]
    run("map-matching", *trained, "--output", layout.map_table(name, layout.MATCHING))
    if name in catalogue.solved_maps(checked, "random"):
        searched = ("--points", *parts["points"], "--solutions", *parts["solutions"])
        output = layout.map_table(name, "predictions")
        run("map-predictions", *searched, "--solved", table["solutions"], "--output", output)
    if name in catalogue.solved_maps(checked, "perturbation"):
        outputs = {"branches": "branches", "crossings": "crossings", "models": "branch_models"}
        pairs = [
            word
            for one, file in outputs.items()
            for word in (f"--output-{one}", layout.map_table(name, file))
        ]
        run("map-branches", *given, "--models", table["models"], *pairs)
    if name in targets.phased_maps(checked):
        outputs = {"phases": "phases", "borders": "phase_borders"}
        pairs = [
            word
            for one, file in outputs.items()
            for word in (f"--output-{one}", layout.map_table(name, file))
        ]
        run("map-phases", *given, "--models", table["models"], *pairs)
