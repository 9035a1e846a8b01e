"""Checkpoints as they lie on the hub: old names, both pretraining heads, a pooler or none."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry.errors import ModelryWarning
from modelry_bert import (
    BertConfig,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForPreTraining,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertLMHeadModel,
    BertModel,
)

Make = Callable[..., BertConfig]
WEIGHTS = "model.safetensors"


@pytest.fixture
def pretrained(config: Make, tmp_path: Path) -> BertForPreTraining:
    """As BERT base was published: gamma and beta, computed positions, and both heads."""
    model = BertForPreTraining.from_config(config()).eval()
    with torch.no_grad():
        model.cls.predictions.bias.normal_()
    model.save_pretrained(tmp_path)
    tensors = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): one
        for name, one in load_file(tmp_path / WEIGHTS).items()
    }
    assert "cls.predictions.transform.LayerNorm.gamma" in tensors
    assert "cls.predictions.decoder.bias" not in tensors
    tensors["bert.embeddings.position_ids"] = torch.arange(128)[None]
    save_file(tensors, tmp_path / WEIGHTS)
    return model


def test_every_head_reads_what_was_pretrained(pretrained: BertForPreTraining, tmp_path: Path) -> None:
    ids = torch.tensor([[5, 6, 7]])
    expected = pretrained(ids)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = BertForPreTraining.from_pretrained(tmp_path)(ids)
        masked = BertForMaskedLM.from_pretrained(tmp_path)
        causal = BertLMHeadModel.from_pretrained(tmp_path)
        follows = BertForNextSentencePrediction.from_pretrained(tmp_path)(ids)
        base = BertModel.from_pretrained(tmp_path)(ids)
    assert torch.equal(again.prediction_logits, expected.prediction_logits)
    assert torch.equal(masked(ids).logits, expected.prediction_logits)
    assert torch.equal(causal(ids).logits, expected.prediction_logits)
    assert torch.equal(follows.logits, expected.seq_relationship_logits)
    assert torch.equal(base.pooler_output, pretrained.bert(ids).pooler_output)
    assert masked.cls.predictions.decoder.bias is masked.cls.predictions.bias


def test_names_are_written_as_they_are_today(pretrained: BertForPreTraining, tmp_path: Path) -> None:
    BertModel.from_pretrained(tmp_path).save_pretrained(tmp_path / "again")
    names = load_file(tmp_path / "again" / WEIGHTS).keys()
    assert "embeddings.LayerNorm.weight" in names
    assert not [name for name in names if name.endswith(("gamma", "beta", "position_ids"))]


def test_new_heads_are_named_and_keep_the_body(pretrained: BertForPreTraining, tmp_path: Path) -> None:
    with pytest.warns(ModelryWarning, match="classifier"):
        model = BertForSequenceClassification.from_pretrained(tmp_path)
    assert torch.equal(model.bert.pooler.dense.weight, pretrained.bert.pooler.dense.weight)
    with pytest.warns(ModelryWarning, match="classifier"):
        assert BertForTokenClassification.from_pretrained(tmp_path).bert.pooler is None


def test_a_pooler_is_made_where_the_head_had_none(config: Make, tmp_path: Path) -> None:
    BertForMaskedLM.from_config(config()).save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match="pooler"):
        assert BertModel.from_pretrained(tmp_path)(torch.tensor([[5]])).pooler_output.isfinite().all()


def test_a_vocabulary_head_made_anew_is_tied(config: Make, tmp_path: Path) -> None:
    BertModel.from_config(config()).save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match="cls"):
        predictions = BertForMaskedLM.from_pretrained(tmp_path).cls.predictions
    assert predictions.decoder.bias is predictions.bias
    assert not predictions.bias.any()


def test_apart_where_the_configuration_says_so(config: Make, tmp_path: Path) -> None:
    BertForMaskedLM.from_config(config(tie_word_embeddings=False)).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["tie_word_embeddings"] is False
    model = BertForMaskedLM.from_pretrained(tmp_path)
    assert model.cls.predictions.decoder.weight is not model.bert.embeddings.word_embeddings.weight
