"""Small random models of an installed family: saved into a folder, or beside an independent implementation."""

from functools import cache
from pathlib import Path
from typing import Any

import torch

from modelry import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from modelry_registry import resolve

SMALL: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
}
"""A language model whose layers are wide enough to be quantized in groups of 32."""
TINY: dict[str, Any] = {
    "vocab_size": 12,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "initializer_range": 0.5,
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id")),
}
"""A language model with so few tokens that its texts can be enumerated, and none that ends one."""


def random_model(model_type: str, *, seed: int = 0, **values: Any) -> PreTrainedModel:
    """A causal language model with random weights, in float32 and eval mode. Biases, which are zeros in a fresh model
    and then hide mistakes, are random too, of values that float16 has.

    Args:
        model_type: of an installed family.
        values: of its configuration.
    """
    torch.manual_seed(seed)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **values)).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data = torch.randn(parameter.shape).half().float()
    return model


def save_random(folder: Path, model_type: str, *, seed: int = 0, **values: Any) -> Path:
    """Write a random model into `folder`, SMALL but for `values`."""
    random_model(model_type, seed=seed, **{**SMALL, **values}).save_pretrained(folder)
    return folder


@cache
def _twins(model_type: str, reference: str, seed: int, values: tuple[tuple[str, Any], ...]) -> tuple[Any, Any]:
    reference_class: Any = resolve(reference)
    torch.manual_seed(seed)
    theirs = reference_class(reference_class.config_class(**dict(values))).eval()
    ours = random_model(model_type, **dict(values))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def twins(model_type: str, reference: str, *, seed: int = 0, **values: Any) -> tuple[Any, Any]:
    """One random model twice, ours and an independent implementation's, with the same weights. TINY but for `values`.

    The same pair is handed out again: leave it as it is.

    Args:
        model_type: of an installed family.
        reference: "module:Name" of the other class, whose `config_class` takes the same keys.
    """
    return _twins(model_type, reference, seed, tuple({**TINY, **values}.items()))
