"""What becomes of a prompt that leaves no room for its answer."""

from collections.abc import Mapping
from typing import Any

from modelry.errors import GenerationError
from modelry.generation.prompt import context_length
from modelry.model import PreTrainedModel
from modelry.pipelines.continuing import DEFAULT_NEW_TOKENS


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
