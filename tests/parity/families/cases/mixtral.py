"""Mixtral: more and fewer experts, windows, router logits with their part of the loss, rotary base, tied embeddings."""

from typing import Any

HEADS = {
    "base": "MixtralModel",
    "causal-lm": "MixtralForCausalLM",
    "sequence-classification": "MixtralForSequenceClassification",
    "token-classification": "MixtralForTokenClassification",
    "question-answering": "MixtralForQuestionAnswering",
}
SIZES: dict[str, Any] = {
    "vocab_size": 66,
    "hidden_size": 24,
    "intermediate_size": 28,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_local_experts": 4,
    "max_position_embeddings": 48,
    "pad_token_id": 0,
    "initializer_range": 0.2,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "router-logits": {"output_router_logits": True, "router_aux_loss_coef": 0.7, "num_labels": 1},
    "one-expert-and-window": {"num_experts_per_tok": 1, "sliding_window": 4, "head_dim": 6},
    "all-experts": {"num_experts_per_tok": 4, "rms_norm_eps": 1e-2, "num_labels": 5},
    "tied": {
        "tie_word_embeddings": True,
        "num_local_experts": 7,
        "num_experts_per_tok": 3,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
        "router_jitter_noise": 0.1,
    },
}


def case(name: str, options: dict[str, Any]) -> dict[str, Any]:
    routed = "output_router_logits" in options  # the reference cannot generate then where rows are padded
    return {
        "name": name,
        "config": {"model_type": "mixtral", **SIZES, **options},
        "heads": HEADS,
        "generate": not routed,
    }


CASES = [case(name, options) for name, options in OPTIONS.items()]
