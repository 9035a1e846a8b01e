"""How long an answer may be where the caller does not say, and what becomes of a prompt that leaves no room for it."""

from collections.abc import Mapping
from typing import Any

from modelry.errors import GenerationError
from modelry.generation import GenerationConfig
from modelry.generation.prompt import context_length
from modelry.model import PreTrainedModel

DEFAULT_NEW_TOKENS = 256


def default_new_tokens(model: PreTrainedModel, prompt_tokens: int, given: Mapping[str, Any]) -> int | None:
    """`max_new_tokens` for a call that does not limit its length: 256, or what is left of the context.

    Returns:
        None where the call passes a GenerationConfig or a max_length, which then count; else the number of tokens.
    """
    if given.get("max_new_tokens") is not None:
        return int(given["max_new_tokens"])
    if given.get("max_length") is not None or given.get("generation_config") is not None:
        return None
    configured: GenerationConfig = model.generation_config
    if {"max_new_tokens", "max_length"} & configured.set_fields().keys():
        return None
    limit = context_length(model.config)
    return DEFAULT_NEW_TOKENS if limit is None else max(1, min(DEFAULT_NEW_TOKENS, limit - prompt_tokens))


def drop_beginning(model: PreTrainedModel, ids: list[int], given: Mapping[str, Any]) -> list[int]:
    """The end of the prompt, so that it and the answer (by default half the context, 256 tokens at most) fit.

    Raises:
        GenerationError: the answer alone fills the context.
    """
    limit = context_length(model.config)
    if limit is None:
        return ids
    new = given.get("max_new_tokens") or min(DEFAULT_NEW_TOKENS, limit // 2)
    if new >= limit:
        raise GenerationError(f"max_new_tokens is {new} and the context holds {limit} positions: no room for a prompt")
    return ids[new - limit :]
