"""Padded batches that train without their padding: the same loss and gradients, and who is left as it is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modelry import AutoModelForCausalLM
from modelry.configuration import config_class
from modelry_trainer import Trainer, TrainingArguments
from modelry_trainer.unpadding import keeps_texts_apart, without_padding

SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
LENGTHS = (7, 3, 1, 5)


@pytest.fixture(autouse=True)
def any_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelry_trainer.unpadding.has_bfloat16_lanes", lambda: False)


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config_class("llama")(**SIZES))


@pytest.fixture
def batch() -> dict[str, Tensor]:
    ids = torch.randint(3, 50, (len(LENGTHS), max(LENGTHS)), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    labels = ids.where(mask.bool(), -100)
    labels[0, :3] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def test_texts_one_behind_the_other(batch: dict[str, Tensor]) -> None:
    found = without_padding(batch)
    assert found is not None
    assert found["attention_mask"].tolist() == [[1] * 7 + [2] * 3 + [3] + [4] * 5]
    assert found["position_ids"].tolist() == [[*range(7), *range(3), 0, *range(5)]]
    assert found["input_ids"][0, 7:10].tolist() == batch["input_ids"][1, :3].tolist()
    assert found["labels"][0, 7:12].tolist() == [-100, *batch["labels"][1, 1:3].tolist(), -100, -100]


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("items", [None, 40])
def test_the_same_loss_and_gradients(
    model: Any, batch: dict[str, Tensor], items: int | None, filled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelry_trainer.unpadding.has_bfloat16_lanes", lambda: filled)
    assert (without_padding(batch) or {})["labels"].shape == (1, 32 if filled else sum(LENGTHS))
    found = []
    for given in (batch, without_padding(batch) or {}):
        model.zero_grad()
        out = model(**given, use_cache=False, num_items_in_batch=items)
        out.loss.backward()
        found.append([out.loss.detach(), *(one.grad for one in model.parameters())])
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize(
    "change",
    [
        lambda batch: {**batch, "position_ids": batch["input_ids"]},
        lambda batch: {**batch, "attention_mask": batch["attention_mask"].flip(1)},
        lambda batch: {**batch, "attention_mask": torch.ones_like(batch["input_ids"])},
        lambda batch: {**batch, "attention_mask": batch["attention_mask"] * torch.tensor([[1], [2], [3], [4]])},
        lambda batch: {**batch, "labels": batch["input_ids"]},
        lambda batch: {name: one for name, one in batch.items() if name != "labels"},
    ],
    ids=["own positions", "padding in front", "no padding", "texts have numbers", "padding has labels", "no labels"],
)
def test_batches_that_stay(batch: dict[str, Tensor], change: Callable[[Any], dict[str, Tensor]]) -> None:
    assert without_padding(change(batch)) is None


def test_models_that_see_rows(model: Any) -> None:
    plain = TrainingArguments(use_cpu=True)
    assert keeps_texts_apart(model, plain)
    assert not keeps_texts_apart(model, TrainingArguments(neftune_noise_alpha=5.0))
    assert not keeps_texts_apart(nn.Linear(1, 1), plain)
    model.set_attn_implementation("eager")
    assert not keeps_texts_apart(model, plain)


def test_a_trainer_does_without_padding(model: Any, batch: dict[str, Tensor], train: Callable[..., Trainer]) -> None:
    """And gives the same loss as where the outputs are wanted."""
    trainer = train(model, [batch], run=False, more={"data_collator": lambda rows: rows[0]})
    seen: list[dict[str, Any]] = []
    model.register_forward_pre_hook(lambda _, __, given: seen.append(given), with_kwargs=True)
    lean, outputs = trainer.compute_loss(model, batch), trainer.compute_loss(model, batch, return_outputs=True)
    torch.testing.assert_close(lean, outputs[0])
    assert outputs[1].logits.shape == (4, 7, 50)
    assert [given["input_ids"].shape for given in seen] == [(1, sum(LENGTHS)), (4, 7)]
    assert [given.get("skip_logits", False) for given in seen] == [True, False]
