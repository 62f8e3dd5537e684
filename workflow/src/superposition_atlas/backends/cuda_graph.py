"""All that is of CUDA alone: launches that are recorded once and replayed, products in full float32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


class Repeated:
    """The same launches, again and again: on a GPU as one CUDA graph, elsewhere one by one.

    They must read and write the same memory each time, and the CPU must not wait for them.
    """

    def __init__(self, launch: Callable[[], None], device: torch.device) -> None:
        self._launch = launch
        self._device = device
        self._graph: torch.cuda.CUDAGraph | None = None

    def prepare(self) -> None:
        """Record them. This runs them as well: what they work on is to be written afterwards."""
        if self._device.type != "cuda" or self._graph is not None:
            return
        # What compiles or allocates at first use must not do so while recording, hence a run before it.
        side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch's own
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            for _ in range(2):
                self._launch()
        torch.cuda.current_stream(self._device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._launch()

    def __call__(self, times: int) -> None:
        """Run them so many times; `prepare` comes first."""
        for _ in range(times):
            if self._graph is None:
                self._launch()
            else:
                self._graph.replay()


@contextmanager
def full_precision() -> Iterator[None]:
    """Products of float32 as such, whatever the process has chosen."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
