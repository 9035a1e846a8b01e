"""Qwen2: biases in every layer, windows in some layers and in all, tied embeddings, yarn."""

from typing import Any

HEADS = {
    "base": "Qwen2Model",
    "causal-lm": "Qwen2ForCausalLM",
    "sequence-classification": "Qwen2ForSequenceClassification",
    "token-classification": "Qwen2ForTokenClassification",
    "question-answering": "Qwen2ForQuestionAnswering",
}
SIZES: dict[str, Any] = {
    "vocab_size": 72,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "initializer_range": 0.2,
}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "window-in-the-last": {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 2},
    "window-everywhere": {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 0, "num_labels": 1},
    "named-layers": {
        "use_sliding_window": True,
        "sliding_window": 4,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "num_key_value_heads": 4,
    },
    "tied": {"tie_word_embeddings": True, "num_key_value_heads": 1, "rms_norm_eps": 1e-3, "num_labels": 5},
    "yarn": {"rope_parameters": YARN},
}
CASES = [
    {"name": name, "config": {"model_type": "qwen2", **SIZES, **options}, "heads": HEADS, "generate": True}
    for name, options in OPTIONS.items()
]
