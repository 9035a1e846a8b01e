"""Mistral: windows shorter than the text and none, grouped heads, head width, rotary variants."""

from typing import Any

HEADS = {
    "base": "MistralModel",
    "causal-lm": "MistralForCausalLM",
    "sequence-classification": "MistralForSequenceClassification",
    "token-classification": "MistralForTokenClassification",
    "question-answering": "MistralForQuestionAnswering",
}
SIZES: dict[str, Any] = {
    "vocab_size": 80,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 96,
    "pad_token_id": 0,
    "initializer_range": 0.2,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "window": {"sliding_window": 3},
    "no-window": {"sliding_window": None, "num_labels": 1},
    "window-head-width": {"sliding_window": 6, "head_dim": 10, "num_key_value_heads": 1, "rms_norm_eps": 1e-3},
    "tied": {"sliding_window": 2, "tie_word_embeddings": True, "num_labels": 5},
    "linear": {"sliding_window": 9, "rope_parameters": {"rope_type": "linear", "rope_theta": 1e5, "factor": 2.0}},
}
CASES = [
    {"name": name, "config": {"model_type": "mistral", **SIZES, **options}, "heads": HEADS, "generate": True}
    for name, options in OPTIONS.items()
]
