"""BERT: activations, segments, untied embeddings, decoders with and without an encoder, labels of every kind."""

from typing import Any

import torch
from torch import Tensor

ENCODERS = {
    "base": "BertModel",
    "pretraining": "BertForPreTraining",
    "masked-lm": "BertForMaskedLM",
    "next-sentence-prediction": "BertForNextSentencePrediction",
    "sequence-classification": "BertForSequenceClassification",
    "token-classification": "BertForTokenClassification",
    "question-answering": "BertForQuestionAnswering",
    "multiple-choice": "BertForMultipleChoice",
}
CLASSIFIERS = {
    "base": "BertModel",
    "masked-lm": "BertForMaskedLM",
    "sequence-classification": "BertForSequenceClassification",
    "token-classification": "BertForTokenClassification",
}
DECODER = {"causal-lm": "BertLMHeadModel"}
PLAIN: dict[str, Any] = {
    "model_type": "bert",
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
}


def segments(config: Any, head: str) -> dict[str, Tensor]:
    """Pairs of texts with places of their own; several choices for the head that chooses."""
    generator = torch.Generator().manual_seed(5)
    ids = torch.randint(3, config.vocab_size, (3, 9), generator=generator)
    mask = (torch.arange(9) < torch.tensor([9, 7, 5])[:, None]).long()
    kinds = (torch.arange(9) > 3).long().expand(3, 9) * (config.type_vocab_size - 1)
    inputs = {
        "input_ids": ids * mask,
        "attention_mask": mask,
        "token_type_ids": kinds,
        "position_ids": torch.arange(9).flip(0).expand(3, 9) + 1,
    }
    return {name: one[None] for name, one in inputs.items()} if head == "multiple-choice" else inputs


def both_labels(config: Any, head: str) -> dict[str, Tensor]:
    """What BERT was pretrained on."""
    labels = torch.arange(33).reshape(3, 11) % 90
    labels[:, ::2] = -100
    return {"labels": labels, "next_sentence_label": torch.tensor([0, 1, 0])}


def beside_an_encoder(config: Any, head: str) -> dict[str, Tensor]:
    """Texts that look at the output of an encoder, padded too."""
    generator = torch.Generator().manual_seed(6)
    return {
        "input_ids": torch.randint(3, config.vocab_size, (3, 8), generator=generator),
        "attention_mask": (torch.arange(8) < torch.tensor([8, 6, 3])[:, None]).long(),
        "encoder_hidden_states": torch.randn(3, 5, config.hidden_size, generator=generator),
        "encoder_attention_mask": (torch.arange(5) < torch.tensor([3, 5, 1])[:, None]).long(),
    }


def case(name: str, heads: dict[str, str] = ENCODERS, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": heads, "inputs": "text"}


CASES = [
    case("plain"),
    {**case("pretraining"), "heads": {"pretraining": "BertForPreTraining"}, "labels": both_labels},
    case("relu-regression", CLASSIFIERS, hidden_act="relu", num_labels=1, layer_norm_eps=1e-3, type_vocab_size=1),
    {**case("segments", type_vocab_size=3, hidden_act="gelu_new", num_attention_heads=2), "inputs": segments},
    case(
        "untied-many-labels",
        CLASSIFIERS,
        tie_word_embeddings=False,
        problem_type="multi_label_classification",
        num_labels=5,
        hidden_act="silu",
        classifier_dropout=0.3,
    ),
    {**case("decoder", DECODER, is_decoder=True), "generate": True},
    {**case("decoder-untied", DECODER, is_decoder=True, tie_word_embeddings=False), "generate": True},
    {
        **case(
            "decoder-beside-an-encoder", {**DECODER, "base": "BertModel"}, is_decoder=True, add_cross_attention=True
        ),
        "inputs": beside_an_encoder,
    },
]
