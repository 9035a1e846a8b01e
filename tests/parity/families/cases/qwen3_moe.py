"""Qwen3-MoE: shares that add up to one and not, plain layers among mixtures, router logits, biases, windows."""

from typing import Any

HEADS = {
    "base": "Qwen3MoeModel",
    "causal-lm": "Qwen3MoeForCausalLM",
    "sequence-classification": "Qwen3MoeForSequenceClassification",
    "token-classification": "Qwen3MoeForTokenClassification",
    "question-answering": "Qwen3MoeForQuestionAnswering",
}
SIZES: dict[str, Any] = {
    "vocab_size": 77,
    "hidden_size": 24,
    "intermediate_size": 28,
    "moe_intermediate_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_experts": 6,
    "num_experts_per_tok": 2,
    "max_position_embeddings": 48,
    "pad_token_id": 0,
    "initializer_range": 0.2,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "normalised-shares": {"norm_topk_prob": True, "head_dim": 8, "num_labels": 1},
    "plain-layers": {"mlp_only_layers": [1], "output_router_logits": True, "router_aux_loss_coef": 0.5},
    "every-second": {"decoder_sparse_step": 2, "attention_bias": True, "num_labels": 5},
    "window": {"use_sliding_window": True, "sliding_window": 4, "num_experts_per_tok": 6},
    "tied": {
        "tie_word_embeddings": True,
        "num_experts": 3,
        "num_experts_per_tok": 1,
        "rms_norm_eps": 1e-2,
        "rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0},
    },
}


def case(name: str, options: dict[str, Any]) -> dict[str, Any]:
    config = {"model_type": "qwen3_moe", **SIZES, **options}
    routed = "output_router_logits" in options  # the reference cannot generate then where rows are padded
    return {"name": name, "config": config, "heads": HEADS, "generate": not routed}


CASES = [case(name, options) for name, options in OPTIONS.items()]
