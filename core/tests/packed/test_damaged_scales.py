"""A scale that is no number is found, and its layer named."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from modelry.errors import QuantizationError
from modelry.packed import Int8Linear
from modelry.packed.damaged_scales import refuse_damaged_scales


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_each_kind(int8_layer: Callable[..., Int8Linear], value: float) -> None:
    model = nn.Sequential(int8_layer(), nn.Linear(20, 3), int8_layer(inputs=3))
    seen: list[torch.Tensor] = []
    refuse_damaged_scales(model, where="here", after_each=seen.append)
    assert [one.shape[0] for one in seen] == [20, 20]
    scale = model[2].weight_scale
    scale[7] = value
    with pytest.raises(QuantizationError, match=r"^here: 2\.weight_scale has a value that is infinite or no number"):
        refuse_damaged_scales(model, where="here", after_each=seen.append)
