"""Devices by name and number."""

import pytest
import torch

from modelry.accelerators import best_device
from modelry.pipelines.placement import read_device


def test_the_cpu_by_any_name() -> None:
    for name in ("cpu", -1, torch.device("cpu")):
        assert read_device(name) == torch.device("cpu")


def test_the_default_is_the_best() -> None:
    assert read_device(None) == best_device()


@pytest.mark.parametrize("name", ["gpu7", "", "cuda:x"])
def test_no_device(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not a device: use"):
        read_device(name)


@pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has an accelerator")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", 0])
def test_an_accelerator_that_is_not_here(device: str | int) -> None:
    with pytest.raises(ValueError, match=r"is not here|has none"):
        read_device(device)
