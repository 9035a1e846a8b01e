"""What a text-generation call may say: how prompts are read, what comes back, and every field of GenerationConfig."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from modelry.pipelines.continuing import ContinuationParameters


class TextGenerationParameters(ContinuationParameters):
    """The task's own keywords are fields; those of `generate` are kept beside them, checked by GenerationConfig."""

    # How a prompt is read
    prefix: str | None = Field(None, description="read before every text, and not in the answer; chats are left alone")
    add_special_tokens: bool | None = Field(None, description="unset: as the tokenizer does by default")
    truncation: bool = Field(False, description="cut a long prompt to the tokenizer's model_max_length")
    handle_long_generation: Literal["hole"] | None = Field(
        None, description="hole: drop the beginning of a prompt that leaves no room for the answer"
    )
    tokenizer_encode_kwargs: dict[str, Any] = Field(default_factory=dict)

    # Chats
    tools: list[dict[str, Any] | Callable[..., Any]] | None = None
    documents: list[dict[str, Any]] | None = None
