"""Takes Snakemake's limit on the rate of jobs away from runs on this machine: cores limit it enough."""

from typing import Protocol


class _Scheduler(Protocol):
    job_rate_limiter: object | None


def lift_rate_limit(scheduler: _Scheduler) -> None:
    """Lets jobs start without a look at the clock.

    With a limit, which is 100 jobs a second by default, Snakemake 9 sets a timer each time that it looks for
    jobs, and each timer makes it look again. So one more timer goes round for each job that has ended, and
    after some hundred jobs it looks for work some hundred times a second.
    """
    scheduler.job_rate_limiter = None
