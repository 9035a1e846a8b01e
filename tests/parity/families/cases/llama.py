"""Llama: grouped heads, biases, head width, tied embeddings, rotary variants, labels of every kind."""

from typing import Any

HEADS = {
    "base": "LlamaModel",
    "causal-lm": "LlamaForCausalLM",
    "sequence-classification": "LlamaForSequenceClassification",
    "token-classification": "LlamaForTokenClassification",
    "question-answering": "LlamaForQuestionAnswering",
}
PLAIN: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "initializer_range": 0.2,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8,
}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16}


def case(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "config": {**PLAIN, **changes}, "heads": HEADS, "inputs": "text", "generate": True}


CASES = [
    case("plain"),
    case("biases", attention_bias=True, mlp_bias=True, num_key_value_heads=4, num_labels=1),
    case("tied-head-width", head_dim=12, tie_word_embeddings=True, rms_norm_eps=1e-3, num_labels=5),
    case("llama3", rope_parameters=LLAMA3, num_key_value_heads=1, problem_type="multi_label_classification"),
    case("yarn", rope_parameters=YARN),
]
