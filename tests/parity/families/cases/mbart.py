"""mBART: sizes that differ by side, scaled and untied embeddings, activations, forced first tokens."""

from typing import Any

import torch

HEADS = {
    "base": "MBartModel",
    "seq2seq-lm": "MBartForConditionalGeneration",
    "question-answering": "MBartForQuestionAnswering",
}
SIZES: dict[str, Any] = {
    "model_type": "mbart",
    "vocab_size": 80,
    "d_model": 24,
    **dict.fromkeys(("encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 40),
    "max_position_embeddings": 48,
    "init_std": 0.2,
    "decoder_start_token_id": 4,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "scaled": {"scale_embedding": True, "activation_function": "relu", "forced_bos_token_id": 7},
    "sides": {"encoder_layers": 1, "decoder_layers": 3, "encoder_attention_heads": 2, "decoder_ffn_dim": 28},
    "untied": {"tie_word_embeddings": False, "activation_function": "gelu_new", "forced_eos_token_id": None},
    "start": {"decoder_start_token_id": 9, "max_position_embeddings": 20, "pad_token_id": 0},
}


def text(config: Any, head: str) -> dict[str, torch.Tensor]:
    """Rows of two lengths with one end token and padding; a decoder alone looks at random states too."""
    random = torch.Generator().manual_seed(2)
    ids = torch.randint(3, config.vocab_size, (3, 9), generator=random)
    if head == "causal-lm":
        return {"input_ids": ids, "encoder_hidden_states": torch.randn(3, 5, config.d_model, generator=random)}
    ids[:, -1] = ids[1, 5] = config.eos_token_id
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    return {"input_ids": ids.masked_fill(mask == 0, config.pad_token_id), "attention_mask": mask}


def labels(config: Any, head: str) -> dict[str, torch.Tensor]:
    """Answers as long as the decoder's text: tokens, or its first and its last place."""
    if head == "question-answering":
        return {"start_positions": torch.tensor([0, 3, 99]), "end_positions": torch.tensor([[1], [5], [4]])}
    return {"labels": torch.arange(18).reshape(3, 6).masked_fill(torch.eye(3, 6) > 0, -100)} if head != "base" else {}


ALONE = {"sequence-classification": "MBartForSequenceClassification", "causal-lm": "MBartForCausalLM"}
CASES = [
    *(
        {"name": name, "config": {**SIZES, **values}, "heads": HEADS, "inputs": "encoder-decoder", "labels": labels}
        | {"generate": True}
        for name, values in OPTIONS.items()
    ),
    *(
        {"name": f"{name}-alone", "config": {**SIZES, **OPTIONS[name], "num_labels": count}, "heads": ALONE}
        | {"inputs": text}
        for name, count in (("scaled", 1), ("untied", 4))
    ),
]
