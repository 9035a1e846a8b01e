"""Packing while loading never holds the float model: memory grows by the packed model and about one layer."""

from pathlib import Path

from modelry_testing.memory import packs_layer_by_layer, save_deep

SCHEME = {
    "quant_method": "compressed-tensors",
    "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 32}}},
}


def test_peak_memory(folder: Path, tmp_path: Path) -> None:
    deep = save_deep(tmp_path / "large", "llama")
    packs_layer_by_layer(folder, deep.folder, size=deep.size, layer=deep.layer, quantization=SCHEME)
