"""The values of config.json and generation_config.json, told by a GGUF file's metadata and tensor table. No torch."""

from collections import Counter
from math import prod

import numpy as np

from modelry.errors import CheckpointError
from modelry_gguf.architectures import ROTARY_TENSORS, Architecture, architecture
from modelry_gguf.container import Container
from modelry_gguf.facts import Facts
from modelry_gguf.rotary import scaling_of_divisors, scaling_of_facts

_WIDEST = 1 << 40  # no model has a count above it; keeps a corrupted number from reaching arithmetic
_LONGEST_ROTARY = 1 << 20  # bytes of a rotary tensor


def config_values(container: Container) -> dict[str, object]:
    """The values of config.json.

    Raises:
        CheckpointError: the architecture is unknown, a number is missing or cannot be, or the file holds a mixture of
            experts.
    """
    facts = container.facts
    known = architecture(facts.text("general.architecture"), facts.where)
    name = known.name
    if facts.integer(f"{name}.expert_count"):
        raise CheckpointError(
            f"{facts.where} holds a mixture of {facts.integer(f'{name}.expert_count')} experts of architecture "
            f"{name!r}; this reader knows its dense models. Load the original safetensors checkpoint instead."
        )
    hidden = _count(facts, f"{name}.embedding_length", known)
    heads = _count(facts, f"{name}.attention.head_count", known)
    key_heads = facts.integer(f"{name}.attention.head_count_kv")
    context = _count(facts, f"{name}.context_length", known)
    theta = facts.number(f"{name}.rope.freq_base")
    theta = 10000.0 if theta is None else theta  # llama.cpp's default
    head = head_width(facts, known)
    epsilon = facts.number(f"{name}.attention.layer_norm_rms_epsilon")
    if epsilon is None:
        raise facts.missing(f"{name}.attention.layer_norm_rms_epsilon", f"architecture {name!r}")
    values: dict[str, object] = {
        "model_type": known.model_type,
        "architectures": [known.model_class],
        "vocab_size": _vocabulary(container, known),
        "hidden_size": hidden,
        "intermediate_size": _count(facts, f"{name}.feed_forward_length", known),
        "num_hidden_layers": _count(facts, f"{name}.block_count", known),
        "num_attention_heads": heads,
        "num_key_value_heads": heads if key_heads is None else key_heads,
        "head_dim": head,
        "max_position_embeddings": context,
        "rms_norm_eps": epsilon,
        "rope_parameters": _rotary(container, known, theta=theta, width=head, context=context),
        "tie_word_embeddings": "output.weight" not in container.tensors,
        "dtype": natural_dtype(container),
        **known.fixed,
    }
    if known.optional_biases:
        values["attention_bias"] = any(stored.endswith("attn_q.bias") for stored in container.tensors)
        values["mlp_bias"] = any(stored.endswith("ffn_gate.bias") for stored in container.tensors)
    return values | _token_ids(facts)


def generation_values(container: Container) -> dict[str, object]:
    """The values of generation_config.json: every token that ends a text."""
    facts = container.facts
    values = _token_ids(facts)
    # Chat models end a turn with a token of its own; llama.cpp stops at all three.
    ends = [facts.integer(f"tokenizer.ggml.{one}_token_id") for one in ("eos", "eot", "eom")]
    distinct = list(dict.fromkeys(end for end in ends if end is not None))
    if len(distinct) > 1:
        values["eos_token_id"] = distinct
    return values


def natural_dtype(container: Container) -> str:
    """The floating dtype most weights are stored in, quantized ones counting as bfloat16.

    One dtype for the whole file: norms are float32 beside float16 or quantized matrices, and a model wants one.
    """
    weights: Counter[str] = Counter()
    for tensor in container.tensors.values():
        if "float" in tensor.type.dtype:
            weights[tensor.type.dtype] += prod(tensor.shape)
    return weights.most_common(1)[0][0] if weights else "float32"


def head_width(facts: Facts, known: Architecture) -> int:
    """Numbers per head.

    Raises:
        CheckpointError: keys, values and rotary positions are of different widths.
    """
    name = known.name
    heads = _count(facts, f"{name}.attention.head_count", known)
    width = facts.integer(f"{name}.attention.key_length")
    rotary = facts.integer(f"{name}.rope.dimension_count")
    if width is None:
        width = rotary if rotary is not None else _count(facts, f"{name}.embedding_length", known) // heads
    if not 0 < width <= _WIDEST or width % 2:
        raise CheckpointError(f"{facts.where}: a head is {width} wide; an even number above 0 is expected.")
    for other in (facts.integer(f"{name}.attention.value_length"), rotary):
        if other is not None and other != width:
            raise CheckpointError(
                f"{facts.where}: heads have keys of {width} and values or rotary positions of {other}; "
                f"architecture {known.model_type!r} has one width for all."
            )
    return width


def _count(facts: Facts, key: str, known: Architecture) -> int:
    value = facts.values.get(key)
    if isinstance(value, np.ndarray):
        raise CheckpointError(
            f"{facts.where}: {key} differs from layer to layer; {known.model_class} has one value for all layers."
        )
    number = facts.integer(key)
    if number is None:
        raise facts.missing(key, f"architecture {known.name!r}")
    if not 0 < number <= _WIDEST:
        raise CheckpointError(f"{facts.where}: {key} is {number}; a number from 1 to {_WIDEST:,} is expected.")
    return number


def _vocabulary(container: Container, known: Architecture) -> int:
    embedding = container.tensors.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise CheckpointError(f"{container.path}: there is no matrix token_embd.weight, which {known.name!r} needs.")
    return embedding.shape[0]


def _token_ids(facts: Facts) -> dict[str, object]:
    published = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}
    ids = {ours: facts.integer(f"tokenizer.ggml.{theirs}_token_id") for ours, theirs in published.items()}
    return {key: value for key, value in ids.items() if value is not None}


def _rotary(container: Container, known: Architecture, *, theta: float, width: int, context: int) -> dict[str, object]:
    lists = {name: _numbers(container, name) for name in sorted(ROTARY_TENSORS & container.tensors.keys())}
    divisors = lists.get("rope_freqs.weight")
    if divisors is not None:
        scaling = scaling_of_divisors(divisors, theta=theta, width=width, context=context, where=str(container.path))
    else:
        scaling = scaling_of_facts(
            container.facts,
            known.name,
            context=context,
            short=lists.get("rope_factors_short.weight"),
            long=lists.get("rope_factors_long.weight"),
        )
    return {"rope_theta": theta} | scaling


def _numbers(container: Container, name: str) -> list[float]:
    tensor = container.tensors[name]
    if tensor.type.name != "F32" or tensor.size > _LONGEST_ROTARY:
        raise CheckpointError(
            f"{container.path}: {name} is {tensor.type.name} of shape {tensor.shape}; a short F32 list is expected."
        )
    raw = container.mapping[tensor.start : tensor.start + tensor.size]
    numbers: list[float] = np.frombuffer(raw, "<f4").tolist()
    return numbers
