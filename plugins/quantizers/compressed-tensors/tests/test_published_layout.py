"""Folders in the published layouts, written here number by number, are read exactly and written back bit by bit.

I input width   O output width
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modelry import AutoModelForCausalLM

E4M3 = torch.float8_e4m3fn
Made = tuple[dict[str, Tensor], Tensor]


def pack(rows: list[list[int]], bits: int) -> Tensor:
    """Unsigned integers along each row into 32-bit ones, the first in the lowest bits."""
    fields = 32 // bits
    packed = []
    for row in rows:
        words = [row[start : start + fields] for start in range(0, len(row), fields)]
        packed.append([sum(one << (bits * place) for place, one in enumerate(word)) for word in words])
    return torch.tensor(packed, dtype=torch.int64).to(torch.int32)


def packed_layer(
    shape: torch.Size, *, bits: int, size: int, symmetric: bool = True, reordered: bool = False, older: bool = False
) -> Made:
    outputs, inputs = shape
    size = inputs if size == -1 else size
    groups, middle = inputs // size, 2 ** (bits - 1)
    numbers = torch.randint(-middle, middle, shape)
    scale = (torch.rand(outputs, groups) / 50 + 0.01).bfloat16()
    zero = torch.zeros(outputs, groups, dtype=torch.int64) if symmetric else torch.randint(-middle, middle, scale.shape)
    group_of = torch.arange(inputs) // size
    if reordered:
        group_of = group_of[torch.randperm(inputs)]
    weight = torch.empty(shape)
    for column in range(inputs):
        group = int(group_of[column])
        weight[:, column] = (numbers[:, column] - zero[:, group]).float() * scale[:, group].float()
    tensors = {
        "weight_packed": pack((numbers + middle).tolist(), bits),
        "weight_scale": scale,
        "weight_shape": torch.tensor([outputs, inputs]),
    }
    if older:
        tensors["weight_zero_point"] = zero.to(torch.int8)
    elif not symmetric:
        tensors["weight_zero_point"] = pack((zero + middle).t().tolist(), bits).t().contiguous()
    if reordered:
        tensors["weight_g_idx"] = group_of.int()
    return tensors, weight


def plain_layer(shape: torch.Size, *, dtype: torch.dtype, block: tuple[int, int], symmetric: bool = True) -> Made:
    outputs, inputs = shape
    high, wide = min(block[0], outputs), min(block[1], inputs)
    numbers = torch.randint(-127, 128, shape).to(dtype)
    scale = torch.rand(-(-outputs // high), -(-inputs // wide)) / 500 + 0.0001
    zero = torch.zeros(scale.shape) if symmetric else torch.randint(-20, 20, scale.shape).float()
    weight = torch.empty(shape)
    for row in range(outputs):
        for start in range(0, inputs, wide):
            at = row // high, start // wide
            part = slice(start, start + wide)
            weight[row, part] = (numbers[row, part].float() - zero[at]) * scale[at]
    tensors = {"weight": numbers, "weight_scale": scale.view(-1)[:1] if scale.numel() == 1 else scale}
    if not symmetric:
        tensors["weight_zero_point"] = zero.to(torch.int8)
    return tensors, weight


def int4(**weights: object) -> dict[str, object]:
    return {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, **weights}


def e4m3(**weights: object) -> dict[str, object]:
    return {"num_bits": 8, "type": "float", "symmetric": True, **weights}


WHOLE = (10**6, 10**6)
CASES: dict[str, tuple[str, dict[str, object], Callable[[torch.Size], Made]]] = {
    "int4": ("pack-quantized", int4(), lambda shape: packed_layer(shape, bits=4, size=32)),
    "int4 zero points": (
        "pack-quantized",
        int4(symmetric=False, zp_dtype="torch.int8"),
        lambda shape: packed_layer(shape, bits=4, size=32, symmetric=False),
    ),
    "int4 zero points of older files": (
        "pack-quantized",
        int4(symmetric=False),
        lambda shape: packed_layer(shape, bits=4, size=32, symmetric=False, older=True),
    ),
    "int8 zero points of older files": (
        "pack-quantized",
        int4(num_bits=8, symmetric=False),
        lambda shape: packed_layer(shape, bits=8, size=32, symmetric=False, older=True),
    ),
    "int4 rows": (
        "pack-quantized",
        int4(strategy="channel", group_size=None),
        lambda shape: packed_layer(shape, bits=4, size=-1),
    ),
    "int4 act-order": (
        "pack-quantized",
        int4(actorder="group", symmetric=False),
        lambda shape: packed_layer(shape, bits=4, size=32, symmetric=False, reordered=True),
    ),
    "int4 act-order of weights": (
        "pack-quantized",
        int4(actorder="weight"),
        lambda shape: packed_layer(shape, bits=4, size=32),
    ),
    "int8 packed": (
        "pack-quantized",
        int4(num_bits=8, symmetric=False),
        lambda shape: packed_layer(shape, bits=8, size=32, symmetric=False),
    ),
    "int8 rows": (
        "int-quantized",
        {"num_bits": 8, "strategy": "channel"},
        lambda shape: plain_layer(shape, dtype=torch.int8, block=(1, 10**6)),
    ),
    "int8 tensor": (
        "naive-quantized",
        {"num_bits": 8},
        lambda shape: plain_layer(shape, dtype=torch.int8, block=WHOLE),
    ),
    "int8 groups": (
        "naive-quantized",
        {"num_bits": 8, "group_size": 16, "symmetric": False},
        lambda shape: plain_layer(shape, dtype=torch.int8, block=(1, 16), symmetric=False),
    ),
    "e4m3 rows": (
        "float-quantized",
        e4m3(strategy="channel"),
        lambda shape: plain_layer(shape, dtype=E4M3, block=(1, 10**6)),
    ),
    "e4m3 tensor": (
        "float-quantized",
        e4m3(strategy="tensor"),
        lambda shape: plain_layer(shape, dtype=E4M3, block=WHOLE),
    ),
    "e4m3 blocks": (
        "float-quantized",
        e4m3(strategy="block", block_structure="20x64"),
        lambda shape: plain_layer(shape, dtype=E4M3, block=(20, 64)),
    ),
}


def write(folder: Path, into: Path, case: str, **more: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A folder in the layout; its tensors, and the float weights that they stand for."""
    kind, weights, make = CASES[case]
    torch.manual_seed(5)
    stored, floats = {}, {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        floats[name] = tensor
        if name.endswith("_proj.weight"):
            made, floats[name] = make(tensor.shape)
            stored |= {f"{name.removesuffix('.weight')}.{part}": one for part, one in made.items()}
        else:
            stored[name] = tensor
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {
        "quant_method": "compressed-tensors",
        "format": kind,
        "quantization_status": "compressed",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights, **more}},
        "ignore": ["lm_head"],
        "kv_cache_scheme": None,
        "global_compression_ratio": 1.5,
    }
    into.mkdir()
    (into / "config.json").write_text(json.dumps(config))
    save_file(stored, into / "model.safetensors")
    return stored, floats


@pytest.mark.filterwarnings("ignore:compressed-tensors. .*made whole:modelry.errors.ModelryWarning")
@pytest.mark.parametrize("case", CASES)
def test_read_and_written_back(folder: Path, tmp_path: Path, case: str) -> None:
    stored, floats = write(folder, tmp_path / "theirs", case)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "theirs", dtype="float32")
    for name in floats:
        if name.endswith("_proj.weight"):
            found = model.get_submodule(name.removesuffix(".weight")).dequantized()
            torch.testing.assert_close(found, floats[name], rtol=1e-6, atol=1e-7)
    save_file(floats, folder / "model.safetensors")
    reference = AutoModelForCausalLM.from_pretrained(folder)
    for rows in (1, 12):
        ids = torch.randint(96, (1, rows), generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            found, expected = model(input_ids=ids).logits, reference(input_ids=ids).logits
        assert (found - expected).norm() < 1e-3 * expected.norm()
    model.save_pretrained(tmp_path / "ours")
    again = load_file(tmp_path / "ours" / "model.safetensors")
    assert again.keys() == stored.keys()
    for name, one in again.items():
        assert one.dtype == stored[name].dtype
        assert torch.equal(one.view(torch.uint8), stored[name].view(torch.uint8)), name


def test_scales_of_activations_and_caches_are_kept(folder: Path, tmp_path: Path) -> None:
    activations = {"num_bits": 8, "type": "float", "strategy": "tensor", "dynamic": False}
    stored, _ = write(folder, tmp_path / "theirs", "e4m3 tensor", input_activations=activations)
    layers = [name.removesuffix(".weight") for name in stored if name.endswith("_proj.weight")]
    stored = {**stored, **{f"{layer}.input_scale": torch.ones(1) for layer in layers}}
    stored |= {f"model.layers.{index}.self_attn.{one}_scale": torch.ones(1) for index in range(2) for one in "kv"}
    save_file({name: one.clone() for name, one in stored.items()}, tmp_path / "theirs" / "model.safetensors")
    config = json.loads((tmp_path / "theirs" / "config.json").read_text())
    config["quantization_config"]["kv_cache_scheme"] = activations
    (tmp_path / "theirs" / "config.json").write_text(json.dumps(config))
    with pytest.warns(match="rounds activations and keys and values too; here they stay"):
        model = AutoModelForCausalLM.from_pretrained(tmp_path / "theirs")
    model.save_pretrained(tmp_path / "ours")
    assert load_file(tmp_path / "ours" / "model.safetensors").keys() == stored.keys()


def test_dense(folder: Path, tmp_path: Path) -> None:
    """Weights in floats beside the scales they were rounded with."""
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {
        "quant_method": "compressed-tensors",
        "format": "dense",
        "quantization_status": "frozen",
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 32}}},
        "ignore": ["lm_head"],
    }
    (tmp_path / "dense").mkdir()
    (tmp_path / "dense" / "config.json").write_text(json.dumps(config))
    stored = {name: one.clone() for name, one in load_file(folder / "model.safetensors").items()}
    scale = {
        name.replace(".weight", ".weight_scale"): torch.ones(1) for name in stored if name.endswith("_proj.weight")
    }
    save_file({**stored, **scale}, tmp_path / "dense" / "model.safetensors")
    with pytest.warns(match="weights of 14 layers are stored dense"):
        model = AutoModelForCausalLM.from_pretrained(tmp_path / "dense", dtype="bfloat16")
    assert model.model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16
    ids = torch.tensor([[1, 5, 9]])
    expected = AutoModelForCausalLM.from_pretrained(folder, dtype="bfloat16")(input_ids=ids).logits
    assert torch.equal(model(input_ids=ids).logits, expected)
    model.save_pretrained(tmp_path / "again")
    assert load_file(tmp_path / "again" / "model.safetensors").keys() == {**stored, **scale}.keys()
