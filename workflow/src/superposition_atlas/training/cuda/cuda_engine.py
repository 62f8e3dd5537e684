"""The GPU engine: small toy models in one kernel (`cuda_small`), wide ones by batched products (`cuda_wide`).

On a machine without a GPU its kernels run in Triton's interpreter, if TRITON_INTERPRET=1 is set before triton
is first imported: slow, and for tests.
"""

import logging
from collections.abc import Callable

import numpy as np
import torch
import triton
from jaxtyping import Float

from superposition_atlas.backends.gpu_failures import failures_named
from superposition_atlas.errors import DeviceError
from superposition_atlas.training.cuda import cuda_small, cuda_wide
from superposition_atlas.training.cuda.cuda_inputs import DeviceInputs
from superposition_atlas.training.problem import Problem, TrainingState, Weights
from superposition_atlas.training.torch_engine import TorchEngine

logger = logging.getLogger(__name__)

_SHARE_OF_MEMORY = 0.8
"""Share of free memory that training takes; the rest is for the libraries' work space."""


class CudaEngine:
    """Training on one GPU: the first that CUDA_VISIBLE_DEVICES leaves visible."""

    def __init__(self, device: str = "cuda", free_bytes: Callable[[], int] | None = None) -> None:
        self.name = f"cuda (triton {triton.__version__})"
        self._device = torch.device(device)
        self._free_bytes = free_bytes or self._measured
        self._problem: Problem | None = None

    def advance(self, state: TrainingState, n_steps: int, problem: Problem) -> None:
        """See `state.Engine`. A single bias that is held is autograd's: the kernels train all or none."""
        if problem.settings.bias == "densest_zero":
            TorchEngine(self._device.type, threads=1).advance(state, n_steps, problem)
            return
        self._prepare(problem)
        first_step = state.step
        steps = f"between steps {first_step} and {first_step + n_steps}"
        for part, inputs in zip(self._parts, self._inputs, strict=True):
            with failures_named(f"{steps}, {_of(problem, part)}"):
                own = state.copy(part)
                if self._wide is None:
                    cuda_small.advance(own, n_steps, problem.select(part), inputs)
                else:
                    self._wide.advance(own, n_steps, inputs)
                state.put(own, part)
        state.step = first_step + n_steps

    def feature_loss(self, weights: Weights, problem: Problem) -> Float[np.ndarray, "instance feature"]:
        """See `state.Engine`."""
        self._prepare(problem)
        losses = cuda_small.feature_loss if self._wide is None else cuda_wide.feature_loss
        found = []
        for part, inputs in zip(self._parts, self._inputs, strict=True):
            with failures_named(_of(problem, part)):
                found.append(losses(Weights(weights.W[part], weights.b[part]), problem.select(part), inputs))
        return np.concatenate(found)

    def _prepare(self, problem: Problem) -> None:
        """Cut the ensemble to what fits, and set up what all calls with this problem share."""
        if problem is self._problem:
            return
        self._problem = self._wide = None  # and its memory is free again
        is_small = cuda_small.fits(problem)
        needed = (cuda_small if is_small else cuda_wide).bytes_an_instance(problem)
        size = self._part_size(problem.n_instances, needed)
        self._parts = [slice(start, start + size) for start in range(0, problem.n_instances, size)]
        with failures_named(_of(problem, slice(None))):
            self._inputs = [DeviceInputs.of(problem.select(part), self._device) for part in self._parts]
            if not is_small:
                self._wide = cuda_wide.WideModels(problem, size, self._device)
        self._problem = problem

    def _part_size(self, n_instances: int, needed: int) -> int:
        free = self._free_bytes()
        most = int(_SHARE_OF_MEMORY * free / needed)
        if most >= n_instances:
            return n_instances
        if most == 0:
            raise DeviceError(
                f"a toy model of this size and batch needs {needed / 1e9:.1f} GB on the GPU, of which "
                f"{free / 1e9:.1f} GB are free: take a smaller batch_size, or device cpu"
            )
        n_parts = -(-n_instances // most)
        logger.info(
            "%d toy models need %.1f GB of the GPU's free %.1f GB: they are trained in %d parts",
            *(n_instances, n_instances * needed / 1e9, free / 1e9, n_parts),
        )
        return -(-n_instances // n_parts)

    def _measured(self) -> int:
        torch.cuda.empty_cache()
        return int(torch.cuda.mem_get_info(self._device)[0])


def _of(problem: Problem, part: slice) -> str:
    seeds, start = problem.seeds[part], part.start or 0
    return (
        f"with instances {start} to {start + len(seeds) - 1} (seeds {seeds[0]} to {seeds[-1]}) "
        f"of {problem.n_features} → {problem.n_hidden}"
    )
