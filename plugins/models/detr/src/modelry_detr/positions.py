"""Where a place of the feature map is, as learned vectors of its row and column.

B images   G, K rows and columns   S = G K places   D width
"""

import torch
from torch import Tensor, nn

from modelry.nn.positions import first_rows

SIDES = 50
"""Rows, and columns, that have learned vectors."""


class LearnedPositions(nn.Module):
    """A vector for each column, and one for each row, side by side.

    Args:
        width: D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.row_embeddings = nn.Embedding(SIDES, width // 2)
        self.column_embeddings = nn.Embedding(SIDES, width // 2)

    def forward(self, real: Tensor) -> Tensor:
        """(B, G, K) to (B, S, D).

        Raises:
            ValueError: the map has more rows or columns than there are vectors.
        """
        count, rows, columns = real.shape
        if max(rows, columns) > SIDES:
            raise ValueError(
                f"the feature map has {rows} × {columns} places, and there are learned positions for {SIDES} rows and "
                "columns: make the images smaller"
            )
        across = first_rows(self.column_embeddings, columns, device=real.device).expand(rows, -1, -1)
        down = first_rows(self.row_embeddings, rows, device=real.device)[:, None].expand(-1, columns, -1)
        return torch.cat([across, down], dim=-1).flatten(0, 1).expand(count, -1, -1)
