"""The package compressed-tensors itself reads what is packed here, and the other way round."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modelry import AutoModelForCausalLM
from modelry.packed import PackedLinear

compressors = pytest.importorskip("compressed_tensors.compressors.base")
quantization = pytest.importorskip("compressed_tensors.quantization")
pytestmark = pytest.mark.filterwarnings("ignore:compressed-tensors. .*made whole:modelry.errors.ModelryWarning")

CASES = [
    ("pack-quantized", {"num_bits": 4, "strategy": "group", "group_size": 32}),
    ("pack-quantized", {"num_bits": 4, "strategy": "group", "group_size": 32, "symmetric": False}),
    ("pack-quantized", {"num_bits": 4, "strategy": "channel"}),
    ("pack-quantized", {"num_bits": 8, "strategy": "channel", "symmetric": False}),
    ("naive-quantized", {"num_bits": 8, "strategy": "channel"}),
    ("naive-quantized", {"num_bits": 8, "strategy": "group", "group_size": 32, "symmetric": False}),
    ("float-quantized", {"num_bits": 8, "type": "float", "strategy": "channel"}),
    ("float-quantized", {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [32, 32]}),
]


@pytest.mark.parametrize(("kind", "weights"), CASES)
def test_layers(folder: Path, tmp_path: Path, kind: str, weights: dict[str, object]) -> None:
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    wanted = {"quant_method": "compressed-tensors", "format": kind, "config_groups": groups}
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=wanted)
    model.save_pretrained(tmp_path / "packed")
    stored = load_file(tmp_path / "packed" / "model.safetensors")
    compressor = compressors.BaseCompressor.get_value_from_registry(kind)
    scheme = quantization.QuantizationScheme(targets=["Linear"], weights=weights)
    layers = {name: one for name, one in model.named_modules() if isinstance(one, PackedLinear)}
    assert len(layers) == 14
    for name, layer in layers.items():
        own = {part.removeprefix(f"{name}."): one for part, one in stored.items() if part.startswith(f"{name}.")}
        own["weight_scale"] = own["weight_scale"].float()
        whole = compressor.decompress(dict(own), scheme)
        torch.testing.assert_close(layer.dequantized(), whole["weight"], rtol=1e-6, atol=1e-7)
        again = compressor.compress({"weight": whole["weight"], **_parameters(whole)}, scheme)
        for part in ("weight_packed", "weight", "weight_zero_point", "weight_shape"):
            if part in own:
                found, expected = again[part].flatten(), own[part].flatten()
                assert torch.equal(found.view(torch.uint8), expected.view(torch.uint8)), part


def _parameters(whole: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {part: one for part, one in whole.items() if part in ("weight_scale", "weight_zero_point")}
