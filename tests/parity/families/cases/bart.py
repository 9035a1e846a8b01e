"""BART: sizes that differ by side, scaled and untied embeddings, activations, one and several labels."""

from typing import Any

import torch

HEADS = {
    "base": "BartModel",
    "seq2seq-lm": "BartForConditionalGeneration",
    "question-answering": "BartForQuestionAnswering",
}
SIZES: dict[str, Any] = {
    "vocab_size": 80,
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 40,
    "max_position_embeddings": 48,
    "init_std": 0.2,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "scaled": {"scale_embedding": True, "activation_function": "relu", "forced_bos_token_id": 7},
    "sides": {"encoder_layers": 1, "decoder_layers": 3, "encoder_attention_heads": 2, "decoder_ffn_dim": 28},
    "untied": {"tie_word_embeddings": False, "activation_function": "gelu_new", "forced_eos_token_id": None},
    "start": {"decoder_start_token_id": 9, "max_position_embeddings": 20, "num_labels": 1, "pad_token_id": 0},
}


def ended(config: Any, head: str) -> dict[str, torch.Tensor]:
    """Rows of two lengths, each with one end token, and padding behind it."""
    ids = torch.randint(3, config.vocab_size, (3, 9), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    ids[:, -1] = config.eos_token_id
    ids[1, 5] = config.eos_token_id
    return {"input_ids": ids.masked_fill(mask == 0, config.pad_token_id), "attention_mask": mask}


def beside_an_encoder(config: Any, head: str) -> dict[str, torch.Tensor]:
    """A text, and the states of somebody else's encoder with padding."""
    random = torch.Generator().manual_seed(3)
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[1, 4:] = 0
    return {
        "input_ids": torch.randint(3, config.vocab_size, (2, 9), generator=random),
        "encoder_hidden_states": torch.randn(2, 7, config.d_model, generator=random),
        "encoder_attention_mask": mask,
    }


def labels(config: Any, head: str) -> dict[str, torch.Tensor]:
    """Answers as long as the decoder's text: tokens, or its first and its last place."""
    if head == "question-answering":
        return {"start_positions": torch.tensor([0, 3, 99]), "end_positions": torch.tensor([[1], [5], [4]])}
    if head == "seq2seq-lm":
        return {"labels": torch.arange(18).reshape(3, 6).masked_fill(torch.eye(3, 6).bool(), -100)}
    return {}


def plain_text(config: Any, head: str) -> dict[str, torch.Tensor]:
    """A text alone."""
    return {"input_ids": torch.randint(3, config.vocab_size, (3, 9), generator=torch.Generator().manual_seed(4))}


def case(name: str, values: dict[str, Any], heads: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"name": name, "config": {"model_type": "bart", **SIZES, **values}, "heads": heads, **more}


DECODER, LABELS = {"causal-lm": "BartForCausalLM"}, {"sequence-classification": "BartForSequenceClassification"}
CASES = [
    *(
        case(name, values, HEADS, inputs="encoder-decoder", labels=labels, generate=True)
        for name, values in OPTIONS.items()
    ),
    *(case(f"{name}-labels", OPTIONS[name], LABELS, inputs=ended) for name in ("scaled", "untied", "start")),
    case("several-labels", {"num_labels": 4, "problem_type": "multi_label_classification"}, LABELS, inputs=ended),
    *(case(f"{name}-decoder", OPTIONS[name], DECODER, inputs=beside_an_encoder) for name in ("scaled", "untied")),
    *(case(f"{name}-alone", OPTIONS[name], DECODER, inputs=plain_text, generate=True) for name in ("scaled", "untied")),
]
