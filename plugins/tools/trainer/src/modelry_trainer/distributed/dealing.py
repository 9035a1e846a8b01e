"""Along which dimension FSDP deals a parameter out over the processes that share it. Plain numbers, no torch."""

from collections.abc import Collection, Sequence

MOST_UNEVEN = 1.1
"""How much more than its share the first process may have where rows are dealt out."""


def dealt_dimension(shape: Sequence[int], shards: int, *, divided: Collection[int] = ()) -> int:
    """0, rows, in unequal parts where it must be; another one of stacked weights (experts) that would leave many
    processes without any. FSDP deals out rows only in unequal parts, and copies along other dimensions.

    Args:
        shape: of what each process of tensor parallelism has.
        shards: processes among which it is dealt out.
        divided: dimensions that tensor parallelism has divided.
    """
    if len(shape) < 3 or -(-shape[0] // shards) * shards <= MOST_UNEVEN * shape[0]:
        return 0
    even = [dim for dim in range(1, len(shape)) if shape[dim] % shards == 0 and dim not in divided]
    return even[0] if even else 0
