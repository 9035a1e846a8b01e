"""What each GGUF tensor type is called and how many bytes a block of it takes. No arithmetic on weights here.

Numbers and layouts: enum ggml_type and the block_* structures of
https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-common.h.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["plain", "quantized", "unreadable"]


@dataclass(frozen=True)
class TensorType:
    """One storage type: `block_bytes` bytes hold `block_size` weights of one row."""

    name: str
    block_size: int
    block_bytes: int
    kind: Kind = "quantized"
    dtype: str = "bfloat16"
    """What dtype="auto" makes of it: its own for plain types; for quantized ones bfloat16, which has room for the
    precision of eight bits and less at half the size of float32."""


def _plain(name: str, size: int, dtype: str) -> TensorType:
    return TensorType(name, 1, size, "plain", dtype)


def _unreadable(name: str, block_size: int, block_bytes: int) -> TensorType:
    return TensorType(name, block_size, block_bytes, "unreadable")


TENSOR_TYPES: dict[int, TensorType] = {
    0: _plain("F32", 4, "float32"),
    1: _plain("F16", 2, "float16"),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    9: _unreadable("Q8_1", 32, 40),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    15: _unreadable("Q8_K", 256, 292),
    16: _unreadable("IQ2_XXS", 256, 66),
    17: _unreadable("IQ2_XS", 256, 74),
    18: _unreadable("IQ3_XXS", 256, 98),
    19: _unreadable("IQ1_S", 256, 50),
    20: _unreadable("IQ4_NL", 32, 18),
    21: _unreadable("IQ3_S", 256, 110),
    22: _unreadable("IQ2_S", 256, 82),
    23: _unreadable("IQ4_XS", 256, 136),
    24: _plain("I8", 1, "int8"),
    25: _plain("I16", 2, "int16"),
    26: _plain("I32", 4, "int32"),
    27: _plain("I64", 8, "int64"),
    28: _plain("F64", 8, "float64"),
    29: _unreadable("IQ1_M", 256, 56),
    30: _plain("BF16", 2, "bfloat16"),
    34: _unreadable("TQ1_0", 256, 54),
    35: _unreadable("TQ2_0", 256, 66),
    39: _unreadable("MXFP4", 32, 17),
}
