"""Environment that a command sets for its process before libraries that read it are loaded."""

import os

FORK_SERVER = "SUPERPOSITION_ATLAS_FORK_SERVER"
"""Names the socket of a run's fork server (`cli.fork_server`) to its jobs; `no` for none."""

_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def make_independent() -> None:
    """Makes results of this process independent of its environment.

    How numpy's BLAS shares a product among threads is part of its rounding, and Snakemake tells it a number
    of threads that depends on --cores; so it gets one. Engines have threads of their own, which no sum is
    divided among. Figures are drawn into files, whatever a notebook's terminal (MPLBACKEND, for instance a
    module of the notebook's Python) or a user's matplotlibrc says.
    """
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    os.environ["MPLBACKEND"] = "agg"
    os.environ["MATPLOTLIBRC"] = os.devnull
