"""Time and memory of a million toy models on their way to tables, by the commands that the workflow calls.

    python benchmarks/million.py                                        # both ways, about five minutes
    python benchmarks/million.py --schedules 8 --seeds 9 --shards 2     # a miniature, to see that it runs

A map of 128 schedules with 8,192 seeds each, whose shards are trained, solved and measured; and one case with
a million seeds, whose shards are trained, joined and measured. Training is one step long: what is measured is
everything around it. Every command is a process of its own; memory is its largest resident memory.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# A child's largest memory starts at its parent's, which therefore imports nothing large before the end.

SIZE = {"n_features": 5, "n_hidden": 2}
TRAINING = {"steps": 1, "batch_size": 4, "learning_rate": 0.01}
MOST_SEEDS = 1_000_000
"""Of a case: no more are allowed."""
RESULTS = Path(__file__).parent / "results"

Row = dict[str, Any]
Measured = tuple[str, tuple[float, float]]
"""A command, its seconds and MB."""


def command(*arguments: object) -> tuple[float, float]:
    """Seconds and largest memory (MB, 10^6 bytes) of one command of the package."""
    start = time.perf_counter()
    whole = [sys.executable, "-m", "superposition_atlas", *(str(argument) for argument in arguments)]
    child = os.posix_spawn(whole[0], whole, os.environ)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"error: {' '.join(whole)[:300]} … failed")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - start, usage.ru_maxrss * unit / 1e6


def of_map(folder: Path, schedules: int, seeds: int, shards: int) -> Iterator[Measured]:
    """The stages of a map, a measurement a command."""

    def part(table: str, shard: int) -> Path:
        return folder / table / f"shard={shard}" / "part.parquet"

    def parts(table: str) -> list[Path]:
        return [part(table, shard) for shard in range(shards)]

    points = json.dumps(SIZE | {"points": {"kind": "random", "count": schedules, "seed": 0}})
    models = json.dumps({"seeds": seeds, "variants": {"standard": settings()}})
    for shard in range(shards):
        place, cut = ("--shard", shard), ("--shards", shards)
        output = ("--output", part("points", shard))
        yield "map-points", command("map-points", "--spec", points, *place, *cut, *output)
        given = ("--points", part("points", shard), *cut)
        yield (
            "map-weights",
            command(
                *("map-weights", *given, "--spec", models, "--threads", os.cpu_count()),
                *("--store", folder / "kept" / "weights", "--output", part("weights", shard)),
            ),
        )
        yield (
            "map-solutions",
            command(
                *("map-solutions", *given, "--biases", "trained", "--n-starts", 1),
                *("--store", folder / "kept" / "solutions", "--output", part("solutions", shard)),
            ),
        )
    tables = ("models", "solutions", "points", "features")
    yield (
        "map-measures",
        command(
            *("map-measures", "--points", *parts("points"), "--weights", *parts("weights")),
            *("--solutions", *parts("solutions")),
            *(word for name in tables for word in (f"--output-{name}", folder / f"{name}.parquet")),
        ),
    )


def of_case(folder: Path, seeds: int, shards: int) -> Iterator[Measured]:
    """The stages of one case of an experiment, a measurement a command."""
    training = {key: value for key, value in settings().items() if key != "record_steps"}
    described = SIZE | {"seeds": seeds, "training": training, "cases": {"only": {}}}
    spec = json.dumps({"experiments": {"large": described}})
    schedule, whole = folder / "only.parquet", folder / "only.safetensors"
    yield "schedules", command("schedules", "--experiment", "large", "--spec", spec, "--output", schedule)
    parts = [folder / f"shard={shard}.safetensors" for shard in range(shards)]
    case = ("--schedules", schedule, "--case", "only")
    for shard, path in enumerate(parts):
        cut = ("--shard", shard, "--shards", shards, "--store", folder / "kept", "--output", path)
        yield "train", command("train", *case, *cut, "--threads", os.cpu_count())
    yield "join-models", command("join-models", *case, "--models", *parts, "--output", whole)
    models, features = folder / "models.parquet", folder / "features.parquet"
    tables = ("--output-models", models, "--output-features", features)
    measured = ("--models", whole, "--case", "only", "--shown-seeds", 8)
    yield "features", command("features", *measured, *tables)
    for name, path in (("models", models), ("features", features)):
        yield f"collect ({name})", command("collect", "--tables", path, "--output", folder / f"all_{name}")


def settings() -> dict[str, Any]:
    """All settings of training, as a map's job is given them."""
    from superposition_atlas.toy_model import TrainingSettings

    return TrainingSettings(**TRAINING).as_dict()


def measured(way: Any, *amounts: int) -> list[Row]:
    """One row a command: how often it ran, its time in all and its largest memory."""
    rows: dict[str, Row] = {}
    with TemporaryDirectory() as folder:
        for name, (seconds, memory) in way(Path(folder), *amounts):
            row = rows.setdefault(
                name, {"command": name, "jobs": 0, "seconds": 0.0, "largest_memory_mb": 0.0}
            )
            row["jobs"] += 1
            row["seconds"] += seconds
            row["largest_memory_mb"] = max(row["largest_memory_mb"], memory)
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    for row in rows.values():
        print(
            f"{row['command']:<20} {row['jobs']:>5} {row['seconds']:>9.1f} {row['largest_memory_mb']:>8.0f}",
            flush=True,
        )
    print(f"{len(files)} files, {size / 1e6:.0f} MB")
    return [*rows.values(), {"command": "all", "files": len(files), "megabytes": size / 1e6}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--schedules", type=int, default=128, help="of the map")
    parser.add_argument("--seeds", type=int, default=8192, help="of each of them")
    parser.add_argument("--shards", type=int, default=32, help="jobs that each way is cut into")
    parser.add_argument("--only", choices=["map", "case"], help="one of the two ways")
    parser.add_argument("--json", type=Path, help="file to write to")
    arguments = parser.parse_args()
    print(f"{'command':<20} {'jobs':>5} {'seconds':>9} {'MB':>8}")
    record: dict[str, Any] = {"models": arguments.schedules * arguments.seeds}
    if arguments.only != "case":
        record["map"] = measured(of_map, arguments.schedules, arguments.seeds, arguments.shards)
    if arguments.only != "map":
        record["case"] = measured(of_case, min(record["models"], MOST_SEEDS), arguments.shards)
    if arguments.json:
        import measuring

        measuring.write(measuring.machine(os.cpu_count() or 1) | record, arguments.json)


if __name__ == "__main__":
    main()
