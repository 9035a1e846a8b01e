"""Keeping blocks packed never holds the float model: memory grows by the packed model and about one layer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType as Type

from modelry_testing.memory import packs_layer_by_layer


@pytest.mark.parametrize("kind", [Type.Q4_1, Type.Q8_0], ids=lambda kind: kind.name)
def test_peak_memory(tmp_path: Path, write_model: Callable[..., Any], kind: Type) -> None:
    small, large = tmp_path / "small.gguf", tmp_path / "large.gguf"
    write_model(small, kind=kind)
    sizes = {"hidden_size": 512, "intermediate_size": 1408, "num_attention_heads": 8, "num_key_value_heads": 8}
    write_model(large, kind=kind, num_hidden_layers=16, **sizes)
    layer = 4 * (4 * 512 * 512 + 3 * 512 * 1408)
    packs_layer_by_layer(small, large, size=16 * layer, layer=layer, quantization="gguf")
