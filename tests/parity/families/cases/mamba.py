"""Mamba: biases, sizes of state and convolution, activations, tied and untied embeddings."""

from typing import Any

HEADS = {"base": "MambaModel", "causal-lm": "MambaForCausalLM"}
SIZES: dict[str, Any] = {
    "vocab_size": 68,
    "hidden_size": 24,
    "state_size": 6,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no-convolution-bias": {"use_conv_bias": False, "conv_kernel": 2, "state_size": 3, "time_step_rank": 5},
    "biases": {"use_bias": True, "expand": 3, "layer_norm_epsilon": 1e-2},
    "untied-gelu": {"tie_word_embeddings": False, "hidden_act": "gelu", "residual_in_fp32": False},
    "one-position": {"conv_kernel": 1, "num_hidden_layers": 3, "time_step_rank": 1},
}
CASES = [
    {
        "name": name,
        "config": {"model_type": "mamba", **SIZES, **options},
        "heads": HEADS,
        "generate": True,
        "asks": {"output_hidden_states": True},
        "tolerance": 1e-4,
    }
    for name, options in OPTIONS.items()
]
