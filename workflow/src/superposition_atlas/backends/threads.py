"""How many threads a calculation may use, and how its instances are shared among them."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from math import ceil
from pathlib import Path

_GROUPS_A_THREAD = 4  # so that a thread that is held up does not hold up the others


def available_threads() -> int:
    """CPUs that this process may use, at least 1.

    Fewer than the machine's under Slurm or taskset, which name the CPUs, and in a container, which has a
    quota of CPU time: more threads than it allows only wait for one another.
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota()
    return cpus if quota is None else max(1, min(cpus, ceil(quota)))


def cpu_quota(
    membership: Path = Path("/proc/self/cgroup"), groups: Path = Path("/sys/fs/cgroup")
) -> float | None:
    """CPUs' worth of time that the control groups of this process allow it (Linux); None without a limit.

    The least quota of the group and of all above it, in version 2 of control groups (`cpu.max`) or version 1
    (`cpu.cfs_quota_us`).

    Args:
        membership: the file that names this process's groups, a line each: "number:controllers:/path".
        groups: where the groups are mounted.
    """
    try:
        lines = membership.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    quotas = []
    for line in lines:
        _, colon, rest = line.partition(":")
        controllers, second_colon, path = rest.partition(":")
        if not (colon and second_colon):
            continue
        if controllers == "":
            mounts, read = [groups, groups / "unified"], _quota_v2
        elif "cpu" in controllers.split(","):
            mounts, read = [groups / "cpu", groups / controllers], _quota_v1
        else:
            continue
        # Inside a container the path may be that of the host, of which only the root is mounted.
        parts = Path(path.lstrip("/")).parts
        below = [Path(*parts[:depth]) for depth in range(len(parts) + 1)]
        quotas += [read(mount / folder) for mount in mounts for folder in below if ".." not in folder.parts]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no number and no limit
        return None


def _quota_v1(folder: Path) -> float | None:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None


def run_in_groups(work: Callable[[int, int], None], n_instances: int, threads: int) -> None:
    """Calls work(first, end) for groups of neighbouring instances until all are done, on so many threads.

    The work must release the GIL for most of its time, and give each instance the same result in any group.

    Raises:
        BaseException: what the first group that failed raised, or KeyboardInterrupt; groups that have not
            begun then never begin.
    """
    n_groups = min(n_instances, _GROUPS_A_THREAD * threads)
    edges = [group * n_instances // n_groups for group in range(n_groups + 1)] if n_groups else []
    with ThreadPoolExecutor(threads) as pool:
        try:
            groups = [pool.submit(work, first, end) for first, end in pairwise(edges)]
            for group in groups:
                group.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Torch's operations run on the thread that calls them, for the length of the block.

    Two reasons. How torch and MKL share a sum among threads is part of its rounding. And a forked process
    waits for ever for the threads that its parent's OpenMP had started; with one thread it needs none.
    Torch's thread count is global: it is put back at the end.
    """
    import torch  # here: only those who train with it wait for it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
