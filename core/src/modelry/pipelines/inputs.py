"""What a pipeline may be called with: one item, a list, a data set, or a stream that is read as it is worked on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal, Protocol, runtime_checkable

from modelry.errors import PipelineError, PreprocessorError


@runtime_checkable
class DataSet(Protocol):
    """Rows by number: a torch Dataset, a Hugging Face dataset, KeyDataset."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True)
class Inputs:
    """Items in order, how many there are where that is known, and how they were given."""

    items: Iterator[Any]
    length: int | None
    given: Literal["one", "list", "stream"]


class KeyDataset:
    """One column of a data set whose rows are mappings."""

    def __init__(self, dataset: DataSet, key: str) -> None:
        self.dataset = dataset
        self.key = key

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index][self.key]


def read_inputs(value: Any, is_item: Callable[[Any], bool]) -> Inputs:
    """Tell one item from many. Nothing is read ahead of its turn."""
    if is_item(value):
        return Inputs(iter((value,)), 1, "one")
    if isinstance(value, (list, tuple)):
        return Inputs(iter(value), len(value), "list")
    if isinstance(value, DataSet):
        return Inputs(rows(value), len(value), "stream")
    if isinstance(value, Iterable):
        return Inputs(iter(value), None, "stream")
    return Inputs(iter((value,)), 1, "one")


def rows(dataset: DataSet) -> Iterator[Any]:
    """The rows of a data set in order.

    Raises:
        PipelineError: the data set could not give a row; the message says which.
    """
    for index in range(len(dataset)):
        try:
            row = dataset[index]
        except Exception as error:
            raise PipelineError(
                f"the data set ({type(dataset).__name__}) gave no row {index}: {type(error).__name__}: {error}"
            ) from error
        yield row


def is_plain_item(value: Any) -> bool:
    """True for what is one item of every task: a text, a path, bytes, a mapping, an image, an array or a tensor."""
    if isinstance(value, (str, bytes, PathLike, Mapping)) or hasattr(value, "__array__"):
        return True
    return hasattr(type(value), "__array_interface__")  # Pillow's images; asked of one, it would copy its pixels


def read_item(item: Any, *, key: str, dims: int) -> Any:
    """An item that is an image or a video, or a row of a data set that holds one under `key`.

    Args:
        key: "image" or "video".
        dims: of an array that is one.

    Raises:
        PreprocessorError: it is a row without one, or several stacked.
    """
    if isinstance(item, Mapping):
        if key not in item:
            article = "an" if key[0] in "aeiou" else "a"
            found = sorted(map(str, item))
            raise PreprocessorError(
                f"{article} {key} is needed, or a row with one as {key!r}; found a row with the keys {found}"
            )
        item = item[key]
    if len(getattr(item, "shape", ())) > dims:
        raise PreprocessorError(f"one {key} is needed; found a stack of shape {tuple(item.shape)}: give a list of them")
    return item
