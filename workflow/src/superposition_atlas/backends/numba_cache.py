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

_CALLED_BY_KERNELS = (
    "backends/numba_cache.py",
    "sampling/stream.py",
    "sampling/magnitudes.py",
    "training/adam.py",
    "theory/moments.py",
    "theory/exact_loss.py",
    "training/fused/lanes.py",
    "training/fused/vector_functions.py",
    "training/fused/traced_batch.py",
    "training/fused/rare_features.py",
    "training/fused/fused_step.py",
    "sae/fused/fused_gradient.py",
    "sae/fused/fused_rows.py",
    "sae/fused/fused_selection.py",
    "sae/fused/relu_gradient.py",
    "sae/fused/gated_gradient.py",
    "sae/fused/jumprelu_gradient.py",
    "sae/fused/topk_gradient.py",
    "sae/fused/batch_topk_gradient.py",
    "sampling/philox.py",
)


def _cache_directory() -> Path:
    digest = hashlib.sha256()
    for name in _CALLED_BY_KERNELS:
        digest.update((Path(__file__).parents[1] / name).read_bytes())
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
