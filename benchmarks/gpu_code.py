"""What the compiler makes of the GPU engine's kernels, without a GPU: registers, spills, instructions.

    python benchmarks/gpu_code.py [--shape 5-2 ...] [--json FILE]

Triton compiles for sm_90 (H100, H200) anywhere. `stack_bytes` is where registers would be spilled to. Of
`take_steps`, which trains small toy models, the loops are found in the machine code by its backward branches:
the inner one draws and works through 4 samples a lane, the outer one is a step. From these follows an
estimate, which is no measurement: instructions that a warp issues for a whole training, against the rate at
which an H200 can issue them. It is the most that this code could reach; waiting for results, and whatever
else is not in the count, makes it less. Exits with 3 where nothing can be compiled.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import measuring

TARGET = 90
WARPS = 4
"""Of one instance at this batch size: `cuda_small.n_warps`."""
STEPS, BATCH_SIZE = 10_000, 1024
H200 = {"multiprocessors": 132, "issues_a_clock_and_multiprocessor": 4, "clock_ghz": 1.755}
"""A scheduler issues one warp's instruction a clock. The clock is one that the card may keep under load: its
datasheet has 1.98 GHz as the most."""

TYPES = {
    "loss_sum": "*fp64", "losses": "*fp64", "clock": "*i64", "first_step": "i64",
    **dict.fromkeys(("threshold", "keys", "structure"), "*u32"),
    **dict.fromkeys(("to_mean", "n_outputs", "weight_decay", "momentum"), "fp32"),
    **dict.fromkeys(("n_steps", "batch_size", "n_samples", "n", "m", "n_W", "length", "n_blocks"), "i32"),
}  # fmt: skip
"""Of arguments that are no pointers to float32."""

SMALL = {"RELU": True, "CENTRED": False, "MAGNITUDES": "uniform", "STRUCTURED": False}
OPTIMIZER = {"OPTIMIZER": "adam"}
TILES = {"CENTRED": False, "FEATURES": 32}


def kernels(shapes: list[tuple[int, int]]) -> dict[str, tuple[Any, dict[str, Any], int]]:
    """Name → kernel, its constants, its warps."""
    from superposition_atlas.sampling.triton_stream import draw
    from superposition_atlas.training.cuda import small_kernels, wide_kernels

    found: dict[str, tuple[Any, dict[str, Any], int]] = {}
    rare = {"CENTRED": True, "MAGNITUDES": "lognormal"}
    for n, m in shapes:
        size = {"N": n, "M": m} | SMALL
        training = size | OPTIMIZER | {"TRAINS_BIAS": True, "WHOLE": True, "LANES": 32 * WARPS}
        found[f"take_steps {n}-{m}"] = small_kernels.take_steps, training, WARPS
        found[f"take_steps {n}-{m} lognormal"] = (
            small_kernels.take_steps,
            training | rare | {"WHOLE": False},
            WARPS,
        )
        structured = training | {"STRUCTURED": True}
        found[f"take_steps {n}-{m} structured"] = small_kernels.take_steps, structured, WARPS
        found[f"sum_losses {n}-{m}"] = small_kernels.sum_losses, size | rare | {"LANES": 32}, 1
    steps = {"STEPS": 4096, "BLOCK": 256} | OPTIMIZER
    drawing = TILES | {"PURPOSE": 0, "MAGNITUDES": "uniform", "STRUCTURED": False, "QUADS": 16}
    return found | {
        "draw": (draw, drawing, 4),
        "draw lognormal": (draw, drawing | rare, 4),
        "draw structured": (draw, drawing | {"STRUCTURED": True}, 4),
        "respond": (wide_kernels.respond, TILES | {"RELU": True, "ROWS": 64}, 4),
        "update_weights": (wide_kernels.update_weights, steps, 4),
        "update_biases": (wide_kernels.update_biases, steps | {"TRAINS_BIAS": True}, 4),
    }


def compiled(kernel: Any, constants: dict[str, Any], warps: int) -> bytes:
    """Machine code."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = kernel.arg_names
    signature = {name: "constexpr" if name in constants else TYPES.get(name, "*fp32") for name in names}
    fixed = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(kernel, signature, fixed)
    code = triton.compile(source, target=GPUTarget("cuda", TARGET, 32), options={"num_warps": warps})
    return bytes(code.asm["cubin"])


def read(cubin: bytes) -> dict[str, Any]:
    """What a kernel takes up, and the instructions of its loops, innermost first."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        usage, text = (_cuobjdump(option, file.name) for option in ("-res-usage", "-sass"))
    sizes = re.search(r"REG:(\d+) STACK:(\d+) SHARED:(\d+)", usage)
    assert sizes is not None, usage
    places = re.findall(r"/\*([0-9a-f]{4,5})\*/\s+(?:@!?U?P\w+ )?([A-Z0-9]+)([^;]*);", text)
    at = [int(place, 16) for place, _, _ in places]
    loops = []
    for here, (_, name, rest) in zip(at, places, strict=True):
        target = re.search(r"0x([0-9a-f]+)\s*$", rest) if name == "BRA" else None
        if target is not None and int(target[1], 16) < here:
            inside = Counter(
                other
                for there, (_, other, _) in zip(at, places, strict=True)
                if int(target[1], 16) <= there <= here
            )
            loops.append(inside)
    registers, stack, shared = map(int, sizes.groups())
    return {
        "registers": registers,
        "stack_bytes": stack,
        "shared_bytes": shared,
        "instructions": sum(name != "NOP" for _, name, _ in places),
        "loops": sorted(loops, key=Counter.total),
    }


def _cuobjdump(option: str, path: str) -> str:
    import triton

    tool = triton.knobs.nvidia.cuobjdump.path
    return subprocess.run([tool, option, path], check=True, capture_output=True, text=True).stdout


def estimate(inner: int, step: int) -> dict[str, float]:
    """Instructions of a warp, and the models a second if all of a card's issue slots were full."""
    turns = -(-BATCH_SIZE // (4 * 32 * WARPS))
    of_step = WARPS * (turns * inner + (step - inner))
    issues = H200["multiprocessors"] * H200["issues_a_clock_and_multiprocessor"] * H200["clock_ghz"] * 1e9
    return {
        "instructions_a_sample_and_lane": inner / 4,
        "instructions_a_step": of_step,
        "models_a_second_at_most": issues / (STEPS * of_step),
    }


def why_not() -> str | None:
    """Why nothing can be compiled here, None where it can."""
    if find_spec("triton") is None:
        return "no triton here"
    import triton

    if triton.knobs.runtime.interpret:
        return "TRITON_INTERPRET is set"
    try:
        tools = [Path(tool.path) for tool in (triton.knobs.nvidia.ptxas, triton.knobs.nvidia.cuobjdump)]
    except (RuntimeError, AttributeError) as error:
        return f"Triton has no tools for CUDA here: {error}"
    return next((f"no {tool} here" for tool in tools if not tool.is_file()), None)


def shape(text: str) -> tuple[int, int]:
    n, m = text.split("-")
    return int(n), int(m)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", type=shape, nargs="+", default=[(5, 2), (4, 2), (8, 2), (7, 3)])
    parser.add_argument("--json", type=Path, help="write the results here, not to standard output")
    options = parser.parse_args()
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 3
    found = {}
    for name, (kernel, constants, warps) in kernels(options.shape).items():
        code = read(compiled(kernel, constants, warps))
        loops = code.pop("loops")
        if name.startswith("take_steps"):
            inner, step = loops
            code["by_instruction"] = dict(inner.most_common())
            code["estimate"] = estimate(inner.total(), step.total())
        found[name] = {"warps": warps, **code}
    record = {
        "date": datetime.now(UTC).date().isoformat(),
        "target": f"sm_{TARGET}",
        "versions": {"triton": version("triton")},
        "estimated_for": H200 | {"steps": STEPS, "batch_size": BATCH_SIZE},
        "kernels": found,
    }
    measuring.write(record, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
