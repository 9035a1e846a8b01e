"""Names, shapes and numbers of files as transformers 5.23 publishes them, which is the oracle here."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modelry import AutoModelForCausalLM

transformers = pytest.importorskip("transformers")
integration = pytest.importorskip("transformers.integrations.finegrained_fp8")
pytestmark = pytest.mark.filterwarnings("ignore:fp8. .* made whole:modelry.errors.ModelryWarning")


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("block", [(32, 32), (128, 128), None])
def test_names_and_shapes_of_a_layer(folder: Path, tmp_path: Path, block: tuple[int, int] | None, static: bool) -> None:
    """A folder with that library's own layers is read, and every number is as the format says."""
    float_weights = load_file(folder / "model.safetensors")
    stored, expected = {}, {}
    torch.manual_seed(0)
    for name, tensor in float_weights.items():
        if not name.endswith("_proj.weight"):
            stored[name] = tensor
            continue
        scheme = "static" if static else "dynamic"
        theirs = integration.FP8Linear(tensor.shape[1], tensor.shape[0], block_size=block, activation_scheme=scheme)
        theirs.weight.data = (tensor * 100).to(torch.float8_e4m3fn)
        theirs.weight_scale_inv.data = torch.rand(theirs.weight_scale_inv.shape) / 100 + 0.005
        own = theirs.state_dict()
        stored |= {f"{name.removesuffix('.weight')}.{part}": one for part, one in own.items()}
        expected[name] = torch.empty(tensor.shape)
        high, wide = block or tensor.shape
        for row in range(tensor.shape[0]):
            for column in range(0, tensor.shape[1], wide):
                scale = (
                    own["weight_scale_inv"] if block is None else own["weight_scale_inv"][row // high, column // wide]
                )
                part = slice(column, column + wide)
                expected[name][row, part] = own["weight"][row, part].float() * scale
    (tmp_path / "theirs").mkdir()
    config = json.loads((folder / "config.json").read_text())
    settings = transformers.FineGrainedFP8Config(
        weight_block_size=block, activation_scheme="static" if static else "dynamic"
    ).to_dict()
    config["quantization_config"] = {**settings, "quant_method": "fp8"}
    (tmp_path / "theirs" / "config.json").write_text(json.dumps(config))
    from safetensors.torch import save_file

    save_file(stored, tmp_path / "theirs" / "model.safetensors")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "theirs")
    for name, weight in expected.items():
        assert torch.equal(model.get_submodule(name.removesuffix(".weight")).dequantized(), weight)
    model.save_pretrained(tmp_path / "ours")
    again = load_file(tmp_path / "ours" / "model.safetensors")
    assert again.keys() == stored.keys()
    assert all(
        torch.equal(one.view(torch.uint8), stored[name].view(torch.uint8)) for name, one in again.items() if one.dim()
    )


def test_what_we_save_is_read_by_it(folder: Path, tmp_path: Path) -> None:
    """On a CPU it makes every weight whole in bfloat16."""
    pytest.importorskip("accelerate")
    wanted = {"quant_method": "fp8", "weight_block_size": [32, 32]}
    ours = AutoModelForCausalLM.from_pretrained(folder, quantization=wanted)
    ours.save_pretrained(tmp_path / "packed")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "packed", dtype=torch.float32)
    ids = torch.tensor([[1, 5, 9, 20]])
    with torch.inference_mode():
        found, expected = ours(input_ids=ids).logits, theirs(input_ids=ids).logits.float()
    assert (found - expected).norm() < 0.02 * expected.norm()
