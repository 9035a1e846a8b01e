"""Inputs of a tiny model, from what its family declares: modalities, what the heads take, and the configuration.

B rows   T positions   N parts of an image
"""

import inspect
from collections.abc import Collection
from typing import Any

import pytest
import torch
from torch import Tensor

from modelry import ModelConfig, PreTrainedModel
from modelry_registry import ModelFamily
from modelry_testing.models import pictures, sounds
from modelry_testing.models.subject import Inputs

MOST_PARTS = 2
"""Of an image in a text: the shortest text of a check has three tokens."""
END = 2
"""Where texts that are compared with images end, so that each does, however short it is cut."""


def inputs_of_family(
    family: ModelFamily, heads: Collection[type[PreTrainedModel]], config: ModelConfig, rows: int, length: int
) -> Inputs:
    """All that some head takes; whoever calls one gives it its own part.

    Args:
        heads: the classes of the family's heads, that of the whole model first.

    Raises:
        pytest.skip.Exception: the declaration does not say what the model reads.
    """
    taken = {name for one in heads for name in (*inspect.signature(one.forward).parameters, one.main_input_name)}
    found: Inputs = {}
    if "text" in family.modalities:
        found |= _texts(config, rows, length)
    more: dict[str, Tensor | None] = {}
    if {"image", "video"} & set(family.modalities):
        still = "image" in family.modalities
        more["pixel_values"] = pictures.pixels(config, rows) if still else pictures.films(config, rows)
    if "audio" in family.modalities:
        more["input_features"] = sounds.spectrograms(config, rows)
        more["input_values"] = sounds.waves(config, rows, length)
    found |= {name: one for name, one in more.items() if name in taken and one is not None}
    main = next(iter(heads)).main_input_name
    if main not in found:
        pytest.skip(
            f"{family.model_type} reads {main}, and neither its modalities ({', '.join(family.modalities)}) nor its "
            "tiny configuration say how that looks: give `inputs(config, rows, length)` in its test class"
        )
    if "pixel_values" in found and "input_ids" in found:
        _join(found, family, config)
    return found


def _texts(config: ModelConfig, rows: int, length: int) -> Inputs:
    """Ids, (B, T). They avoid the special tokens: some models look for those."""
    text: Any = config.get_text_config()
    special = {text.pad_token_id, _image_token(config)}
    for one in (text.bos_token_id, text.eos_token_id):
        special |= set(one if isinstance(one, list) else [one])
    plain = torch.tensor([one for one in range(text.vocab_size) if one not in special])
    ids: Tensor = plain[torch.randint(len(plain), (rows, length))]
    if config.is_encoder_decoder:
        return {"input_ids": ids, "decoder_input_ids": ids.flip(0)[:, : max(1, length - 2)]}
    return {"input_ids": ids}


def _join(found: Inputs, family: ModelFamily, config: ModelConfig) -> None:
    """Make texts go with images: they keep places for them, or end, where a model looks for that."""
    text: Any = config.get_text_config()
    end = text.eos_token_id
    if "zero-shot-image-classification" in family.heads and isinstance(end, int) and end < text.vocab_size:
        found["input_ids"][:, END : END + 1] = end
    token = _image_token(config)
    if token is None:
        return
    parts = pictures.said(config, "image_seq_length", None)
    if not isinstance(parts, int) or parts > MOST_PARTS:
        pytest.skip(
            f"an image of the tiny {family.model_type} takes {parts or 'nobody knows how many'} tokens of a text "
            f"(image_seq_length), and checks have room for {MOST_PARTS}: make it smaller, or give "
            "`inputs(config, rows, length)` in the family's test class"
        )
    found["input_ids"][:, :parts] = token


def _image_token(config: ModelConfig) -> int | None:
    """The token that keeps a place for a part of an image, where there is one."""
    found: int | None = pictures.said(config, "image_token_id", pictures.said(config, "image_token_index", None))
    return found
