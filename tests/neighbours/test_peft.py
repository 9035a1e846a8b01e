"""PEFT's adapters on our models: they train, are saved and loaded, generate; packed weights stay as they are."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import (
    IA3Config,
    LoraConfig,
    OFTConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    get_peft_model,
)
from transformers import LlamaForCausalLM

from modelry import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM
from modelry.errors import GenerationError, QuantizationError

pytestmark = pytest.mark.filterwarnings(  # transformers' own, when PEFT asks its model
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)
SIZES = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
    "tie_word_embeddings": True,
}
SCHEMES = (None, "int8", "int4", "gptq", "awq")
IDS = torch.tensor([[1, 5, 9, 20, 31, 4, 8, 2], [7, 3, 2, 8, 90, 11, 12, 13]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("float")
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **SIZES)).save_pretrained(path)
    return path


def load(folder: Path, scheme: str | dict[str, Any] | None, **options: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, quantization=scheme, **options)


def lora(**more: Any) -> LoraConfig:
    return LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", **more)


def train(model: Any, steps: int = 6) -> list[float]:
    """Losses of a few steps."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-2)
    model.train()
    losses = []
    for _ in range(steps):
        loss = model(input_ids=IDS, labels=IDS).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.eval()
    return losses


@contextlib.contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """No tensor that is not the adapter's changes."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items() if "lora_" not in name}
    yield
    after = model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lora_trains_is_saved_and_generates(folder: Path, tmp_path: Path, scheme: str | None) -> None:
    torch.manual_seed(1)
    plain = load(folder, scheme)
    plain_logits = plain(input_ids=IDS).logits.detach()
    model: Any = get_peft_model(plain, lora())
    assert torch.equal(model(input_ids=IDS).logits, plain_logits), "a new adapter changes nothing"
    assert all("lora_" in name for name, parameter in model.named_parameters() if parameter.requires_grad)
    with unchanged(model):
        losses = train(model)
    assert losses[-1] < losses[0] - 0.5
    assert not torch.equal(model(input_ids=IDS).logits, plain_logits)
    said = model.generate(input_ids=IDS[:, :4], max_new_tokens=5, do_sample=False, eos_token_id=None)
    greedy = IDS[:, :4]
    with torch.no_grad():
        for _ in range(5):
            greedy = torch.cat([greedy, model(input_ids=greedy).logits[:, -1:].argmax(-1)], 1)
    assert torch.equal(said, greedy)

    model.save_pretrained(tmp_path / "adapter")
    again: Any = PeftModel.from_pretrained(load(folder, scheme), tmp_path / "adapter")
    assert torch.equal(again(input_ids=IDS).logits, model(input_ids=IDS).logits)
    with again.disable_adapter():
        assert torch.equal(again(input_ids=IDS).logits, plain_logits)
    assert torch.equal(model.unload()(input_ids=IDS).logits, plain_logits)


OTHERS: tuple[dict[str, Any], ...] = (
    {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    {"quant_method": "bitsandbytes", "load_in_8bit": True},
    {"quant_method": "torchao", "quant_type": "int8_weight_only"},
)


@pytest.mark.parametrize("scheme", OTHERS, ids=lambda one: "-".join(map(str, one.values())))
def test_schemes_of_other_packages(folder: Path, scheme: dict[str, Any]) -> None:
    torch.manual_seed(1)
    model: Any = get_peft_model(load(folder, scheme), lora())
    with unchanged(model):
        losses = train(model)
    assert losses[-1] < losses[0] - 0.5
    assert model.generate(input_ids=IDS, max_new_tokens=2, do_sample=False, eos_token_id=None).shape == (2, 10)
    with pytest.raises(QuantizationError, match="merge it into the float model"):
        model.merge_and_unload(safe_merge=True)


@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_bfloat16_and_recomputed_layers(folder: Path, scheme: str) -> None:
    torch.manual_seed(1)
    model: Any = get_peft_model(load(folder, scheme, dtype="bfloat16"), lora())
    model.get_base_model().gradient_checkpointing_enable()
    with unchanged(model):
        losses = train(model)
    assert losses[-1] < losses[0] - 0.3


def test_merging_into_floats(folder: Path) -> None:
    torch.manual_seed(1)
    model: Any = get_peft_model(load(folder, None), lora())
    train(model)
    logits = model(input_ids=IDS).logits.detach()
    merged = model.merge_and_unload()
    assert type(merged).__name__ == "LlamaForCausalLM"
    assert torch.allclose(merged(input_ids=IDS).logits, logits, atol=1e-4)


@pytest.mark.parametrize("scheme", ["int8", "int4"])
@pytest.mark.parametrize("safe", [False, True])
def test_merging_into_integers_is_refused(folder: Path, scheme: str, safe: bool) -> None:
    torch.manual_seed(1)
    model: Any = get_peft_model(load(folder, scheme), lora())
    train(model, steps=2)
    logits = model(input_ids=IDS).logits.detach()
    for merge in (model.merge_adapter, model.merge_and_unload):
        with pytest.raises(QuantizationError, match="merge it into the float model and quantize the result"):
            merge(safe_merge=safe)
    assert torch.equal(model(input_ids=IDS).logits, logits), "the model is usable afterwards"


@pytest.mark.parametrize("scheme", ["int8", "int4"])
@pytest.mark.parametrize("more", [{"use_dora": True}, {"init_lora_weights": "pissa"}])
def test_adapters_that_need_the_float_weight_are_refused(folder: Path, scheme: str, more: dict[str, Any]) -> None:
    with pytest.raises((QuantizationError, TypeError), match=r"DoRA|float32, float16, or bfloat16"):
        get_peft_model(load(folder, scheme), lora(**more))


LEARNED: tuple[Any, ...] = (
    PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=3, encoder_hidden_size=16),
    PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3, prefix_projection=True, encoder_hidden_size=16),
)


@pytest.mark.parametrize("config", LEARNED, ids=lambda one: type(one).__name__)
@pytest.mark.filterwarnings("ignore:Position ids are not supported")
def test_learned_prompts(folder: Path, tmp_path: Path, config: Any) -> None:
    """They train, are saved, and generate what they do on transformers' model; padding changes nothing."""
    torch.manual_seed(1)
    model = load(folder, None)
    prompted: Any = get_peft_model(model, config)
    losses = train(prompted)
    assert losses[-1] < losses[0]
    prompted.save_pretrained(tmp_path)
    peer: Any = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(folder), tmp_path).eval()
    again: Any = PeftModel.from_pretrained(load(folder, None), tmp_path).eval()
    with torch.no_grad():
        assert torch.allclose(again(input_ids=IDS).logits, peer(input_ids=IDS).logits, atol=2e-5)
    mask = torch.ones_like(IDS)
    for options in ({}, {"num_beams": 2}):
        wanted = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "pad_token_id": 0, **options}
        said = again.generate(input_ids=IDS, attention_mask=mask, **wanted)
        assert torch.equal(said, peer.generate(input_ids=IDS, attention_mask=mask, **wanted))
    padded = torch.tensor([[0, 0, 5, 9], [7, 3, 2, 8]])
    said = again.generate(input_ids=padded, attention_mask=(padded > 0).long(), **wanted)
    alone = again.generate(input_ids=padded[:1, 2:], **wanted)
    assert torch.equal(said[0, 4:], alone[0, 2:])
    assert model.generate(IDS, max_new_tokens=2, do_sample=False).shape == (2, 10), "without them it goes on"
    with pytest.raises(GenerationError, match="a learned prompt goes in front of input_ids"):
        again.generate(inputs_embeds=torch.zeros(1, 2, 64), max_new_tokens=2)


ADAPTERS: dict[str, Callable[[], Any]] = {
    "lora": lambda: LoraConfig(r=4, task_type="CAUSAL_LM", init_lora_weights=False),
    "lora everywhere, a whole layer, DoRA": lambda: LoraConfig(
        r=4, target_modules=r".*_proj", modules_to_save=["norm"], use_dora=True, init_lora_weights=False
    ),
    "lora and rows of a tied embedding": lambda: LoraConfig(
        r=4, trainable_token_indices=[5, 9], task_type="CAUSAL_LM", init_lora_weights=False
    ),
    "ia3": lambda: IA3Config(task_type="CAUSAL_LM", init_ia3_weights=False),
    "oft": lambda: OFTConfig(task_type="CAUSAL_LM", init_weights=False, oft_block_size=8),
}


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("ours_first", [True, False])
def test_an_adapter_of_one_loads_on_the_other(folder: Path, tmp_path: Path, name: str, ours_first: bool) -> None:
    """Where nobody names modules PEFT chooses them by model_type: ours have the published names."""
    torch.manual_seed(1)
    models: list[Any] = [load(folder, None), LlamaForCausalLM.from_pretrained(folder)]
    first, second = models if ours_first else reversed(models)
    adapted = get_peft_model(first, ADAPTERS[name]()).eval()
    for path, parameter in adapted.named_parameters():
        if "trainable_tokens_delta" in path:
            torch.nn.init.normal_(parameter)
    adapted.save_pretrained(tmp_path)
    other = PeftModel.from_pretrained(second, tmp_path).eval()
    with torch.no_grad():
        logits = adapted(input_ids=IDS).logits
        assert torch.allclose(other(input_ids=IDS).logits, logits, atol=2e-5)
        with adapted.disable_adapter():
            assert not torch.allclose(adapted(input_ids=IDS).logits, logits, atol=1e-2)


@torch.no_grad()
def test_several_adapters_in_one_batch(folder: Path) -> None:
    """Rows of different lengths that end at different times answer as each does alone with its adapter."""
    torch.manual_seed(2)
    model: Any = get_peft_model(load(folder, None), lora(init_lora_weights=False), adapter_name="one")
    model.add_adapter("other", lora(init_lora_weights=False))
    model.eval()
    names, ids, mask = ["one", "__base__", "other"], IDS[[0, 1, 0]].clone(), torch.ones(3, 8, dtype=torch.long)
    mask[0, :3] = mask[2, :5] = 0
    plain = {"do_sample": False, "max_new_tokens": 12, "pad_token_id": 0}
    alone = []
    for name, row, real in zip(names, ids, mask, strict=True):
        with model.disable_adapter() if name == "__base__" else contextlib.nullcontext():
            if name != "__base__":
                model.set_adapter(name)
            text = model.generate(input_ids=row[real.bool()][None], eos_token_id=95, **plain)
            alone.append(text[0, int(real.sum()) :].tolist())
    ends = {alone[0][1], alone[1][5]}
    found = model.generate(input_ids=ids, attention_mask=mask, adapter_names=names, eos_token_id=list(ends), **plain)
    for row, text in zip(found[:, 8:].tolist(), alone, strict=True):
        last = next((at for at, token in enumerate(text) if token in ends), len(text) - 1)
        assert row[: last + 1] == text[: last + 1]


def test_ia3_trains(folder: Path) -> None:
    model: Any = get_peft_model(load(folder, None), IA3Config(task_type="CAUSAL_LM"))
    losses = train(model)
    assert losses[-1] < losses[0]


def test_encoder_decoder() -> None:
    """LoRA on a T5, with the task type that PEFT has for such models."""
    torch.manual_seed(1)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 1, "num_heads": 4, "vocab_size": 96}
    t5 = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", **sizes, decoder_start_token_id=0))
    model: Any = get_peft_model(t5, LoraConfig(task_type="SEQ_2_SEQ_LM", r=4))
    losses = train(model)
    assert losses[-1] < losses[0]
    assert model.generate(input_ids=IDS, max_new_tokens=3, do_sample=False, eos_token_id=None).shape == (2, 4)


def test_convolutions(tiny: Callable[..., Any]) -> None:
    """The stem of a vision model may be adapted, too."""
    model = tiny("ForImageClassification", "resnet")
    images = torch.ones(2, 3, 32, 32)
    config = LoraConfig(target_modules=["convolution"], r=2, init_lora_weights=False)
    adapted: Any = get_peft_model(model, config).eval()
    with torch.no_grad():
        logits = adapted(pixel_values=images).logits
        assert torch.allclose(adapted.merge_and_unload()(pixel_values=images).logits, logits, atol=1e-4)


def test_the_document(documented: Callable[..., Any], checkpoint: Path) -> None:
    assert documented("PEFT", checkpoint)["again"].active_adapter == "default"
