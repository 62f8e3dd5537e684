"""Whether there is a GPU to train on, asked without importing torch where that can be avoided."""

import ctypes
import sys
from importlib.util import find_spec

INSTALL_TRITON = "pip install 'superposition-atlas[gpu]'"


def cuda_driver_exists() -> bool:
    """Whether it is worth asking torch, whose import takes seconds."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def cuda_is_available() -> bool:
    """Whether torch finds a GPU; CUDA_VISIBLE_DEVICES may hide it."""
    import torch

    return torch.cuda.is_available()


def triton_is_installed() -> bool:
    """Whether kernels can be compiled; torch for CUDA brings Triton along."""
    return find_spec("triton") is not None
