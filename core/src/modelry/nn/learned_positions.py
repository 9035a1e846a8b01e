"""Learned positions of the BART line, whose tables begin with two rows that nobody reads.

B batch   T positions   D width
"""

from torch import Tensor, nn

OFFSET = 2
"""Rows before the first position: published tables were made where padding took numbers too."""


class OffsetPositions(nn.Embedding):
    """A table of (positions + 2, D).

    Args:
        positions: that a text may have.
        size: D.
    """

    def __init__(self, positions: int, size: int) -> None:
        super().__init__(positions + OFFSET, size)

    def forward(self, position_ids: Tensor) -> Tensor:
        """Vectors (B, T, D) of positions (B, T), counted from 0."""
        return super().forward(position_ids + OFFSET)


class ScaledEmbedding(nn.Embedding):
    """Vectors of tokens, times a number.

    Args:
        count: V.
        size: D.
        padding: id of the padding token.
        scale: the number.
    """

    def __init__(self, count: int, size: int, padding: int | None, *, scale: float = 1.0) -> None:
        super().__init__(count, size, padding)
        self.scale = scale

    def forward(self, input_ids: Tensor) -> Tensor:
        """(B, T) ids to (B, T, D)."""
        found = super().forward(input_ids)
        return found if self.scale == 1.0 else found * self.scale
