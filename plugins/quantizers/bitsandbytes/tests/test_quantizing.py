"""Models are packed while they load, published layouts are read and written, and what contradicts itself is refused."""

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from modelry import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM
from modelry.cli.quantize import quantize
from modelry.errors import QuantizationError
from modelry.packed.stored_linear import StoredLinear
from modelry_bitsandbytes.four_bits import FourBitLinear
from modelry_testing.random_models import save_random

NF4 = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
KINDS = {
    "nf4": NF4,
    "nf4-double": {**NF4, "bnb_4bit_use_double_quant": True},
    "fp4": {**NF4, "bnb_4bit_quant_type": "fp4", "bnb_4bit_compute_dtype": "bfloat16"},
    "int8": {"quant_method": "bitsandbytes", "load_in_8bit": True},
}
IDS = torch.tensor([[1, 5, 9, 20], [7, 3, 2, 8]])


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(KINDS[request.param])


def names(model: torch.nn.Module) -> set[str]:
    return {name for name, part in model.named_modules() if isinstance(part, StoredLinear)}


def edit(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def peer(folder: Path, **options: Any) -> Any:
    """transformers' model of a folder, packed by the same package."""
    from transformers import AutoModelForCausalLM as Peer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Peer.from_pretrained(folder, device_map="cpu", **options).eval()


def test_declared_without_the_package() -> None:
    code = (
        "import sys, modelry_bitsandbytes._plugin, modelry_bitsandbytes.parameters\n"
        "assert not {'torch', 'bitsandbytes'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_what_is_packed(folder: Path, kind: dict[str, Any]) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=kind)
    assert len(names(model)) == 14
    assert model.lm_head.weight is model.model.embed_tokens.weight
    some = AutoModelForCausalLM.from_pretrained(folder, quantization={**kind, "llm_int8_skip_modules": ["q_proj"]})
    assert names(some) == {name for name in names(model) if "q_proj" not in name} | {"lm_head"}


def apart(ours: Any, theirs: Any) -> float:
    """Relative distance of the logits. On a CPU with AVX512 the package's own layers multiply in bfloat16."""
    with torch.no_grad():
        expected, found = theirs(IDS).logits.float(), ours(IDS).logits
    return float((found - expected).norm() / expected.norm())


def test_reads_what_others_have_packed(folder: Path, tmp_path: Path, kind: dict[str, Any]) -> None:
    from transformers import BitsAndBytesConfig

    settings = {key: value for key, value in kind.items() if key != "quant_method"}
    theirs = peer(folder, quantization_config=BitsAndBytesConfig(**settings))
    theirs.save_pretrained(tmp_path / "theirs")
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "theirs")
    assert len(names(ours)) == 14
    assert apart(ours, theirs) < 0.03
    ours.save_pretrained(tmp_path / "again")
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("theirs", "again"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_others_read_what_we_have_packed(folder: Path, tmp_path: Path, kind: dict[str, Any]) -> None:
    ours = AutoModelForCausalLM.from_pretrained(folder, quantization=kind)
    ours.save_pretrained(tmp_path / "ours")
    assert ours.config.quantization_config["llm_int8_skip_modules"] == ["lm_head"], "others skip other layers of heads"
    theirs = peer(tmp_path / "ours")
    found = theirs.state_dict()
    same = {name: tensor for name, tensor in ours.state_dict().items() if ".quant_state." not in name}
    assert all(torch.equal(found[name], tensor) for name, tensor in same.items())
    assert apart(ours, theirs) < 0.03


def test_moving_and_casting_keep_the_bits(folder: Path, kind: dict[str, Any]) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=kind)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items() if ".layers." in name}
    model.to(torch.bfloat16)
    packed = tuple(names(model))
    after = model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items() if name.startswith(packed))
    assert torch.isfinite(model(IDS).logits).all()
    other = AutoModelForCausalLM.from_pretrained(folder, quantization=kind)
    other.load_state_dict(model.state_dict())
    assert all(torch.equal(tensor, after[name]) for name, tensor in other.state_dict().items() if name in before)


@pytest.mark.parametrize("inputs", [32, 96, 33])
def test_blocks_that_go_from_one_row_into_the_next(tmp_path: Path, inputs: int) -> None:
    """Weights that 4 bits hold exactly, each block with a scale of its own; the package's CPU kernels mix those up."""
    folder = save_random(tmp_path, "llama", hidden_size=64, intermediate_size=inputs)
    stored = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.down_proj.weight"
    exact = torch.tensor([-1.0, 0.0, 1.0, 1.0]).repeat(64 * inputs // 4).view(-1, 64)
    exact = (exact * torch.arange(1, len(exact) + 1)[:, None]).view(64, inputs)
    save_file({**stored, name: exact}, folder / "model.safetensors")
    layer = AutoModelForCausalLM.from_pretrained(folder, quantization=NF4).get_submodule(name.removesuffix(".weight"))
    assert torch.equal(layer.dequantized(), exact)
    x = torch.randn(3, inputs, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer(x), x @ exact.t())


def test_gradients_reach_what_stands_below(folder: Path, kind: dict[str, Any]) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=kind)
    layer = model.model.layers[0].mlp.up_proj
    x = torch.randn(3, 64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad[0], layer.dequantized().sum(0), atol=1e-4)


def test_a_model_whose_float_files_are_transposed(tmp_path: Path, kind: dict[str, Any]) -> None:
    config = AutoConfig.for_model("gpt2", vocab_size=32, n_embd=64, n_layer=1, n_head=4, n_positions=16)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "float")
    packed = AutoModelForCausalLM.from_pretrained(tmp_path / "float", quantization=kind)
    packed.save_pretrained(tmp_path / "packed")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    with torch.no_grad():
        assert torch.equal(again(IDS).logits, packed(IDS).logits)


def test_what_overflows_in_float16_stays(tmp_path: Path) -> None:
    sizes = {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 4}
    config = AutoConfig.for_model("t5", **sizes, decoder_start_token_id=0)
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(tmp_path)
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, quantization=KINDS["int8"])
    packed = names(model)
    assert packed
    assert not any(name.endswith(".wo") for name in packed)


def test_maps(folder: Path, kind: dict[str, Any]) -> None:
    """(B, H, W, I), with a value among the inputs that LLM.int8 multiplies apart."""
    layer = AutoModelForCausalLM.from_pretrained(folder, quantization=kind).model.layers[0].mlp.up_proj
    x = torch.randn(2, 3, 4, 64, generator=torch.Generator().manual_seed(0))
    x[1, 2, 3, 5] = 9.0
    with torch.no_grad():
        expected = x @ layer.dequantized().t()
        assert float((layer(x) - expected).norm() / expected.norm()) < 0.03


def test_a_config_that_lies(folder: Path, tmp_path: Path) -> None:
    edit(folder, quantization_config=NF4)
    with pytest.raises(QuantizationError, match="bitsandbytes in 4 bits, and no layer in the checkpoint is packed so"):
        AutoModelForCausalLM.from_pretrained(folder)
    edit(folder, quantization_config=None)
    AutoModelForCausalLM.from_pretrained(folder, quantization=NF4).save_pretrained(tmp_path / "packed")
    edit(tmp_path / "packed", quantization_config=KINDS["int8"])
    with pytest.raises(QuantizationError, match="bitsandbytes in 8 bits, and no layer"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    edit(tmp_path / "packed", quantization_config=None)
    with pytest.raises(QuantizationError, match=r"packed already .*load it without quantization="):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed", quantization=NF4)


def test_a_layer_that_says_it_is_another(folder: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(folder, quantization=NF4).save_pretrained(tmp_path / "packed")
    path = tmp_path / "packed" / "model.safetensors"
    tensors = load_file(path)
    one, other = (
        f"model.layers.0.{layer}.weight.quant_state.bitsandbytes__nf4" for layer in ("mlp.up_proj", "mlp.down_proj")
    )
    swapped = {**tensors, one: tensors[other].clone(), other: tensors[one].clone()}
    save_file(swapped, path)
    with pytest.raises(QuantizationError, match=r"up_proj: .* says that it is \(64, 128\).* \(128, 64\)"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed")
    for damaged in (torch.zeros_like(tensors[one]), tensors[one].to(torch.float8_e4m3fn)):
        save_file({**tensors, one: damaged}, path)
        with pytest.raises(QuantizationError, match=r"up_proj: .* damaged"):
            AutoModelForCausalLM.from_pretrained(tmp_path / "packed")


@pytest.mark.parametrize(
    ("kind", "name", "spoil"),
    [
        ("nf4", "weight.absmax", lambda one: one[:-1]),
        ("nf4", "weight.absmax", lambda one: one.double()),
        ("nf4-double", "weight.nested_absmax", lambda one: one[:0]),
        ("nf4", "weight.quant_map", lambda one: one[:-1]),
        ("nf4", "weight", lambda one: one[:-1]),
        ("nf4", "weight", lambda one: None),
        ("int8", "SCB", lambda one: one[:-1]),
        ("int8", "weight", lambda one: one.reshape(-1)),
        ("int8", "weight", lambda one: None),
    ],
)
def test_sizes_that_lie(folder: Path, tmp_path: Path, kind: str, name: str, spoil: Callable[[Any], Any]) -> None:
    """The kernels would read past the end."""
    AutoModelForCausalLM.from_pretrained(folder, quantization=KINDS[kind]).save_pretrained(tmp_path / "packed")
    path = tmp_path / "packed" / "model.safetensors"
    tensors = load_file(path)
    whole = f"model.layers.1.mlp.up_proj.{name}"
    tensors[whole] = spoil(tensors[whole])
    save_file({one: tensor for one, tensor in tensors.items() if tensor is not None}, path)
    with pytest.raises(QuantizationError, match=rf"layers\.1\.mlp\.up_proj: .*{name}"):
        AutoModelForCausalLM.from_pretrained(tmp_path / "packed")


def test_neither_or_both(folder: Path) -> None:
    with pytest.raises(QuantizationError, match="load_in_4bit is False and load_in_8bit is False: exactly one"):
        AutoModelForCausalLM.from_pretrained(folder, quantization="bitsandbytes")


def test_a_configuration_from_before_there_were_other_schemes(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization={"load_in_8bit": True})
    assert model.config.quantization_config is not None
    assert model.config.quantization_config["quant_method"] == "bitsandbytes"


def test_values_beyond_float16(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.1.mlp.up_proj.weight"][3, 4] = 1e6
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(QuantizationError, match=r"up_proj\.weight has a value that is no float16"):
        AutoModelForCausalLM.from_pretrained(folder, quantization=KINDS["int8"])
    tensors["model.layers.1.mlp.up_proj.weight"][3, 4] = torch.inf
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(QuantizationError, match=r"up_proj\.weight has a value that is infinite or no number"):
        AutoModelForCausalLM.from_pretrained(folder, quantization=KINDS["nf4"])


def test_a_device_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    from modelry_bitsandbytes import four_bits

    def refuse(*arguments: object, **named: object) -> None:
        raise NotImplementedError("no kernel for the backend 'mps'")

    monkeypatch.setattr(four_bits.kernels, "quantize_4bit", refuse)
    with pytest.raises(QuantizationError, match=r"bitsandbytes \d.* cannot do this on cpu: no kernel .*int4 and int8"):
        four_bits.pack(torch.ones(4, 64), table="nf4", double=False, name="weight")


def test_the_state_of_a_layer(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=KINDS["nf4-double"])
    layer = model.model.layers[0].mlp.down_proj
    assert isinstance(layer, FourBitLinear)
    assert layer.said()["shape"] == [64, 128]
    assert layer.said()["quant_type"] == "nf4"


def test_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    words = ["--scheme", "bitsandbytes", "--load-in-4bit", "--bnb-4bit-quant-type", "nf4", "--json"]
    done = CliRunner().invoke(quantize, [str(folder), str(tmp_path / "out"), *words])
    assert done.exit_code == 0, done.output
    assert 0.05 < json.loads(done.stdout)["total"]["relative_error"] < 0.12
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "out").state_dict()
    theirs = AutoModelForCausalLM.from_pretrained(folder, quantization=NF4).state_dict()
    assert all(torch.equal(tensor, ours[name]) for name, tensor in theirs.items())
