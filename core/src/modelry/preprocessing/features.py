"""What preprocessors return: model inputs by name, as lists or tensors."""

from collections import UserDict
from typing import TYPE_CHECKING, Any, Self

from modelry.preprocessing.tensors import as_tensor, check_tensor_type

if TYPE_CHECKING:
    import torch


class BatchFeature(UserDict[Any, Any]):
    """A dictionary of model inputs that can also be read as attributes."""

    def __init__(
        self, data: dict[str, Any] | None = None, tensor_type: str | None = None, prepend_batch_axis: bool = False
    ) -> None:
        """
        Args:
            data: name -> values.
            tensor_type: "pt", "np", or None to keep what is given.
            prepend_batch_axis: make (tokens,) into (1, tokens).
        """
        super().__init__(data or {})
        self.convert_to_tensors(tensor_type, prepend_batch_axis=prepend_batch_axis)

    def __getattr__(self, name: str) -> Any:
        data = self.__dict__.get("data", {})
        if name not in data:
            raise AttributeError(f"there is no {name!r}; there are {', '.join(map(str, data)) or 'no inputs'}")
        return data[name]

    def convert_to_tensors(self, tensor_type: str | None = None, prepend_batch_axis: bool = False) -> Self:
        """Turn every input into a tensor, in place.

        Args:
            tensor_type: "pt", "np", or None to leave everything as it is.
            prepend_batch_axis: make (tokens,) into (1, tokens).

        Raises:
            PreprocessorError: rows of different lengths, or an unknown tensor type.
        """
        check_tensor_type(tensor_type)
        if tensor_type is not None:
            for name, value in self.data.items():
                self.data[name] = as_tensor(name, [value] if prepend_batch_axis else value, tensor_type)
        return self

    def to(
        self,
        device: "str | int | torch.device | torch.dtype | None" = None,
        dtype: "torch.dtype | None" = None,
        *,
        non_blocking: bool = False,
    ) -> Self:
        """Move every torch tensor to a device, in place; other values stay.

        Args:
            device: where to; a dtype is understood too.
            dtype: for floating-point tensors; ids and masks keep theirs.
        """
        import torch

        if isinstance(device, torch.dtype):
            device, dtype = None, device
        for name, value in self.data.items():
            if isinstance(value, torch.Tensor):
                kind = dtype if value.is_floating_point() else None
                self.data[name] = value.to(device=device, dtype=kind, non_blocking=non_blocking)
        return self
