"""The checkpoint reader: a GGUF file's tensors under their published names, its configuration and its tokenizer.

torch is imported when a tensor is read: configurations and tokenizers do without it.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from modelry.checkpoint import CheckpointReader, TensorInfo
from modelry.errors import CheckpointError
from modelry_gguf.architectures import ROTARY_TENSORS, architecture
from modelry_gguf.container import Container, StoredTensor, open_container
from modelry_gguf.model_config import config_values, generation_values, head_width
from modelry_gguf.tokenizer_files import tokenizer_files

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class GgufReader(CheckpointReader):
    """One open GGUF file of version 2 or 3.

    Quantized tensors are dequantized when they are read, one at a time. What dtype="auto" makes of them is bfloat16
    (`info` says so): it has room for the precision of eight bits and less. `read` gives float32, so that whatever dtype
    is wanted is rounded to once.

    Args:
        path: the file.

    Raises:
        NotFound: there is no such file.
        CheckpointError: it is truncated or corrupted, or of a version that cannot be read.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".gguf",)
    carries_config: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        super().__init__(Path(path))
        self._opened: Container | None = open_container(self.path)
        self._published: dict[str, StoredTensor] | None = None

    @property
    def container(self) -> Container:
        """The opened file.

        Raises:
            CheckpointError: it was closed.
        """
        if self._opened is None:
            raise CheckpointError(f"{self.path} was closed; open it again")
        return self._opened

    def close(self) -> None:
        """Let go of the mapping. Tensors that share it keep it alive."""
        self._opened = None
        self._published = None

    def names(self) -> Collection[str]:
        """All tensors, by published name.

        Raises:
            CheckpointError: the architecture is unknown, or the file holds a tensor it does not have.
        """
        return self._tensors().keys()

    def info(self, name: str) -> TensorInfo:
        """dtype the tensor is worth (its own; bfloat16 where it is quantized), shape, and bytes in the file.

        Raises:
            CheckpointError: there is no such tensor, or it is of a type that cannot be read.
        """
        tensor = self._tensor(name)
        if tensor.type.kind == "unreadable":
            raise CheckpointError(
                f"{self.path}: tensor {tensor.name!r} ({name}) is of type {tensor.type.name}, which cannot be read. "
                "Use a file of another quantization: Q4_K, Q5_K, Q6_K, Q8_0 and the other Q types can be read."
            )
        return TensorInfo(tensor.type.dtype, tensor.shape, tensor.size)

    def read(self, name: str, dtype: "torch.dtype | None" = None) -> "Tensor":
        """The tensor, dequantized, rows first, query and key rows in the published order.

        Args:
            name: published name.
            dtype: what a floating tensor is rounded to; None keeps a plain tensor's own, and is float32 where it
                is quantized.

        Raises:
            CheckpointError: as `info`.
        """
        from modelry_gguf.tensor_data import read_tensor

        tensor = self._tensor(name)
        self.info(name)
        return read_tensor(self.container, tensor, dtype=dtype, paired_width=self._paired_width(name))

    def type_name(self, name: str) -> str:
        """What llama.cpp calls the type of a tensor: "Q4_1".

        Raises:
            CheckpointError: there is no such tensor.
        """
        return self._tensor(name).type.name

    def read_rows(self, name: str) -> "Tensor":
        """The blocks of a quantized matrix as they are in the file: (rows, bytes of a row), query and key rows in the
        published order.

        Raises:
            CheckpointError: there is no such tensor, or its rows are no whole number of heads.
        """
        from modelry_gguf.tensor_data import read_rows

        return read_rows(self.container, self._tensor(name), paired_width=self._paired_width(name))

    def release(self, name: str) -> None:
        """Give back the memory that reading `name` took; its tensor is not used any more."""
        from modelry_gguf.tensor_data import forget

        forget(self.container, self._tensor(name))

    def config(self) -> Mapping[str, Any]:
        """The values of config.json. Needs no torch.

        Raises:
            CheckpointError: the architecture is unknown, or a number is missing or cannot be.
        """
        return config_values(self.container)

    def generation_config(self) -> Mapping[str, Any]:
        """The values of generation_config.json. Needs no torch."""
        return generation_values(self.container)

    def tokenizer_files(self) -> Mapping[str, bytes | str] | None:
        """tokenizer.json, tokenizer_config.json and chat_template.jinja as text; None where the file has no tokenizer.

        Raises:
            CheckpointError: the tokenizer is of an unknown kind, or its lists contradict each other.
        """
        return tokenizer_files(self.container.facts)

    def _tensors(self) -> dict[str, StoredTensor]:
        if self._published is None:
            container = self.container
            known = architecture(container.facts.text("general.architecture"), container.facts.where)
            layers = container.facts.integer(f"{known.name}.block_count") or 0
            self._published = {
                known.published_name(stored, layers=layers, where=str(self.path)): tensor
                for stored, tensor in container.tensors.items()
                if stored not in ROTARY_TENSORS
            }
        return self._published

    def _paired_width(self, name: str) -> int | None:
        """Head width of a query or key projection whose rows lie in another order than the published one."""
        facts = self.container.facts
        known = architecture(facts.text("general.architecture"), facts.where)
        paired = known.paired_rotary and ".self_attn." in name and (".q_proj." in name or ".k_proj." in name)
        return head_width(facts, known) if paired else None

    def _tensor(self, name: str) -> StoredTensor:
        tensors = self._tensors()
        if name not in tensors:
            raise CheckpointError(f"{self.path} holds no tensor {name!r}; it holds {len(tensors)} others")
        return tensors[name]
