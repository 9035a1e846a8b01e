"""The checkpoint reader: a Whisper's tensors under their published names, its configuration and its tokenizer.

torch is imported when a tensor is read: configurations and tokenizers do without it.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from modelry.checkpoint import CheckpointReader, TensorInfo
from modelry.errors import CheckpointError
from modelry_ctranslate2.container import StoredTensor, open_container, specification_of
from modelry_ctranslate2.whisper_config import config_values, generation_values, preprocessor_values, tokenizer_files
from modelry_ctranslate2.whisper_names import SCALE, Part, published_parts

if TYPE_CHECKING:
    from torch import Tensor

SPECIFICATION = "WhisperSpec"
KEY_BIAS = ".k_proj.bias"
"""No Whisper has a bias of keys: in joint tensors there are zeros in its place."""


class CTranslate2Reader(CheckpointReader):
    """One model.bin of a Whisper.

    int8 tensors have a scale for each row: the integers divided by it are the values. They are multiplied out when they
    are read, to float32, and "auto" makes float32 of them too.

    Args:
        path: the file.

    Raises:
        NotFound: there is no such file.
        CheckpointError: it is truncated or damaged, or of another model.
    """

    carries_config: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        super().__init__(Path(path))
        self._container = open_container(self.path)
        if self._container.specification != SPECIFICATION:
            raise CheckpointError(f"{path} holds a {self._container.specification}; a {SPECIFICATION} can be read")
        self._parts = published_parts(self._container)
        for name, part in self._parts.items():
            self._rows(name, part)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether the file begins as CTranslate2 writes one."""
        return specification_of(path) is not None

    def names(self) -> Collection[str]:
        """All tensors, by published name."""
        return [name for name in self._parts if not name.endswith(KEY_BIAS)]

    def info(self, name: str) -> TensorInfo:
        """dtype and shape of a tensor; int8 counts as float32."""
        part = self._part(name)
        stored = self._container.tensors[part.stored]
        dtype = "float32" if stored.dtype == "int8" else stored.dtype
        return TensorInfo(dtype, (self._rows(name, part), *stored.shape[1:]), stored.nbytes // part.pieces)

    def read(self, name: str) -> "Tensor":
        """The tensor.

        Raises:
            CheckpointError: int8 without its scales, or a bias of keys that is not zero.
        """
        part = self._part(name)
        stored = self._container.tensors[part.stored]
        rows = self._rows(name, part)
        found = self._piece(stored, part.piece * rows, rows)
        if stored.dtype == "int8":
            found = found.float() / self._scales(part, rows).view(-1, *[1] * (found.dim() - 1))
        keys = name.removesuffix("q_proj.bias") + "k_proj.bias"
        if name.endswith("q_proj.bias") and keys in self._parts and self._value(keys).any():
            raise CheckpointError(f"{self.path}: {part.stored!r} has a bias of keys, which no Whisper has")
        return found

    def config(self) -> Mapping[str, Any]:
        """The values of config.json. Needs no torch."""
        return config_values(self._container)

    def generation_config(self) -> Mapping[str, Any]:
        """The values of generation_config.json. Needs no torch."""
        return generation_values(self._container)

    def preprocessor_config(self) -> Mapping[str, Any]:
        """The values of preprocessor_config.json. Needs no torch."""
        return preprocessor_values(self._container)

    def tokenizer_files(self) -> Mapping[str, bytes | str] | None:
        """The tokenizer that lies beside the file. Needs no torch."""
        return tokenizer_files(self._container)

    def _value(self, name: str) -> "Tensor":
        part = self._parts[name]
        rows = self._rows(name, part)
        return self._piece(self._container.tensors[part.stored], part.piece * rows, rows)

    def _piece(self, stored: StoredTensor, first: int, rows: int) -> "Tensor":
        """Some rows of a stored tensor, copied: in the file they begin at odd bytes."""
        import torch

        size = stored.nbytes // stored.shape[0]
        with self.path.open("rb") as file:
            file.seek(stored.start + first * size)
            data = bytearray(file.read(rows * size))
        if len(data) < rows * size:
            raise CheckpointError(f"{self.path} was cut while it was read: {stored.name!r} is incomplete")
        return torch.frombuffer(data, dtype=getattr(torch, stored.dtype)).view(rows, *stored.shape[1:])

    def _scales(self, part: Part, rows: int) -> "Tensor":
        stored = self._container.tensors[part.stored]
        scales = self._container.tensors.get(part.stored + SCALE)
        if scales is None or scales.shape != stored.shape[:1] or not scales.dtype.startswith("float"):
            found = "nothing" if scales is None else f"{scales.dtype} {list(scales.shape)}"
            raise CheckpointError(
                f"{self.path}: the scales of the int8 tensor {part.stored!r} are {found}; one number for each of its "
                f"{stored.shape[0]} rows is due"
            )
        values = self._piece(scales, part.piece * rows, rows).float()
        if not bool((values > 0).all()):
            raise CheckpointError(f"{self.path}: a scale of {part.stored!r} is not above 0")
        return values

    def _rows(self, name: str, part: Part) -> int:
        rows, rest = divmod(self._container.tensors[part.stored].shape[0], part.pieces)
        if rest or not rows:
            raise CheckpointError(
                f"{self.path}: {part.stored!r} has {self._container.tensors[part.stored].shape[0]} rows; {name} is one "
                f"of {part.pieces} equal parts of them"
            )
        return rows

    def _part(self, name: str) -> Part:
        if name not in self._parts or name.endswith(KEY_BIAS):
            raise CheckpointError(f"{self.path} holds no tensor {name!r}; it holds {len(self.names())} others")
        return self._parts[name]
