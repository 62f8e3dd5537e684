"""How a layer of attention is trained."""

from dataclasses import asdict, dataclass
from typing import Any

from superposition_atlas import arguments


@dataclass(frozen=True)
class AttentionSettings:
    """One layer of attention and its training.

    Raises:
        TrainingError: if a value is out of its range; the message names it.
    """

    n_heads: int = 4
    """Heads, each with as many inner dimensions as the tokens have: no head lacks the rank for a table."""
    n_keys: int = 8
    """Tokens before the query, beside the empty one that every sequence begins with."""
    steps: int = 1000
    batch_size: int = 64
    """Fresh sequences a step, for each instance by itself."""
    learning_rate: float = 0.02
    """Adam's at the first step; it falls linearly to 0."""

    def __post_init__(self) -> None:
        for name in ("n_heads", "n_keys", "steps", "batch_size"):
            object.__setattr__(self, name, arguments.integer(name, getattr(self, name)))
        rate = arguments.number("learning_rate", self.learning_rate, above=0)
        object.__setattr__(self, "learning_rate", rate)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for provenance."""
        return asdict(self)
