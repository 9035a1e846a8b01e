"""The cache of a recurrent layer: states of one size, however long the text is. They cannot be rolled back.

B rows; what follows is the layer's.
"""

from typing import final

from torch import Tensor

from modelry.cache.layer import LayerCache


@final
class StateLayerCache(LayerCache):
    """Tensors (B, ...) that a recurrent layer hands from one pass to the next.

    What a pass `write`s is remembered when the cache `advance`s, so a pass that fails half-way changes nothing.
    """

    can_rollback = False

    def __init__(self) -> None:
        self._held: tuple[Tensor, ...] | None = None
        self._written: tuple[Tensor, ...] | None = None

    def read(self, rows: int) -> tuple[Tensor, ...] | None:
        """The states behind the remembered positions, None before the first.

        Raises:
            ValueError: they are of another number of rows.
        """
        self._written = None
        if self._held is not None and self._held[0].shape[0] != rows:
            raise ValueError(
                f"the cache holds {self._held[0].shape[0]} rows and the input has {rows}: "
                "start a new cache, or repeat or drop its rows with cache.keep(rows)"
            )
        return self._held

    def write(self, *states: Tensor) -> None:
        """The states behind the new positions."""
        self._written = states

    def advance(self, new: int) -> None:
        super().advance(new)
        if self._written is not None:
            self._held, self._written = self._written, None

    def rollback(self, count: int) -> None:
        if count:
            raise ValueError(
                f"cannot roll back {count} positions: a recurrent state does not know what it was before them. "
                "Choose a strategy that does not roll back"
            )

    @property
    def rows(self) -> int | None:
        return None if self._held is None else self._held[0].shape[0]

    @property
    def nbytes(self) -> int:
        """Of the states that are remembered."""
        return sum(one.nbytes for one in self._held or ())

    def keep(self, rows: Tensor) -> None:
        if self._held is not None:
            self._held = tuple(one.index_select(0, rows.to(one.device)) for one in self._held)

    def width_after(self, new: int) -> int:
        return new

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        raise ValueError("the cache of a recurrent layer holds states, and no keys and values")
