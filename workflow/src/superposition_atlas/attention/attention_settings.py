"""How a layer of attention is trained."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from superposition_atlas.settings.rules import Range, hold


@dataclass(frozen=True)
class AttentionSettings:
    """One layer of attention and its training.

    Raises:
        SettingError: if a value is not allowed; the message names it.
    """

    n_heads: Annotated[int, Range(1, 64)] = 4
    """Number of heads, each with as many inner dimensions as the tokens have: no head lacks the rank for a
    table."""
    n_keys: Annotated[int, Range(1, 1000)] = 8
    """Tokens before the query, beside the empty one that every sequence begins with."""
    steps: Annotated[int, Range(1, 2**32 - 1)] = 1000
    """Training steps of the attention, with Adam."""
    batch_size: Annotated[int, Range(1, 1_000_000)] = 64
    """Fresh sequences a step, for each layer by itself."""
    learning_rate: Annotated[float, Range(above=0)] = 0.02
    """Learning rate of the attention at the first step; it falls linearly to 0."""

    def __post_init__(self) -> None:
        hold(self)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for provenance."""
        return asdict(self)
