"""Items through a task's stages: batched, in order, read as they are needed, and each failure told by its item."""

import reprlib
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]  # tqdm is not annotated

from modelry.errors import ModelryWarning, PipelineError, RegistryError
from modelry.pipelines.batching import split
from modelry.pipelines.inputs import Inputs
from modelry.pipelines.parameters import P

if TYPE_CHECKING:
    from modelry.pipelines.stages import Pipeline

PATIENCE_SECONDS = 2.0
BATCHES_AHEAD = 64
"""So many batches of a list are read at once and sorted by length, so that little of each is padding."""


class Results(Iterator[Any]):
    """Answers in the order of the items, computed as they are asked for; has a length where the input has one."""

    def __init__(self, answers: Iterator[Any], length: int | None, *, task: str, progress: bool | None) -> None:
        self.length = length
        wanted = sys.stderr.isatty() and length != 1 if progress is None else progress
        delay = PATIENCE_SECONDS if progress is None else 0.0
        self._answers = iter(tqdm(answers, total=length, desc=task, unit="item", delay=delay) if wanted else answers)

    def __len__(self) -> int:
        if self.length is None:
            raise TypeError("these results come from an iterator, whose length is not known")
        return self.length

    def __next__(self) -> Any:
        return next(self._answers)


@dataclass
class _Item:
    """An item on its way: its pieces' outputs as they arrive, or its failure."""

    index: int
    value: Any
    pieces: int = 0
    outputs: list[dict[str, Any]] = field(default_factory=list)
    """One for each piece that has been handed to a forward pass; empty until it is through."""
    read: bool = False
    failure: Exception | None = None

    @property
    def settled(self) -> bool:
        return self.failure is not None or (self.read and len(self.outputs) == self.pieces)


def run(
    task: "Pipeline[P]", given: Inputs, parameters: P, *, size: int, on_error: Literal["raise", "return"]
) -> Iterator[Any]:
    """Yield the answer to each item in order, working on `size` pieces at a time.

    Of a list many batches are read ahead, and pieces of like length are put together.

    Raises:
        PipelineError: an item failed and `on_error` is "raise". The answers of the items before it are yielded first.
        RegistryError: a plugin is missing or broken; no item is to blame.
    """
    open_items: deque[_Item] = deque()
    waiting: list[tuple[_Item, Mapping[str, Any]]] = []
    room = size * BATCHES_AHEAD if given.given == "list" and size > 1 else size
    for index, value in enumerate(given.items):
        item = _Item(index, value)
        open_items.append(item)
        try:
            for piece in task.pieces(value, parameters):
                item.pieces += 1
                waiting.append((item, piece))
                if len(waiting) == room:
                    _forward_sorted(task, waiting, parameters, size)
                    waiting = []
            item.read = True
        except RegistryError:
            raise
        except Exception as error:
            item.failure = error
            waiting = [entry for entry in waiting if entry[0] is not item]
        if item.failure is not None and on_error == "raise":
            break
        while open_items and open_items[0].settled:
            yield _answer(task, open_items.popleft(), parameters, on_error, given)
    if waiting:
        _forward_sorted(task, waiting, parameters, size)
    for item in open_items:
        yield _answer(task, item, parameters, on_error, given)


def _forward_sorted(
    task: "Pipeline[P]", waiting: list[tuple[_Item, Mapping[str, Any]]], parameters: P, size: int
) -> None:
    """Pieces of like length together, the longest first, so that too little memory shows at once."""
    numbered = []
    for item, piece in waiting:
        numbered.append((len(item.outputs), item, piece))
        item.outputs.append({})
    if len(waiting) > size:
        numbered.sort(key=lambda entry: -task.size_of(entry[2]))
    for start in range(0, len(numbered), size):
        _forward(task, numbered[start : start + size], parameters)


def _forward(task: "Pipeline[P]", waiting: list[tuple[int, _Item, Mapping[str, Any]]], parameters: P) -> None:
    """One forward pass. If a batch fails, its pieces are run one by one, so that only the failing items fail."""
    waiting = [entry for entry in waiting if entry[1].failure is None]
    if not waiting:
        return
    features = [piece for _, _, piece in waiting]
    try:
        rows = split(task.compute(features, parameters), len(features))
    except RegistryError:
        raise
    except Exception as error:
        if len(waiting) == 1:
            waiting[0][1].failure = error
            return
        for entry in waiting:
            _forward(task, [entry], parameters)
        if all(item.failure is None for _, item, _ in waiting):
            warnings.warn(
                f"{task.task}: a batch of {len(waiting)} failed ({type(error).__name__}: {error}), "
                "its items alone did not; use a smaller batch_size",
                ModelryWarning,
                stacklevel=2,
            )
        return
    for (place, item, piece), row in zip(waiting, rows, strict=True):
        others = {name: value for name, value in piece.items() if name not in row and not isinstance(value, Tensor)}
        item.outputs[place] = others | row


def _answer(
    task: "Pipeline[P]", item: _Item, parameters: P, on_error: Literal["raise", "return"], given: Inputs
) -> Any:
    if item.failure is None:
        try:
            return task.merge(item.outputs, parameters)
        except RegistryError:
            raise
        except Exception as error:
            item.failure = error
    cause = item.failure
    place = "the input" if given.given == "one" else f"item {item.index}"
    failure = PipelineError(f"{task.task}: {place} ({reprlib.repr(item.value)}) failed: {_in_words(cause)}")
    failure.__cause__ = cause
    if on_error == "return":
        return failure
    raise failure from cause


def _in_words(error: BaseException) -> str:
    """A purposeful error speaks for itself; of another kind, the name is needed too."""
    ours = isinstance(error, (ValueError, PipelineError))
    return str(error) if ours and str(error) else f"{type(error).__name__}: {error}"
