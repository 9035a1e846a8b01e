"""How long a text may become: what the caller says, and what the model's context leaves room for."""

import warnings
from collections.abc import Collection
from typing import Any

from torch import Tensor

from modelry.errors import GenerationError, ModelryWarning
from modelry.generation.configuration import GenerationConfig
from modelry.generation.prompt import Prompt, context_length


def greatest_length(config: GenerationConfig, model: Any, prompt: Prompt, start: Tensor) -> int:
    """Positions at which rows end, counted in the text (an embedded prompt is not in it).

    Raises:
        GenerationError: the prompt leaves no room.
    """
    have = start.shape[1]
    apart: bool = model.config.is_encoder_decoder
    unwritten = 0 if apart else prompt.width - have
    context = context_length(model.config, answer=apart)
    longest = have
    if not apart:
        longest = prompt.width if prompt.mask is None else int(prompt.mask.sum(dim=1).max())
    room = None if context is None else context - longest
    if config.max_new_tokens is not None:
        said, new = f"max_new_tokens={config.max_new_tokens}", config.max_new_tokens
    elif "max_length" in config.model_fields_set and config.max_length is not None:
        said, new = f"max_length={config.max_length}", config.max_length - unwritten - have
        if new <= 0:
            raise GenerationError(
                f"the prompt has {have + unwritten} tokens and max_length={config.max_length} counts them: "
                "nothing can be generated. Set max_new_tokens instead"
            )
    else:
        said, new = "", 20
    if room is not None and new > room:
        if room <= 0:
            raise GenerationError(f"the prompt fills all {context} positions of the model: nothing can be generated")
        if said:
            warnings.warn(
                f"{said} goes beyond the {context} positions the model was made for: generation ends there, after "
                f"{room} tokens",
                ModelryWarning,
                stacklevel=4,
            )
        new = room
    return have + new


def refuse_unreachable(config: GenerationConfig, named: Collection[str], *, prompt: int, room: int) -> None:
    """Refuse a smallest length that the caller asks for and the text cannot have. A file's holds for longer answers.

    Args:
        named: fields that the caller names.
        prompt: positions that `min_length` counts and that are there.
        room: new tokens that the text can have at most.

    Raises:
        GenerationError: names the length.
    """
    for name, least in (("min_new_tokens", config.min_new_tokens), ("min_length", (config.min_length or 0) - prompt)):
        if name in named and least is not None and least > room:
            raise GenerationError(
                f"{name}={getattr(config, name)} asks for {least} new tokens, and there is room for {room}: "
                "raise max_new_tokens, or leave it out"
            )
