"""Names of the rules' wildcards."""

from typing import Protocol


class Wildcards(Protocol):
    """Values of a job's wildcards; a rule has only some of them, and all are text."""

    experiment: str
    case: str
    sae: str
    map: str
    shard: str
    table: str
    figure: str
    paper: str
