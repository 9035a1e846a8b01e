"""Which texts share a row of a model: as many as its tokens hold, for training without padding.

N rows of the data set
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any, final

from modelry.errors import ParameterError


def best_fit(lengths: Sequence[int], *, size: int) -> list[list[int]]:
    """Divide rows among packs of at most `size` tokens: the longest first, each where it leaves the least room.

    Args:
        lengths: (N,) tokens of each row.

    Returns:
        Rows of each pack, in the order of the data set, and packs in that of their first row.

    Raises:
        ParameterError: a row is longer than a pack.
    """
    packs: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (room, pack), sorted
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        length = lengths[row]
        if length > size:
            raise ParameterError(
                f"row {row} has {length} tokens, and a pack holds {size}; truncate it, or make packs larger"
            )
        at = bisect_left(rooms, (length, -1))
        room, pack = rooms.pop(at) if at < len(rooms) else (size, len(packs))
        if pack == len(packs):
            packs.append([])
        packs[pack].append(row)
        insort(rooms, (room - length, pack))
    return sorted(sorted(pack) for pack in packs)


@final
class PackedRows(Sequence[list[Any]]):
    """A data set whose rows are packs of another one's rows; `DataCollatorWithFlattening` takes them.

    Args:
        dataset: rows with "input_ids"; by position.
        size: tokens of a pack.
        lengths: (N,) tokens of each row; read from `dataset` when None.
    """

    def __init__(self, dataset: Any, *, size: int, lengths: Sequence[int] | None = None) -> None:
        if lengths is None:
            lengths = [len(dataset[row]["input_ids"]) for row in range(len(dataset))]
        self.dataset = dataset
        self.packs = best_fit(lengths, size=size)

    def __len__(self) -> int:
        return len(self.packs)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return [self.dataset[row] for row in self.packs[index]]
