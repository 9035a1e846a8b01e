"""Packing while loading never holds the float model: memory grows by the packed model and about one layer."""

from pathlib import Path

from modelry_testing.memory import packs_layer_by_layer, save_deep


def test_peak_memory(folder: Path, tmp_path: Path) -> None:
    deep = save_deep(tmp_path / "large", "llama")
    packs_layer_by_layer(folder, deep.folder, size=deep.size, layer=deep.layer, quantization="int4")
