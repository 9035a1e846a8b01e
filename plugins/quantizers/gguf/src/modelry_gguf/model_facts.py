"""What a GGUF file says of a model, told by its configuration: the inverse of model_config. No torch."""

from typing import Any

import numpy as np

from modelry.configuration import ModelConfig
from modelry.errors import CheckpointError
from modelry_gguf.architectures import ARCHITECTURES, Architecture
from modelry_gguf.container_writing import Fact
from modelry_gguf.rotary import llama3_divisors

FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "BF16": 32}
"""general.file_type, llama.cpp's word for the type of most matrices."""


def architecture_of(config: ModelConfig) -> Architecture:
    """The table of a model's family.

    Raises:
        CheckpointError: the family has none, or does what llama.cpp's form of it cannot.
    """
    known = {one.model_type: one for one in ARCHITECTURES.values()}.get(config.model_type)
    if known is None:
        families = ", ".join(sorted(one.model_type for one in ARCHITECTURES.values()))
        raise CheckpointError(f"a model of type {config.model_type!r} has no GGUF form here; {families} have one")
    for key, value in known.fixed.items():
        found = getattr(config, key, value)
        if found != value:
            raise CheckpointError(f"{key} is {found!r}; a GGUF file of architecture {known.name!r} means {value!r}")
    return known


def model_facts(config: Any, *, name: str, type_name: str) -> dict[str, Fact]:
    """All metadata but the tokenizer's.

    Args:
        config: of one of the families of `architecture_of`.
        name: a title for people.
        type_name: of most matrices.

    Raises:
        CheckpointError: positions are scaled in a way that the format does not have.
    """
    known = architecture_of(config)
    key = known.name
    width = int(config.head_dim)
    facts: dict[str, Fact] = {
        "general.architecture": key,
        "general.type": "model",
        "general.name": name,
        "general.file_type": FILE_TYPES[type_name],
        "general.quantization_version": 2,
        f"{key}.block_count": int(config.num_hidden_layers),
        f"{key}.context_length": int(config.max_position_embeddings),
        f"{key}.embedding_length": int(config.hidden_size),
        f"{key}.feed_forward_length": int(config.intermediate_size),
        f"{key}.attention.head_count": int(config.num_attention_heads),
        f"{key}.attention.head_count_kv": int(config.num_key_value_heads),
        f"{key}.attention.key_length": width,
        f"{key}.attention.value_length": width,
        f"{key}.attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        f"{key}.vocab_size": int(config.vocab_size),
        f"{key}.rope.dimension_count": width,
    }
    return facts | _rotary(config, key)


def rotary_divisors(config: Any) -> np.ndarray | None:
    """The tensor rope_freqs.weight of Llama 3's scaling; None for other models."""
    values = config.to_dict()["rope_parameters"]
    if values.get("rope_type") != "llama3":
        return None
    divisors = llama3_divisors(
        theta=float(values["rope_theta"]),
        width=int(config.head_dim),
        factor=float(values["factor"]),
        low=float(values["low_freq_factor"]),
        high=float(values["high_freq_factor"]),
        original_context=float(values["original_max_position_embeddings"]),
    )
    return np.array(divisors, np.float32)


def _rotary(config: Any, key: str) -> dict[str, Fact]:
    values = dict(config.to_dict()["rope_parameters"])
    facts: dict[str, Fact] = {f"{key}.rope.freq_base": float(values.pop("rope_theta"))}
    kind = values.pop("rope_type", "default")
    if kind in ("default", "llama3"):
        return facts
    names = {"factor": "factor", "original_max_position_embeddings": "original_context_length"}
    if kind not in ("linear", "yarn") or values.keys() - names.keys():
        raise CheckpointError(
            f"positions of rope_type {kind!r} with {', '.join(sorted(values)) or 'no more'} have no GGUF form here; "
            "default, linear, llama3, and yarn with factor and original_max_position_embeddings have one"
        )
    facts[f"{key}.rope.scaling.type"] = kind
    for ours, theirs in names.items():
        if ours in values:
            number = values[ours]
            facts[f"{key}.rope.scaling.{theirs}"] = float(number) if ours == "factor" else int(number)
    return facts
