"""T5: gated and plain MLPs, sides of different depth, few and many buckets, scaled and unscaled scores."""

from typing import Any

import torch

HEADS = {
    "base": "T5Model",
    "seq2seq-lm": "T5ForConditionalGeneration",
    "text-encoding": "T5EncoderModel",
    "token-classification": "T5ForTokenClassification",
    "question-answering": "T5ForQuestionAnswering",
}
SIZES: dict[str, Any] = {
    "vocab_size": 80,
    "d_model": 24,
    "d_kv": 8,
    "d_ff": 40,
    "num_layers": 2,
    "num_heads": 3,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 16,
    "decoder_start_token_id": 0,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "gated": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "sides": {"num_decoder_layers": 1, "num_layers": 3, "d_kv": 6, "layer_norm_epsilon": 1e-3},
    "buckets": {"relative_attention_num_buckets": 12, "relative_attention_max_distance": 7},
    "silu": {"feed_forward_proj": "gated-silu", "num_heads": 4, "d_kv": 6, "decoder_start_token_id": 5},
}


def ended(config: Any, head: str) -> dict[str, torch.Tensor]:
    """Rows of two lengths, each with one end token, and padding behind it."""
    ids = torch.randint(3, config.vocab_size, (3, 9), generator=torch.Generator().manual_seed(2))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    ids[:, -1] = config.eos_token_id
    ids[1, 5] = config.eos_token_id
    return {"input_ids": ids.masked_fill(mask == 0, config.pad_token_id), "attention_mask": mask}


def labels(config: Any, head: str) -> dict[str, torch.Tensor]:
    """Answers as long as the decoder's text: tokens, or its first and its last place; classes of each token."""
    if head == "question-answering":
        return {"start_positions": torch.tensor([0, 3, 99]), "end_positions": torch.tensor([[1], [5], [4]])}
    if head == "seq2seq-lm":
        return {"labels": torch.arange(18).reshape(3, 6).masked_fill(torch.eye(3, 6).bool(), -100)}
    if head == "token-classification":
        return {"labels": (torch.arange(33) % config.num_labels).reshape(3, 11).masked_fill(torch.eye(3, 11) > 0, -100)}
    return {}


def case(name: str, values: dict[str, Any], heads: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"name": name, "config": {"model_type": "t5", **SIZES, **values}, "heads": heads, **more}


LABELS = {"sequence-classification": "T5ForSequenceClassification"}
CASES = [
    *(case(name, OPTIONS[name], HEADS, inputs="encoder-decoder", labels=labels, generate=True) for name in OPTIONS),
    *(
        case(f"{name}-{count}-labels", {**OPTIONS[name], "num_labels": count}, LABELS, inputs=ended)
        for name, count in (("silu", 2), ("gated", 5), ("sides", 1), ("buckets", 3))
    ),
    case("several-labels", {"num_labels": 4, "problem_type": "multi_label_classification"}, LABELS, inputs=ended),
]
