"""Measuring is right about a model that is held whole, and says so where sizes would show nothing."""

from pathlib import Path

import pytest

from modelry_testing.errors import ContractBroken
from modelry_testing.memory import packs_layer_by_layer
from modelry_testing.random_models import save_random


def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(ContractBroken, match="nowhere"):
        packs_layer_by_layer(tmp_path / "nowhere", tmp_path / "nowhere", size=1, layer=1)


def test_a_float_model_is_no_packed_one(tmp_path: Path) -> None:
    folder = save_random(tmp_path / "float", "llama")
    size = (folder / "model.safetensors").stat().st_size
    with pytest.raises(ContractBroken, match="too near to a float one"):
        packs_layer_by_layer(folder, folder, size=size, layer=1)
    with pytest.raises(ContractBroken, match="memory grows by"):
        packs_layer_by_layer(folder, folder, size=100 * size, layer=-size)
