"""Qwen3: normalised queries and keys, biases, head width, windows in some layers, tied embeddings."""

from typing import Any

HEADS = {
    "base": "Qwen3Model",
    "causal-lm": "Qwen3ForCausalLM",
    "sequence-classification": "Qwen3ForSequenceClassification",
    "token-classification": "Qwen3ForTokenClassification",
    "question-answering": "Qwen3ForQuestionAnswering",
}
SIZES: dict[str, Any] = {
    "vocab_size": 88,
    "hidden_size": 20,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "initializer_range": 0.2,
}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "biases": {"attention_bias": True, "num_labels": 1},
    "window-in-the-last": {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 2},
    "named-layers": {
        "use_sliding_window": True,
        "sliding_window": 4,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "num_key_value_heads": 4,
    },
    "tied": {"tie_word_embeddings": True, "head_dim": 6, "rms_norm_eps": 1e-2, "num_labels": 5},
    "yarn": {"rope_parameters": YARN, "num_key_value_heads": 1},
}
CASES = [
    {"name": name, "config": {"model_type": "qwen3", **SIZES, **options}, "heads": HEADS, "generate": True}
    for name, options in OPTIONS.items()
]
