"""What a decoder layer remembers of an encoder's output: keys and values that are computed once, and then only read.

B rows   K key/value heads   S positions of the encoder's output   E head width
"""

from typing import final

from torch import Tensor


@final
class CrossLayerCache:
    """Keys and values of one cross-attention layer; nothing until its first pass gives them."""

    keys: Tensor | None = None
    """(B, K, S, E)."""
    values: Tensor | None = None
    """(B, K, S, E)."""

    def store(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Remember, in place of what was there, keys and values (B, K, S, E); returns them."""
        self.keys, self.values = keys, values
        return keys, values

    def clear(self) -> None:
        """Forget all."""
        self.keys = self.values = None

    def keep(self, rows: Tensor) -> None:
        """Make row i what row `rows[i]` was: reorders, repeats and drops rows. `rows`: (R,) int64."""
        if self.keys is not None and self.values is not None:
            rows = rows.to(self.keys.device)
            self.keys, self.values = self.keys.index_select(0, rows), self.values.index_select(0, rows)
