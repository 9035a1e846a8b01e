"""The dtype of products under autocast."""

import torch

from modelry.nn.autocast import autocast_dtype


def test_where_it_is_on() -> None:
    assert autocast_dtype("cpu") is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert autocast_dtype("cpu") is torch.bfloat16
        assert autocast_dtype("meta") is None, "which torch itself refuses to be asked about"
