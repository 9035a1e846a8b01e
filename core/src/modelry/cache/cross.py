"""What a decoder layer remembers of an encoder's output: keys and values that are computed once, and then only read.

B rows   K key/value heads   S positions of the encoder's output   E head width
"""

from typing import final

from torch import Tensor

from modelry.cache.buffers import kept, lies_turned


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

    def turn(self) -> None:
        """Let keys lie as (B, K, E, S) in memory, and values as (B, K, S, E), for a caller that reads them so."""
        if self.keys is not None and self.values is not None and not lies_turned(self.keys):
            self.keys = self.keys.transpose(2, 3).contiguous().transpose(2, 3)
            self.values = self.values.contiguous()

    def clear(self) -> None:
        """Forget all."""
        self.keys = self.values = None

    def keep(self, rows: Tensor) -> None:
        """Make row i what row `rows[i]` was: reorders, repeats and drops rows. `rows`: (R,) int64."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = kept(self.keys, rows), kept(self.values, rows)
