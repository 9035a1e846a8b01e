"""Texts one behind the other in a row, without padding: every family says of each what it says of it alone.

However the texts are told apart, whatever attends, in training and out of it, with one mask for layers that see alike.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from modelry import AutoConfig, AutoModelForCausalLM
from modelry_trainer.collators import DataCollatorWithFlattening

ROWS = [[5, 6, 7, 8], [8, 9], [3, 4, 5, 6, 7]]
SIZES = {
    "vocab_size": 40, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {"llama": {}, "mistral": {"sliding_window": 3}, "qwen2": {}}
BATCH = DataCollatorWithFlattening(return_flash_attn_kwargs=True)([{"input_ids": row} for row in ROWS])
WAYS = {
    "positions": ("position_ids",),
    "ends": ("cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k"),
    "numbers": ("attention_mask",),
    "all": ("position_ids", "attention_mask", "cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k"),
}


def model_of(family: str) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SIZES, **FAMILIES[family]))


def one_by_one(model: Any) -> tuple[Tensor, Tensor]:
    """Logits, and the mean loss of all tokens that are guessed."""
    outs = [model(input_ids=torch.tensor([row]), labels=torch.tensor([row])) for row in ROWS]
    counts = [len(row) - 1 for row in ROWS]
    loss = sum(out.loss * count for out, count in zip(outs, counts, strict=True)) / sum(counts)
    return torch.cat([out.logits for out in outs], dim=1), loss


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("attention", "way"),
    [*((attention, way) for attention in ("eager", "sdpa") for way in WAYS), ("flex_attention", "positions")],
)
def test_each_text_is_what_it_is_alone(family: str, way: str, attention: str) -> None:
    model = model_of(family).train()
    logits, loss = one_by_one(model)
    loss.backward()
    gradients = {name: one.grad for name, one in model.named_parameters()}
    model.zero_grad()
    model.set_attn_implementation(attention)
    said = {name: BATCH[name] for name in ("input_ids", *WAYS[way])}
    packed = model(**said, labels=BATCH["labels"])
    packed.loss.backward()
    torch.testing.assert_close(packed.logits, logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(packed.loss, loss, atol=1e-5, rtol=1e-5)
    for name, one in model.named_parameters():
        torch.testing.assert_close(one.grad, gradients[name], atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        for asked in (None, False):
            torch.testing.assert_close(model.eval()(**said, use_cache=asked).logits, logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_changed_text_changes_no_other(family: str) -> None:
    model = model_of(family).eval()
    said = {name: BATCH[name] for name in ("input_ids", "position_ids")}
    with torch.no_grad():
        before = model(**said).logits
        said["input_ids"] = said["input_ids"].clone()
        said["input_ids"][0, 4] = 30
        after = model(**said).logits
    same = (before == after).all(-1)[0]
    assert same.tolist() == [True] * 4 + [False] * 2 + [True] * 5


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_that_see_alike_share_a_mask(family: str) -> None:
    model = model_of(family).train()
    seen = []
    for layer in model.model.layers:
        attend = layer.self_attn.attend
        layer.self_attn.attend = lambda *given, attend=attend, **more: (seen.append(given[3]), attend(*given, **more))[
            1
        ]
    model(input_ids=BATCH["input_ids"], position_ids=BATCH["position_ids"])
    assert len(seen) == len(model.model.layers)
    assert all(one is seen[0] for one in seen)


@pytest.mark.parametrize("way", ["positions", "numbers"])
def test_compiled_models_keep_texts_apart(way: str) -> None:
    model = model_of("mistral").eval()
    with torch.no_grad():
        logits, _ = one_by_one(model)
        model.compile(backend="eager")
        said = {name: BATCH[name] for name in ("input_ids", *WAYS[way])}
        torch.testing.assert_close(model(**said, use_cache=False).logits, logits, atol=1e-5, rtol=1e-5)
