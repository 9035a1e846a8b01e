"""Whole models: flash attention says what sdpa says, in training and with a cache; and who refuses it."""

import pytest
import torch

from modelry import AutoConfig, AutoModel, AutoModelForCausalLM
from modelry.errors import ConfigError, MissingPlugin

SIZES = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip
IDS = torch.randint(1, 40, (2, 9), generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1], [1] * 9])


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["flash-2-here", "flash-3-here"])
@pytest.mark.parametrize("more", [{"model_type": "llama"}, {"model_type": "mistral", "sliding_window": 4}])
def test_a_model_says_the_same(name: str, more: dict, stand_in: list[str]) -> None:
    torch.manual_seed(0)
    values = {**SIZES, **more}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(values.pop("model_type"), **values)).eval()
    labels = IDS.masked_fill(MASK == 0, -100)
    labels[0, 3] = -100  # padding would guess it
    said: list = []
    for backend in ("sdpa", name):
        model.set_attn_implementation(backend)
        model.zero_grad()
        model.train()
        out = model(input_ids=IDS, attention_mask=MASK, labels=labels)
        out.loss.backward()
        gradient = model.model.layers[0].self_attn.k_proj.weight.grad.clone()
        model.eval()
        tokens = model.generate(IDS, attention_mask=MASK, max_new_tokens=6, do_sample=False, eos_token_id=None)
        said.append((out.loss.detach(), out.logits[MASK.bool()].detach(), gradient, tokens))
    for one, other in zip(*said, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    assert {"ragged", "rectangular"} >= set(stand_in) != set()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("more", [{"model_type": "llama"}, {"model_type": "mistral", "sliding_window": 3}])
def test_texts_in_one_row_are_read_as_they_lie(more: dict, stand_in: list[str]) -> None:
    torch.manual_seed(0)
    values = {**SIZES, **more}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(values.pop("model_type"), **values)).train()
    texts = [IDS[0, :4], IDS[1, :2], IDS[0, 3:]]
    alone = [model(input_ids=text[None]).logits for text in texts]
    positions = torch.cat([torch.arange(text.numel()) for text in texts])[None]
    model.set_attn_implementation("flash-2-here")
    packed = model(input_ids=torch.cat(texts)[None], position_ids=positions)
    torch.testing.assert_close(packed.logits, torch.cat(alone, dim=1), atol=1e-5, rtol=1e-5)
    assert stand_in == ["ragged"] * 2


@pytest.mark.parametrize("name", ["flash_attention_2", "flash_attention_3"])
def test_what_is_not_installed_is_said_before_any_work(name: str) -> None:
    config = AutoConfig.for_model("llama", **SIZES)
    with pytest.raises(MissingPlugin, match=rf"{name}' runs on the module flash_attn\w*, which is not .* Run: \w+"):
        AutoModelForCausalLM.from_config(config, attn_implementation=name)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("kind", ["t5", "swin", "layoutlmv3", "mask2former"])
def test_families_that_cannot_refuse_by_name(kind: str) -> None:
    from modelry_registry import get_registry

    values = dict(get_registry().get("models", kind).tiny)
    values.pop("model_type", None)
    with torch.device("meta"):
        model = AutoModel.from_config(AutoConfig.for_model(kind, **values))
    with pytest.raises(ConfigError, match=rf"{kind}.*which flash_attention_2 cannot do: choose eager or .*sdpa"):
        model.set_attn_implementation("flash_attention_2")
