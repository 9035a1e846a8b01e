"""What generation continues: the prompt, or what an encoder-decoder's answer begins with.

B prompts   P positions of the beginning
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation.configuration import GenerationConfig
from modelry.generation.prompt import Prompt, check_ids, matrix_of_ids, vocabulary_of


class Start(NamedTuple):
    """The text that generation continues."""

    ids: Tensor
    """(B, P)."""
    mask: Tensor | None
    """(B, P), 0 at padding; None where nothing is padded. A prompt that has no encoder has its own."""


def start_of(model: Any, prompt: Prompt, config: GenerationConfig, given: Any, mask: Any) -> Start:
    """The prompt; of an encoder-decoder the ids given, behind its start token, or that token alone.

    As in the ecosystem, ids none of whose rows begins with the start token get it in front, but not those of models
    that read no text: their answers begin with a task.

    Args:
        given: decoder_input_ids, (B, P), or (1, P) for all prompts.
        mask: decoder_attention_mask of the same shape.

    Raises:
        GenerationError: there is no encoder, or no start token, or the ids cannot be.
    """
    if not model.config.is_encoder_decoder:
        if given is not None or mask is not None:
            raise GenerationError(f"decoder_input_ids: {type(model).__name__} has no encoder: give input_ids alone")
        return Start(prompt.ids, prompt.mask)
    if given is None:
        if mask is not None:
            raise GenerationError("decoder_attention_mask goes with decoder_input_ids, and there are none")
        return Start(_checked(_start_tokens(config, prompt), "decoder_start_token_id", model), None)
    ids = _checked(matrix_of_ids(given, "decoder_input_ids").to(prompt.ids.device), "decoder_input_ids", model)
    seen = torch.ones_like(ids) if mask is None else (matrix_of_ids(mask, "decoder_attention_mask") != 0).long()
    if seen.shape != ids.shape:
        raise GenerationError(
            f"decoder_attention_mask has shape {tuple(seen.shape)}, and decoder_input_ids {tuple(ids.shape)}"
        )
    if ids.shape[0] not in (1, prompt.rows) or not ids.shape[1]:
        raise GenerationError(
            f"decoder_input_ids has shape {tuple(ids.shape)}, and there are {prompt.rows} prompts: give a row of at "
            "least one token for each, or one row for all"
        )
    ids, seen = ids.expand(prompt.rows, -1), seen.to(ids.device).expand(prompt.rows, -1)
    right = (seen[:, -1] == 0).nonzero().flatten().tolist()
    if right:
        raise GenerationError(
            f"decoder_attention_mask hides the last token of rows {right}, and text cannot go on behind padding: pad "
            "decoder_input_ids on the left"
        )
    if getattr(model, "main_input_name", "input_ids") == "input_ids" and _first(config) is not None:
        first = _start_tokens(config, prompt)
        if bool((ids[:, :1] != first).all()):
            ids, seen = torch.cat((first, ids), dim=1), torch.cat((torch.ones_like(first), seen), dim=1)
    return Start(ids, None if bool(seen.all()) else seen)


def beside_features(model: Any, ids: Any, begins: Any) -> tuple[Any, Any]:
    """Ids given to a model whose encoder reads none are what its answer begins with.

    Args:
        ids: input_ids, by this name.
        begins: decoder_input_ids.

    Returns:
        What of both is left.

    Raises:
        GenerationError: both are given to such a model.
    """
    features = getattr(model, "main_input_name", "input_ids")
    if ids is None or not model.config.is_encoder_decoder or features == "input_ids":
        return ids, begins
    if begins is not None:
        raise GenerationError(
            f"{type(model).__name__} reads {features} and no text: input_ids and decoder_input_ids both say how the "
            "answer begins, so leave one out"
        )
    return None, ids


def _first(config: GenerationConfig) -> int | list[int] | None:
    return config.decoder_start_token_id if config.decoder_start_token_id is not None else config.bos_token_id


def _start_tokens(config: GenerationConfig, prompt: Prompt) -> Tensor:
    """(B, 1)."""
    first = _first(config)
    if first is None:
        raise GenerationError("an encoder-decoder model starts from decoder_start_token_id, and there is none")
    numbers = [first] if isinstance(first, int) else first
    if len(numbers) not in (1, prompt.rows):
        raise GenerationError(
            f"decoder_start_token_id={numbers} names {len(numbers)} tokens, and there are {prompt.rows} prompts: give "
            "one for all, or one for each"
        )
    return torch.tensor(numbers, device=prompt.ids.device).view(-1, 1).expand(prompt.rows, 1)


def _checked(ids: Tensor, name: str, model: Any) -> Tensor:
    if ids.numel() and (ids.is_floating_point() or ids.is_complex()):
        raise GenerationError(f"{name} is {ids.dtype}; whole numbers are needed")
    try:
        check_ids(ids, vocabulary_of(model))
    except GenerationError as error:
        raise GenerationError(f"{name}: {error}") from error
    return ids.long()
