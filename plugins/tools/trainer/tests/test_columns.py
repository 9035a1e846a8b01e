"""Which columns reach a model: all that it or the model inside of it names."""

from typing import Any

import pytest
import torch
from torch import nn

from modelry import AutoModelForMaskedLM, AutoModelForSequenceClassification
from modelry.configuration import config_class
from modelry_registry import get_registry, resolve
from modelry_trainer import DataCollatorWithPadding
from modelry_trainer.accumulation import shifts_labels, takes_item_count
from modelry_trainer.columns import label_columns, read_columns, without_unused


@pytest.mark.parametrize("auto", [AutoModelForSequenceClassification, AutoModelForMaskedLM])
def test_a_head_hands_on_what_its_base_reads(auto: Any) -> None:
    """Without token_type_ids, BERT reads a pair of texts as one."""
    config = config_class("bert")(**get_registry().get("models", "bert").tiny)
    with torch.device("meta"):
        read = read_columns(auto.from_config(config), ["labels"])
    assert read is not None
    assert {"input_ids", "token_type_ids", "attention_mask", "labels", "label"} <= read
    assert not {"more", "text", "length"} & read


def test_any_column_where_forward_names_none() -> None:
    class Taker(nn.Module):
        def forward(self, **columns: torch.Tensor) -> None:
            """Takes what comes."""

    assert read_columns(Taker(), ["labels"]) is None
    assert without_unused(DataCollatorWithPadding, None) is DataCollatorWithPadding


def test_a_head_made_from_another_learns_as_that_does() -> None:
    """LLaVA's forward names pictures, and hands labels on to the decoder's."""
    family = get_registry().get("models", "llava")
    with torch.device("meta"):
        model = resolve(family.heads["multimodal-lm"])(resolve(family.config)(**family.tiny))
    assert takes_item_count(model)
    assert shifts_labels(model)
    assert label_columns(model) == ["labels"]
    assert {"pixel_values", "input_ids", "attention_mask", "labels"} <= (read_columns(model, ["labels"]) or set())


def test_a_decoder_that_stands_alone_is_given_what_it_writes() -> None:
    """Its labels are not shifted, and so all of them count."""
    family = get_registry().get("models", "bart")
    with torch.device("meta"):
        model = resolve(family.heads["causal-lm"])(resolve(family.config)(**family.tiny))
    assert not shifts_labels(model)
