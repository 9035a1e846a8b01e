"""Between Python lists and tensors. torch and numpy are imported only when tensors of theirs are asked for."""

from typing import Any, Protocol, runtime_checkable

from modelry.errors import PreprocessorError

TENSOR_TYPES = ("pt", "np")
"""What return_tensors accepts besides None."""


@runtime_checkable
class ListLike(Protocol):
    """A tensor or an array of any library."""

    def tolist(self) -> Any:
        """The same values as nested lists."""


def as_lists(value: Any) -> Any:
    """Turn a tensor or array, or a list of such, into nested lists; anything else is returned as it is."""
    if isinstance(value, ListLike):
        return value.tolist()
    if isinstance(value, list | tuple) and any(isinstance(item, ListLike) for item in value):
        return [as_lists(item) for item in value]
    return value


def check_tensor_type(tensor_type: object) -> None:
    """
    Raises:
        PreprocessorError: not None and not one of TENSOR_TYPES.
    """
    if tensor_type is not None and tensor_type not in TENSOR_TYPES:
        raise PreprocessorError(f"return_tensors is {tensor_type!r}; use 'pt' (torch), 'np' (numpy) or None (lists)")


def as_tensor(name: str, value: Any, tensor_type: str) -> Any:
    """Make one tensor of nested lists of numbers, or of a list of arrays.

    Args:
        name: what the values are called, for the error.
        tensor_type: "pt" for torch.Tensor, "np" for numpy.ndarray.

    Raises:
        PreprocessorError: the rows have different lengths, or the values are no numbers.
    """
    check_tensor_type(tensor_type)
    try:
        return _torch_tensor(value) if tensor_type == "pt" else _numpy_array(value)
    except (ValueError, TypeError, RuntimeError) as error:
        lengths = sorted({len(row) for row in value if isinstance(row, list | tuple)}) if value else []
        found = f"rows of {lengths[0]} to {lengths[-1]} values" if len(lengths) > 1 else f"values like {value!r:.60}"
        raise PreprocessorError(
            f"{name!r} cannot become one tensor: it has {found}. "
            "Pass padding=True (and truncation=True with a max_length) so that all rows have one length"
        ) from error


def _torch_tensor(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
        return torch.stack(value)
    if isinstance(value, ListLike) or (isinstance(value, list) and value and isinstance(value[0], ListLike)):
        return torch.from_numpy(_numpy_array(value))
    return torch.tensor(value, dtype=torch.int64 if _has_no_number(value) else None)


def _numpy_array(value: Any) -> Any:
    import numpy

    array = numpy.asarray(value, dtype=numpy.int64 if _has_no_number(value) else None)
    if array.dtype == object or array.dtype.kind in "US":
        raise ValueError("not numbers")
    return array


def _has_no_number(value: Any) -> bool:
    """True for [], [[]] and the like, whose type no library can tell."""
    return isinstance(value, list | tuple) and all(_has_no_number(item) for item in value)
