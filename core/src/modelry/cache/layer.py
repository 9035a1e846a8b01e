"""What the cache of one attention layer promises. Each kind has its own file, growing.py to static.py.

B rows   K key/value heads   T new positions   W positions returned   E head width
A slot is a column of the attention mask: the count of positions before it, padding included.
"""

from abc import ABC, abstractmethod

from torch import Tensor

from modelry.cache.buffers import kept


class LayerCache(ABC):
    """Keys and values of one layer.

    A forward pass calls `extend` and then, when every layer is through, `advance`. Until then nothing counts as
    remembered, so a pass that fails half-way leaves the cache as it was. The tensors that `extend` returns stay the
    cache's own: read them before the next call, and do not write to them.
    """

    can_rollback: bool = True
    """Whether `rollback` works at all."""
    keys: Tensor | None = None
    """(B, K, C, E), C the capacity of the buffer; None before the first `extend`."""
    values: Tensor | None = None
    """(B, K, C, E)."""
    capacity: int | None = None
    """Positions that can be held without making room, where the kind says so beforehand."""
    window: int | None = None
    """Positions that a query sees, itself included, where those before them are forgotten."""
    length: int = 0
    """Positions remembered, those that a sliding window dropped included: the slot of the next one."""

    @abstractmethod
    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write T new positions behind the remembered ones.

        Args:
            keys: (B, K, T, E), rotated already.
            values: (B, K, T, E).

        Returns:
            Keys and values (B, K, W, E) of the slots `first_after(T)` to `first_after(T) + W`, W = `width_after(T)`.
            Slots from `length + T` on are unused: finite, and to be masked.

        Raises:
            ValueError: B is not the number of rows held.
        """

    def reserve(self, new: int, *, turned: bool = False) -> tuple[Tensor, Tensor] | None:
        """Make room for T new positions behind remembered ones, for a caller that writes them itself, then `advance`s.

        Args:
            turned: the keys are wanted as (B, K, E, W) in memory, where the kind can; they stay so for `extend`.

        Returns:
            The buffers (B, K, W, E) of the slots from `first_after(T)` on, to be written from slot `length` on; those
            behind are finite.
            None where this kind keeps its positions another way, or remembers none yet: `extend` is the way then.
        """
        return None

    def first_after(self, new: int) -> int:
        """Slot of the first key that `extend` will return for `new` positions."""
        return 0

    @abstractmethod
    def width_after(self, new: int) -> int:
        """Number of keys that `extend` will return for `new` positions."""

    def rollback(self, count: int) -> None:
        """Forget the last `count` positions.

        Raises:
            ValueError: fewer are remembered, or a sliding window has dropped what would be needed.
        """
        if not 0 <= count <= self.length:
            raise ValueError(f"cannot roll back {count} positions: the cache remembers {self.length}")
        self.length -= count

    @property
    def rows(self) -> int | None:
        """B, or None before the first `extend`."""
        return None if self.keys is None else self.keys.shape[0]

    def keep(self, rows: Tensor) -> None:
        """Make row i what row `rows[i]` was: reorders, repeats and drops rows. `rows`: (R,) int64."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = kept(self.keys, rows), kept(self.values, rows)

    def advance(self, new: int) -> None:
        """Count the `new` positions that `extend` wrote as remembered."""
        self.length += new
