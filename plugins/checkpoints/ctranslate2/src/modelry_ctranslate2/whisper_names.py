"""How CTranslate2 names and joins Whisper's tensors, and which published tensors they are. Plain data, no torch.

A joint tensor holds the rows of several: queries, keys and values of self-attention, or keys and values of
cross-attention.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from modelry.errors import CheckpointError
from modelry_ctranslate2.container import Container


class Part(NamedTuple):
    """Where the values of a published tensor are."""

    stored: str
    """Name in the file."""
    piece: int = 0
    pieces: int = 1
    """It is the `piece`th of that many equal parts of the stored rows."""


_SELF = {"linear_0": ("q_proj", "k_proj", "v_proj"), "linear_1": ("out_proj",)}
_CROSS = {"linear_0": ("q_proj",), "linear_1": ("k_proj", "v_proj"), "linear_2": ("out_proj",)}
_ATTENTIONS = {"self_attention": ("self_attn", _SELF), "attention": ("encoder_attn", _CROSS)}
_FEED_FORWARD = {"layer_norm": "final_layer_norm", "linear_0": "fc1", "linear_1": "fc2"}
_NORM = {"gamma": "weight", "beta": "bias"}
_OUTSIDE = {
    "encoder/conv1": "encoder.conv1",
    "encoder/conv2": "encoder.conv2",
    "encoder/layer_norm": "encoder.layer_norm",
    "decoder/layer_norm": "decoder.layer_norm",
    "decoder/embeddings": "decoder.embed_tokens",
}
_POSITIONS = re.compile(r"(encoder|decoder)/position_encodings/encodings")
_LAYER = re.compile(r"(encoder|decoder)/layer_(\d+)/(self_attention|attention|ffn)/(\w+)/(\w+)")
PROJECTION = "decoder/projection/weight"
"""The projection onto the vocabulary: the embedding, as in every published Whisper."""
SCALE = "_scale"
"""Ending of the scales of an int8 tensor."""


def published_parts(container: Container) -> dict[str, Part]:
    """Published name to where it is in the file.

    Raises:
        CheckpointError: a tensor that no Whisper has.
    """
    parts: dict[str, Part] = {}
    tied = container.tensors.get("decoder/embeddings/weight") == container.tensors.get(PROJECTION)
    for stored, tensor in container.tensors.items():
        if not tensor.shape or stored.endswith(SCALE) or stored == "decoder/alignment_heads":
            continue  # numbers that the configuration is made of, and scales, which belong to their tensors
        if stored == PROJECTION and tied:
            continue
        found = dict(_names(stored))
        if not found:
            raise CheckpointError(f"{container.path} holds the tensor {stored!r}, which no Whisper has")
        parts.update(found)
    return parts


def _names(stored: str) -> Iterator[tuple[str, Part]]:
    whole = Part(stored)
    positions, layer = _POSITIONS.fullmatch(stored), _LAYER.fullmatch(stored)
    place, _, kind = stored.rpartition("/")
    if stored == PROJECTION:
        yield "proj_out.weight", whole
    elif positions:
        yield f"model.{positions[1]}.embed_positions.weight", whole
    elif place in _OUTSIDE:
        yield f"model.{_OUTSIDE[place]}.{_NORM.get(kind, kind)}", whole
    elif layer:
        side, number, block, inner, kind = layer.groups()
        prefix = f"model.{side}.layers.{number}"
        if block == "ffn" and inner in _FEED_FORWARD:
            yield f"{prefix}.{_FEED_FORWARD[inner]}.{_NORM.get(kind, kind)}", whole
        elif block in _ATTENTIONS:
            name, linears = _ATTENTIONS[block]
            if inner == "layer_norm":
                yield f"{prefix}.{name}_layer_norm.{_NORM[kind]}", whole
            rows = linears.get(inner, ())
            for piece, row in enumerate(rows):
                yield f"{prefix}.{name}.{row}.{kind}", Part(stored, piece, len(rows))
