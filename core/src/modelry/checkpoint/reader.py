"""What a checkpoint format has to offer: names, shapes, tensors; sometimes its own configuration and tokenizer.

A reader's module keeps torch out of its top level, so that configurations and tokenizers are read without it.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from torch import Tensor

    from modelry.checkpoint.regions import Region

__all__ = ["CheckpointReader", "TensorInfo"]


@dataclass(frozen=True)
class TensorInfo:
    """What a file says of one tensor."""

    dtype: str
    """As PyTorch names it ("bfloat16"), of what `read` returns."""
    shape: tuple[int, ...]
    nbytes: int = 0
    """Bytes in the file."""


class CheckpointReader(ABC):
    """One open checkpoint file.

    Args:
        path: the file.

    Raises:
        CheckpointError: it is damaged; as much as possible is found out here, before a tensor is read.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    carries_config: ClassVar[bool] = False
    """The file alone is a whole model: its configuration is in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def recognises(cls, path: Path) -> bool:  # for formats that share a file name with others
        """Whether a file of one of the format's `files` names is of this format. Needs no torch, and runs nothing."""
        return True

    @abstractmethod
    def names(self) -> Collection[str]:
        """All tensors, by published name."""

    @abstractmethod
    def info(self, name: str) -> TensorInfo:
        """dtype and shape of a tensor, without reading it."""

    @abstractmethod
    def read(self, name: str) -> "Tensor":
        """The tensor, on the CPU; memory-mapped where the format allows, and then writable without changing the file.

        Raises:
            CheckpointError: its bytes are damaged.
        """

    def release(self, name: str) -> None:  # noqa: B027  a reader may do nothing here
        """Give back the memory that reading `name` took; its tensor is not used any more. Optional."""

    def region(self, name: str) -> "Region | None":
        """Where in a mapped file the tensor lies that `read` returns; None where it returns a copy."""
        return None

    def close(self) -> None:  # noqa: B027  a reader may do nothing here
        """Close the file. Tensors already read stay valid."""

    def config(self) -> Mapping[str, Any] | None:
        """The values of config.json, in formats that carry them. Needs no torch."""
        return None

    def generation_config(self) -> Mapping[str, Any] | None:
        """The values of generation_config.json, in formats that carry them. Needs no torch."""
        return None

    def preprocessor_config(self) -> Mapping[str, Any] | None:
        """The values of preprocessor_config.json, in formats that carry them. Needs no torch."""
        return None

    def tokenizer_files(self) -> Mapping[str, bytes | str] | None:
        """File name to content of tokenizer files, in formats that carry them. Needs no torch."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
