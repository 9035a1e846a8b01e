"""dtypes by their published names, for files and for arguments."""

import torch

from modelry.errors import CheckpointError, ConfigError

DtypeLike = str | torch.dtype

SAFETENSORS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "C64": torch.complex64,
}
"""The names of the safetensors format."""


def as_dtype(value: DtypeLike | None) -> torch.dtype | None:
    """A torch dtype from itself, from "bfloat16" or "torch.bfloat16"; None stays None.

    Raises:
        ConfigError: no such dtype.
    """
    if value is None or isinstance(value, torch.dtype):
        return value
    found = getattr(torch, value.removeprefix("torch."), None) if isinstance(value, str) else None
    if not isinstance(found, torch.dtype):
        raise ConfigError(
            f'dtype {value!r} is no dtype; write "auto", "float32", "bfloat16", "float16" or a torch.dtype'
        )
    return found


def as_float_dtype(value: DtypeLike) -> torch.dtype:
    """The torch dtype that a model's floating parameters shall have.

    Raises:
        ConfigError: no such dtype, or one of whole numbers: casting weights to it would lose them.
    """
    found = as_dtype(value)
    if found is None or not found.is_floating_point:
        raise ConfigError(
            f'dtype {value!r} cannot hold a model\'s weights; give a floating one, as in "bfloat16". '
            "To make a model smaller, quantize it: quantization=..."
        )
    return found


def dtype_name(dtype: torch.dtype) -> str:
    """ "bfloat16" for torch.bfloat16, as config.json has it."""
    return str(dtype).removeprefix("torch.")


def stored_dtype(name: str, *, where: object) -> torch.dtype:
    """The torch dtype of a safetensors name.

    Raises:
        CheckpointError: torch has none.
    """
    if name not in SAFETENSORS:
        raise CheckpointError(f"{where}: dtype {name!r} is not one that PyTorch has ({', '.join(SAFETENSORS)})")
    return SAFETENSORS[name]
