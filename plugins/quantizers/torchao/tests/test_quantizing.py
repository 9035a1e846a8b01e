"""Models are packed while they load, torchao's own files are read, and what it cannot do is refused."""

import json
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry import AutoModelForCausalLM
from modelry.errors import QuantizationError
from modelry_torchao.ao_linear import AoLinear

INT8 = {"quant_method": "torchao", "quant_type": "int8_weight_only"}
INT8_INPUTS = {**INT8, "quant_type": "int8_dynamic_activation_int8_weight"}
IDS = torch.tensor([[1, 5, 9, 20], [7, 3, 2, 8]])


def names(model: torch.nn.Module) -> set[str]:
    return {name for name, part in model.named_modules() if isinstance(part, AoLinear)}


def edit(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def test_declared_without_the_package() -> None:
    code = (
        "import sys, modelry_torchao._plugin, modelry_torchao.parameters\n"
        "assert not {'torch', 'torchao'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("scheme", [INT8, INT8_INPUTS])
def test_what_is_packed(folder: Path, scheme: dict[str, Any]) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=scheme)
    assert len(names(model)) == 14
    assert model.lm_head.weight is model.model.embed_tokens.weight
    some = AutoModelForCausalLM.from_pretrained(folder, quantization={**scheme, "modules_to_not_convert": ["q_proj"]})
    assert names(some) == {name for name in names(model) if "q_proj" not in name} | {"lm_head"}


@pytest.mark.parametrize("name", ["Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig"])
def test_the_same_as_torchao_itself(folder: Path, name: str) -> None:
    from torchao import quantization as ao

    ours = AutoModelForCausalLM.from_pretrained(
        folder, quantization={**INT8, "quant_type": {"default": {"_type": name, "_version": 2, "_data": {}}}}
    )
    theirs = AutoModelForCausalLM.from_pretrained(folder)
    ao.quantize_(theirs, getattr(ao, name)(set_inductor_config=False), lambda _, path: path in names(ours))
    with torch.no_grad():
        assert torch.equal(ours(IDS).logits, theirs(IDS).logits)


def test_reads_what_transformers_writes(folder: Path, tmp_path: Path) -> None:
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import AutoModelForCausalLM as Peer
    from transformers import TorchAoConfig

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = TorchAoConfig(quant_type=Int8WeightOnlyConfig())
        theirs = Peer.from_pretrained(folder, device_map="cpu", quantization_config=settings).eval()
        theirs.save_pretrained(tmp_path / "theirs")
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "theirs")
    assert len(names(ours)) == 14
    with torch.no_grad():
        assert torch.allclose(ours(IDS).logits, theirs(IDS).logits, atol=1e-4)


def test_four_bits_in_eight(folder: Path, tmp_path: Path) -> None:
    """torchao's generic form, which runs anywhere."""
    from torchao.core.config import config_to_dict
    from torchao.quantization import IntxWeightOnlyConfig
    from torchao.quantization.granularity import PerGroup

    written = config_to_dict(IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)))
    model = AutoModelForCausalLM.from_pretrained(folder, quantization={**INT8, "quant_type": {"default": written}})
    weight = AutoModelForCausalLM.from_pretrained(folder).model.layers[0].mlp.up_proj.weight.detach()
    packed = model.model.layers[0].mlp.up_proj.dequantized()
    assert 0.01 < float((packed - weight).norm() / weight.norm()) < 0.15
    model.save_pretrained(tmp_path / "packed")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    with torch.no_grad():
        assert torch.equal(again(IDS).logits, model(IDS).logits)


def test_moving_and_casting_keep_the_bits(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=INT8)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items() if "_weight_" in name}
    model.to(torch.bfloat16)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())
    assert torch.isfinite(model(IDS).logits).all()


@pytest.mark.parametrize("kind", ["int8_weight_only", "float8_weight_only"])
def test_products_run_in_the_dtype_that_is_cast_to(folder: Path, tmp_path: Path, kind: str) -> None:
    """As those of the same file loaded in it."""
    model = AutoModelForCausalLM.from_pretrained(folder, quantization={**INT8, "quant_type": kind}, dtype="bfloat16")
    model.float().save_pretrained(tmp_path / "packed")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    with torch.no_grad():
        assert torch.equal(again(IDS).logits, model(IDS).logits)


@pytest.mark.parametrize("scheme", [INT8, INT8_INPUTS])
def test_gradients_reach_what_stands_below(folder: Path, scheme: dict[str, Any]) -> None:
    layer = AutoModelForCausalLM.from_pretrained(folder, quantization=scheme).model.layers[0].mlp.up_proj
    x = torch.randn(3, 64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad[0], layer.dequantized().sum(0), atol=1e-4)


@pytest.mark.skipif(torch.cuda.is_available(), reason="torchao has it for CUDA")
def test_what_torchao_has_not_for_this_device(folder: Path) -> None:
    found = f"q_proj: torchao {version('torchao')} cannot do Int4WeightOnlyConfig for a weight of .* on cpu: "
    int4 = {**INT8, "quant_type": "int4_weight_only", "quant_type_kwargs": {"group_size": 32}}
    with pytest.raises(QuantizationError, match=found):
        AutoModelForCausalLM.from_pretrained(folder, quantization=int4)


def test_a_name_alone_says_too_little(folder: Path) -> None:
    with pytest.raises(QuantizationError, match="quantization torchao: quant_type is missing, and has no default"):
        AutoModelForCausalLM.from_pretrained(folder, quantization="torchao")


def test_groups_that_do_not_divide(folder: Path) -> None:
    int4 = {**INT8, "quant_type": "int4_weight_only", "quant_type_kwargs": {"group_size": 128}}
    with pytest.raises(QuantizationError, match=r"q_proj: .*leaves a weight of 64 outputs and 64 inputs as it is"):
        AutoModelForCausalLM.from_pretrained(folder, quantization=int4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quant_type_kwargs": {"no_such": 1}}, "makes no configuration of quant_type 'int8_weight_only'.*no_such"),
        ({"quant_type": {"_type": "NoSuchConfig", "_data": {}}}, "makes no configuration.*NoSuchConfig"),
        (
            {"quant_type": {"default": {"_type": "Int8WeightOnlyConfig", "_version": 1, "_data": {}}}},
            "makes no configuration.*version 1",
        ),
        ({"quant_type": "int3"}, "no such name; there are int4_weight_only, int8_weight_only"),
    ],
)
def test_configurations_that_torchao_does_not_have(folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(QuantizationError, match=message):
        AutoModelForCausalLM.from_pretrained(folder, quantization={**INT8, **changes})


def test_a_config_that_lies(folder: Path, tmp_path: Path) -> None:
    edit(folder, quantization_config=INT8)
    with pytest.raises(QuantizationError, match="no layer of LlamaForCausalLM has a _weight_… stored"):
        AutoModelForCausalLM.from_pretrained(folder)
    edit(folder, quantization_config=None)
    AutoModelForCausalLM.from_pretrained(folder, quantization=INT8).save_pretrained(tmp_path / "packed")
    edit(tmp_path / "packed", quantization_config=None)
    with pytest.raises(QuantizationError, match=r"packed already \(model\.layers\.0.* has no quantization_config"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed", quantization=INT8)


def test_a_file_says_itself_which_layers_are_packed(folder: Path, tmp_path: Path) -> None:
    """Others pack layers of heads too, and write down none of those that stay."""
    everything = AutoModelForCausalLM.from_pretrained(folder, quantization={**INT8, "modules_to_not_convert": []})
    everything.save_pretrained(tmp_path / "packed")
    edit(tmp_path / "packed", quantization_config=INT8)
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    assert "lm_head" in names(again)
    with torch.no_grad():
        assert torch.equal(again(IDS).logits, everything(IDS).logits)
    some = AutoModelForCausalLM.from_pretrained(folder, quantization=INT8)
    assert some.config.quantization_config["modules_to_not_convert"] == ["lm_head"]


def test_values_that_are_no_numbers(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"][3] = 0  # a number for each, of which torchao makes none
    save_file(tensors, folder / "model.safetensors")
    rows = AutoModelForCausalLM.from_pretrained(folder, quantization={**INT8, "quant_type": "float8_weight_only"})
    weight = rows.model.layers[1].mlp.up_proj.dequantized()
    assert not weight[3].any()
    assert weight.isfinite().all()
    tensors["model.layers.1.mlp.up_proj.weight"][3, 4] = float("nan")
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(QuantizationError, match=r"up_proj\.weight has a value that is infinite or no number"):
        AutoModelForCausalLM.from_pretrained(folder, quantization=INT8)
