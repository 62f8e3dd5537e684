"""What every compiled (numba) kernel shares: settings, the cache of machine code, and the stream's generator.

Kernels are compiled once per machine and kept on disk. numba notices when a kernel's own file changes but not
when what the kernel calls does; so the cache folder carries the digest of every other file whose code goes
into kernels.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import uint32, uint64

from superposition_atlas.stream import MULTIPLIERS, ROUNDS, WEYL_INCREMENTS

_CALLED_BY_KERNELS = (
    "compiled.py",
    "stream.py",
    "magnitudes.py",
    "adam.py",
    "theory/vectors.py",
    "theory/moments.py",
    "theory/exact_loss.py",
    "training/lanes.py",
    "training/vector_functions.py",
    "training/traced_batch.py",
    "training/rare_features.py",
    "training/fused_step.py",
    "sae/fused_rows.py",
    "sae/fused_selection.py",
)


def _cache_directory() -> Path:
    digest = hashlib.sha256()
    for name in _CALLED_BY_KERNELS:
        digest.update((Path(__file__).parent / name).read_bytes())
    root = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "superposition-atlas" / f"numba-{digest.hexdigest()[:16]}"


numba.config.CACHE_DIR = str(_cache_directory())  # type: ignore[attr-defined]  # numba makes it at run time

# Sums may be reordered into vector lanes, the same way in every run of the same machine code. NaN and
# infinity keep their meaning: training must notice them.
FAST_MATH = {"reassoc", "contract", "arcp", "nsz"}


def compile_kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with what all kernels want: cached machine code, the GIL released, no error model."""
    settings: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": FAST_MATH}
    decorator: Callable[[Callable[..., Any]], Any] = numba.njit(**(settings | options))
    return decorator


_MULTIPLIER_0, _MULTIPLIER_1 = (np.uint64(multiplier) for multiplier in MULTIPLIERS)
_WEYL_0, _WEYL_1 = (np.uint32(increment) for increment in WEYL_INCREMENTS)
_HIGH = np.uint64(32)


@numba.njit(inline="always")
def philox_quad(quad, feature, step, purpose, key0, key1):  # type: ignore[no-untyped-def]
    """The four words of `stream.words` at positions 4·quad … 4·quad + 3. All arguments are uint32."""
    c0, c1, c2, c3 = uint32(quad), uint32(feature), uint32(step), uint32(purpose)
    k0, k1 = uint32(key0), uint32(key1)
    for _ in range(ROUNDS):
        product0 = uint64(c0) * _MULTIPLIER_0
        product1 = uint64(c2) * _MULTIPLIER_1
        c0 = uint32(product1 >> _HIGH) ^ c1 ^ k0
        c1 = uint32(product1)
        c2 = uint32(product0 >> _HIGH) ^ c3 ^ k1
        c3 = uint32(product0)
        k0 = uint32(k0 + _WEYL_0)
        k1 = uint32(k1 + _WEYL_1)
    return c0, c1, c2, c3
