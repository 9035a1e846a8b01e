"""From a data set to the batches of an epoch, from any position of it; a row that fails is named.

The order is a pure function of seed, epoch and position, and so is what random augmentation draws in worker processes:
an epoch that is begun in the middle is the rest of the same epoch.
"""

import math
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import TYPE_CHECKING, Any, NamedTuple, final

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from modelry.accelerators import streams_of
from modelry.errors import ModelryWarning
from modelry_trainer.errors import ArgumentsError, BadRow
from modelry_trainer.sampling import Dealing, EpochOrder, dealt

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments

Collate = Callable[[list[Any]], Any]


class Fed(NamedTuple):
    """A batch, and the numbers of its rows."""

    rows: list[int]
    batch: Any
    counts: bool = True
    """False where it only keeps a process company that has no rows left: others have these."""


class _Numbered(NamedTuple):
    number: int
    row: Any
    counts: bool


def is_map_style(data: Any) -> bool:
    """Whether rows can be asked for by number."""
    return hasattr(data, "__getitem__") and hasattr(data, "__len__")


def divides_itself(data: Any) -> bool:
    """Whether a stream says which rows each worker process reads: those of torch, and of the ecosystem, do."""
    return isinstance(data, IterableDataset) or hasattr(data, "num_shards")


def reading_options(args: "TrainingArguments", device: torch.device) -> dict[str, Any]:
    """How a DataLoader reads, as the arguments have it: its processes, what they read ahead, and into which memory."""
    return {
        "num_workers": args.dataloader_num_workers,
        "pin_memory": args.dataloader_pin_memory and streams_of(device) is not None,
        "persistent_workers": args.dataloader_persistent_workers,
        "prefetch_factor": args.dataloader_prefetch_factor,
        "multiprocessing_context": args.dataloader_multiprocessing_context,
        "in_order": args.dataloader_in_order,
    }


@final
class BatchLoader:
    """The batches of a data set.

    Args:
        data: map-style, or anything that can be iterated.
        collate: a list of rows to a batch.
        what: what a message calls the data set.
        order: of a map-style data set.
        dealing: of any other: who reads how many rows of it at a time.
        device: where batches will go.
    """

    def __init__(
        self,
        data: Any,
        collate: Collate,
        args: "TrainingArguments",
        *,
        what: str,
        order: EpochOrder | None,
        dealing: Dealing,
        device: torch.device,
    ) -> None:
        self.dataset, self.what, self.order, self.dealing = data, what, order, dealing
        self.batch_size = dealing.batch_size
        self._seed = args.order_seed
        self._draws = torch.Generator()  # of its own: iterating takes nothing from the training's random numbers
        self._collate = _NamedCollate(collate, what)
        self._place = _Place(order)
        workers = args.dataloader_num_workers
        options: dict[str, Any] = {
            "collate_fn": self._collate,
            "generator": self._draws,
            **reading_options(args, device),
        }
        if order is None and workers > 1 and isinstance(data, IterableDataset) and not hasattr(data, "num_shards"):
            warnings.warn(
                f"the {what} is a stream that {workers} worker processes read: each reads all of it, unless its "
                "__iter__ asks torch.utils.data.get_worker_info() for its part",
                ModelryWarning,
                stacklevel=4,
            )
        if order is None:
            rows: Any = _Stream(data, what, dealing, drop_last=args.dataloader_drop_last and not dealing.filled)
            options.update(batch_size=None)
        else:
            rows = _Rows(data, what, args.order_seed)
            options.update(batch_sampler=self._place)
        self._loader: DataLoader[Any] = DataLoader(rows, **options)

    def __len__(self) -> int:
        """Batches in an epoch.

        Raises:
            TypeError: nobody knows.
        """
        if self.order is not None:
            return len(self.order)
        return math.ceil(len(self.dataset) / (self.batch_size * self.dealing.world_size))

    def __iter__(self) -> Iterator[Any]:
        """The batches of the first epoch."""
        return (fed.batch for fed in self.epoch(0))

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Fed]:
        """The rest of an epoch. A stream has no positions: it is read from its beginning, and so many are dropped."""
        self._draws.manual_seed(self._seed + epoch)
        set_epoch = getattr(self.dataset, "set_epoch", None)
        if callable(set_epoch):
            set_epoch(epoch)
        self._place.epoch, self._place.position = epoch, position
        batches = iter(self._loader) if not self._loader.num_workers else _in_plain_words(iter(self._loader))
        for _ in range(position if self.order is None else 0):
            next(batches, None)
        return batches

    def alone(self, number: int) -> Any:
        """One row of a map-style data set as a batch of its own."""
        return self._collate([_Numbered(number, self.dataset[number], counts=True)]).batch


def _in_plain_words(batches: Iterator[Fed]) -> Iterator[Fed]:
    """What a worker process says of a bad row, without the traceback that torch puts around it."""
    try:
        yield from batches
    except BadRow as error:
        raise BadRow(str(error).rpartition(f"{BadRow.__module__}.{BadRow.__name__}: ")[2].strip()) from error


@final
class _Place:
    """A batch sampler that is told where to begin."""

    def __init__(self, order: EpochOrder | None) -> None:
        self.order, self.epoch, self.position = order, 0, 0

    def __len__(self) -> int:
        return 0 if self.order is None else len(self.order)

    def __iter__(self) -> Iterator[list[tuple[int, int, bool]]]:
        assert self.order is not None
        for step, rows in enumerate(self.order.at(self.epoch, self.position), self.position):
            counts = not self.order.stands_in(step)
            yield [(self.epoch, row, counts) for row in rows]


@final
class _Rows:
    """Rows by (epoch, number, whether it counts); the number and that come along."""

    def __init__(self, data: Any, what: str, seed: int) -> None:
        self.data, self.what, self.seed = data, what, seed

    def __getitem__(self, key: tuple[int, int, bool]) -> _Numbered:
        epoch, row, counts = key
        if get_worker_info() is not None:
            _seed_worker((self.seed, epoch, row))
        try:
            return _Numbered(row, self.data[row], counts)
        except Exception as error:
            raise BadRow(f"row {row} of the {self.what} cannot be read: {type(error).__name__}: {error}") from error


@final
class _Stream(IterableDataset[Any]):
    """Rows as they come, counted, in batches: of every W B rows those of this process."""

    def __init__(self, data: Any, what: str, dealing: Dealing, *, drop_last: bool) -> None:
        self.data, self.what, self.dealing, self.drop_last = data, what, dealing, drop_last

    def __iter__(self) -> Iterator[list[_Numbered]]:
        rows = self._rows()
        every = self.dealing.batch_size * self.dealing.world_size
        first: list[tuple[int, Any]] = []
        worker = None if divides_itself(self.data) else get_worker_info()
        for turn in count():
            if not (group := list(islice(rows, every))):
                return
            first = first or group
            if len(group) < every and self.drop_last:
                return
            if worker is not None and turn % worker.num_workers != worker.id:
                continue  # another worker's: all of them read everything
            taken, counts = dealt(group, first, self.dealing)
            yield [_Numbered(number, row, counts) for number, row in taken]

    def _rows(self) -> Iterator[tuple[int, Any]]:
        number = 0
        rows = iter(self.data)
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except Exception as error:
                message = f"row {number} of the {self.what} cannot be read: {type(error).__name__}: {error}"
                raise BadRow(message) from error
            yield number, row
            number += 1


@final
class _NamedCollate:
    """Collates; where that fails, says which row is to blame."""

    def __init__(self, collate: Collate, what: str) -> None:
        self.collate, self.what = collate, what

    def __call__(self, rows: Sequence[_Numbered]) -> Fed:
        numbers = [one.number for one in rows]
        try:
            return Fed(numbers, self.collate([one.row for one in rows]), rows[0].counts)
        except Exception as error:
            raise BadRow(f"{self._blame(rows)}: {type(error).__name__}: {error}") from error

    def _fit(self, rows: Sequence[_Numbered]) -> bool:
        try:
            self.collate([one.row for one in rows])
        except Exception:
            return False
        return True

    def _blame(self, rows: Sequence[_Numbered]) -> str:
        for one in rows:
            if not self._fit([one]):
                return f"row {one.number} of the {self.what} cannot be made a batch"
        shapes = [_outline(row) for _, row, _ in rows]
        odd = [number for (number, _, _), shape in zip(rows, shapes, strict=True) if shapes.count(shape) == 1]
        if len(odd) != 1 and len(rows) > 2:
            odd = [one.number for at, one in enumerate(rows) if self._fit([*rows[:at], *rows[at + 1 :]])]
        if len(odd) == 1:
            return f"row {odd[0]} of the {self.what} does not fit the other rows of its batch"
        return f"rows {', '.join(str(one.number) for one in rows)} of the {self.what} do not fit into one batch"


def _outline(row: Any) -> str:
    if isinstance(row, Mapping):
        return str({key: _outline(value) for key, value in row.items()})
    shape = getattr(row, "shape", None)
    return f"{type(row).__name__}{tuple(shape) if shape is not None else len(row) if hasattr(row, '__len__') else ''}"


def _seed_worker(numbers: tuple[int, ...]) -> None:
    drawn = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(drawn)
    np.random.seed(drawn)
    torch.manual_seed(drawn)


def row_lengths(data: Any, *, column: str, main_input: str) -> list[int]:
    """The length of every row: its column of that name, or how long its main input is.

    Raises:
        ArgumentsError: rows have neither.
    """
    if column in (getattr(data, "column_names", None) or ()):
        return [int(value) for value in data[column]]
    lengths = []
    for number in range(len(data)):
        row = data[number]
        if not isinstance(row, Mapping) or (column not in row and main_input not in row):
            raise ArgumentsError(
                f"train_sampling_strategy='group_by_length': row {number} has neither {column!r} nor {main_input!r}; "
                "name the column in length_column_name"
            )
        lengths.append(int(row[column]) if column in row else len(row[main_input]))
    return lengths
