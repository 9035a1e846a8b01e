"""How a packed layer shows its weight to others: as integers that can be read, and not taken for a float weight."""

from typing import Any, NoReturn

import torch
from torch import Tensor

from modelry.errors import QuantizationError


def _refuse(*values: Any) -> NoReturn:
    raise QuantizationError(
        "the weight of a packed layer is integers, so nothing can be added to it: keep the adapter beside it as it is, "
        "or merge it into the float model and quantize the result. Adapters that need the float weight itself "
        "(DoRA, initialisations from the weight) cannot stand on a packed layer either"
    )


class PackedIntegers(Tensor):
    """A view of the integers on which sums and `.data` are refused, by which adapters are merged (PEFT's are).

    Without this, a careful merge casts the adapter to integers, adds it and reports success.
    """

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # results are plain tensors

    data = property(_refuse, _refuse)
    __add__ = __radd__ = __iadd__ = _refuse
