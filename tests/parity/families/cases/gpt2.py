"""GPT-2: scales of scores, upcast scores, activations, untied embeddings, summaries of two heads, an encoder."""

from typing import Any

import torch
from torch import Tensor

HEADS = {
    "base": "GPT2Model",
    "causal-lm": "GPT2LMHeadModel",
    "sequence-classification": "GPT2ForSequenceClassification",
    "token-classification": "GPT2ForTokenClassification",
    "question-answering": "GPT2ForQuestionAnswering",
}
PLAIN: dict[str, Any] = {
    "model_type": "gpt2",
    "vocab_size": 70,
    "n_embd": 24,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 40,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.2,
}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": HEADS, "generate": True}


def choices(config: Any, head: str) -> dict[str, Tensor]:
    ids = torch.randint(3, config.vocab_size, (2, 3, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[0, 1, 6:], mask[1, 2, 4:] = 0, 0
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "token_type_ids": ids.flip(0),
        "mc_token_ids": mask.sum(-1) - 1,
    }


def one_text(config: Any, head: str) -> dict[str, Tensor]:
    """(B, T): of several continuations the reference takes the first, the last or the mean of the wrong dimension."""
    return {"input_ids": choices(config, head)["input_ids"][:, 0]}


def answers(config: Any, head: str) -> dict[str, Tensor]:
    if config.summary_type != "cls_index":
        labels = {"labels": one_text(config, head)["input_ids"]}
        return {**labels, "mc_labels": torch.tensor([1])} if config.summary_use_proj else labels
    inputs = choices(config, head)
    labels = {"labels": inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)}
    return {**labels, "mc_labels": torch.tensor([1, 2])}


def two_heads(name: str, **changes: Any) -> dict[str, Any]:
    heads = {"double-heads": "GPT2DoubleHeadsModel"}
    inputs = choices if "summary_type" not in changes else one_text
    return {**case(f"double-{name}", **changes), "heads": heads, "inputs": inputs, "labels": answers, "generate": False}


def beside_an_encoder(config: Any, head: str) -> dict[str, Tensor]:
    make = torch.Generator().manual_seed(2)
    mask = torch.ones(2, 5, dtype=torch.long)
    mask[1, 3:] = 0
    return {
        "input_ids": torch.randint(3, config.vocab_size, (2, 9), generator=make),
        "encoder_hidden_states": torch.randn(2, 5, config.n_embd, generator=make),
        "encoder_attention_mask": mask,
    }


CASES = [
    case("plain"),
    case("inverse-layer-scale", scale_attn_by_inverse_layer_idx=True, n_inner=20, num_labels=1),
    case("upcast", reorder_and_upcast_attn=True, layer_norm_epsilon=1e-2, num_labels=5),
    case("unscaled", scale_attn_weights=False, activation_function="relu", n_head=2),
    case("untied", tie_word_embeddings=False, activation_function="silu", problem_type="multi_label_classification"),
    {
        **case("encoder", add_cross_attention=True, scale_attn_by_inverse_layer_idx=True),
        "heads": {"base": "GPT2Model", "causal-lm": "GPT2LMHeadModel"},
        "inputs": beside_an_encoder,
        "generate": False,
    },
    two_heads("index"),
    two_heads("first", summary_type="first", summary_activation="tanh"),
    two_heads("mean", summary_type="mean", tie_word_embeddings=False),
    two_heads("last-unprojected", summary_type="last", summary_use_proj=False),
]
