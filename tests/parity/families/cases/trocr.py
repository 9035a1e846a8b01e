"""TrOCR's decoder: learned and computed positions, norms, scales; alone, and over states of an encoder."""

from typing import Any

import torch

HEADS = {"causal-lm": "TrOCRForCausalLM"}
SIZES: dict[str, Any] = {
    "model_type": "trocr",
    "vocab_size": 80,
    "d_model": 24,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 40,
    "max_position_embeddings": 48,
    "init_std": 0.2,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "scaled": {"scale_embedding": True, "activation_function": "relu", "cross_attention_hidden_size": 16},
    "computed": {"use_learned_position_embeddings": False, "layernorm_embedding": False, "decoder_layers": 3},
    "computed-odd": {
        "use_learned_position_embeddings": False,
        "d_model": 21,
        "decoder_attention_heads": 3,
        "pad_token_id": 4,
        "scale_embedding": True,
    },
    "untied": {"tie_word_embeddings": False, "activation_function": "gelu_new", "layernorm_embedding": False},
}


def ids(config: Any, rows: int) -> torch.Tensor:
    """Tokens none of which is padding."""
    return torch.randint(5, config.vocab_size, (rows, 9), generator=torch.Generator().manual_seed(4))


def alone(config: Any, head: str) -> dict[str, torch.Tensor]:
    """A text without an encoder."""
    return {"input_ids": ids(config, 3)}


def over_states(config: Any, head: str) -> dict[str, torch.Tensor]:
    """A padded text, and the states of an encoder with padding."""
    width = config.cross_attention_hidden_size or config.d_model
    mask, seen = torch.ones(2, 9, dtype=torch.long), torch.ones(2, 7, dtype=torch.long)
    mask[1, 6:] = seen[1, 4:] = 0
    return {
        "input_ids": ids(config, 2).masked_fill(mask == 0, config.pad_token_id),
        "attention_mask": mask,
        "encoder_hidden_states": torch.randn(2, 7, width, generator=torch.Generator().manual_seed(3)),
        "encoder_attention_mask": seen,
    }


def case(name: str, values: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "config": {**SIZES, **values}, "heads": HEADS, **more}


CASES = [
    *(case(name, values, inputs=over_states) for name, values in OPTIONS.items()),
    *(case(f"{name}-alone", values, inputs=alone, generate=True) for name, values in OPTIONS.items()),
]
