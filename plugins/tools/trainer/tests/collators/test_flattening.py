"""Texts one behind the other: as transformers lays them, and as our models read them apart."""

import pytest
import torch
import transformers

from modelry import AutoConfig, AutoModelForCausalLM
from modelry_trainer.collators import DataCollatorWithFlattening

ROWS = [{"input_ids": [5, 6, 7]}, {"input_ids": [8, 9]}, {"input_ids": [3, 4, 5, 6, 7]}]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"separator_id": -1, "position_ids_start": 2},
        {"return_seq_idx": True},
        {"return_position_ids": False},
        {"return_flash_attn_kwargs": True},
    ],
)
@pytest.mark.parametrize("labels", [False, True])
def test_as_published(options: dict, labels: bool) -> None:
    rows = [{**row, "labels": [one + 1 for one in row["input_ids"]]} if labels else row for row in ROWS]
    ours = DataCollatorWithFlattening(**options)(rows)
    theirs = transformers.DataCollatorWithFlattening(**options)(rows)
    assert set(ours) == {*theirs, "attention_mask"}
    numbers = {"max_length_q", "max_length_k"} & set(theirs)
    assert all(ours[name] == theirs[name] and type(ours[name]) is int for name in numbers)
    tensors = set(theirs) - numbers
    assert all(torch.equal(ours[name], theirs[name]) and ours[name].dtype == theirs[name].dtype for name in tensors)
    assert ours["attention_mask"].tolist() == [[1, 1, 1, 2, 2, 3, 3, 3, 3, 3]]


def test_packs_are_laid_out_too() -> None:
    flat = DataCollatorWithFlattening()
    packed = flat([ROWS[:2], ROWS[2:]])
    assert all(torch.equal(packed[name], value) for name, value in flat(ROWS).items())


@pytest.mark.parametrize("more", [{"model_type": "llama"}, {"model_type": "qwen3", "head_dim": 8}])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_no_text_sees_another(more: dict, attention: str) -> None:
    """Loss and gradients of the pack are those of the texts one at a time, their tokens counted alike."""
    torch.manual_seed(0)
    values = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    values |= {"vocab_size": 30, "num_key_value_heads": 1, **more}
    kind = str(values.pop("model_type"))
    config = AutoConfig.for_model(kind, **values)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention).train()
    batch = DataCollatorWithFlattening()(ROWS)
    packed = model(**batch)
    packed.loss.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    count, begin = sum(len(row["input_ids"]) - 1 for row in ROWS), 0
    for row in ROWS:
        ids = torch.tensor([row["input_ids"]])
        alone = model(input_ids=ids, labels=ids)
        (alone.loss * (ids.shape[1] - 1) / count).backward()
        torch.testing.assert_close(packed.logits[:, begin : begin + ids.shape[1]], alone.logits)
        begin += ids.shape[1]
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name])
