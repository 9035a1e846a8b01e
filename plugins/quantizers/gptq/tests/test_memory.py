"""Reading a packed checkpoint, and packing while loading, take the packed model and about one layer."""

from pathlib import Path

import pytest

from modelry import AutoModelForCausalLM
from modelry_testing.memory import packs_layer_by_layer, save_deep


@pytest.mark.parametrize(("bits", "stored"), [(4, True), (8, False)])
def test_peak_memory(folder: Path, tmp_path: Path, bits: int, stored: bool) -> None:
    deep, scheme = save_deep(tmp_path / "large", "llama"), {"quant_method": "gptq", "bits": bits}
    folders, options = [folder, deep.folder], {"quantization": scheme}
    if stored:
        for number, one in enumerate(folders):
            folders[number] = tmp_path / f"packed-{number}"
            AutoModelForCausalLM.from_pretrained(one, quantization=scheme).save_pretrained(folders[number])
        options = {}
    packs_layer_by_layer(*folders, size=deep.size, layer=deep.layer, **options)
