"""What a text-generation call may say: how prompts are read, what comes back, and every field of GenerationConfig."""

from collections.abc import Callable
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from modelry.pipelines.generation_parameters import GenerationParameters


class TextGenerationParameters(GenerationParameters):
    """The task's own keywords are fields; those of `generate` are kept beside them, checked by GenerationConfig."""

    # How a prompt is read
    prefix: str | None = Field(None, description="put before every text; chats are left alone")
    add_special_tokens: bool | None = Field(None, description="unset: as the tokenizer does by default")
    truncation: bool = Field(False, description="cut a long prompt to the tokenizer's model_max_length")
    handle_long_generation: Literal["hole"] | None = Field(
        None, description="hole: drop the beginning of a prompt that leaves no room for the answer"
    )
    tokenizer_encode_kwargs: dict[str, Any] = Field(default_factory=dict)

    # Chats
    continue_final_message: bool | None = Field(
        None, description="unset: True where the last message is the assistant's"
    )
    tools: list[dict[str, Any] | Callable[..., Any]] | None = None
    documents: list[dict[str, Any]] | None = None
    chat_template: str | None = Field(None, description="the name of one of several templates, or a template")
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)

    # What comes back
    return_full_text: bool | None = Field(None, description="unset: True. With False, only what is new")
    return_text: bool | None = None
    return_tensors: bool = Field(False, description="token ids, prompt included, instead of text")
    skip_special_tokens: bool = True
    clean_up_tokenization_spaces: bool | None = None
    stop_sequence: str | None = Field(None, description="another name for stop_strings")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.return_tensors and self.return_text:
            raise ValueError("return_tensors and return_text exclude each other")
        if self.return_tensors and self.return_full_text:
            raise ValueError("return_tensors and return_full_text exclude each other: ids always include the prompt")
        values = self.generation
        if self.stop_sequence is not None and "stop_strings" in values:
            raise ValueError("stop_sequence and stop_strings are two names of one thing: give one")
        return self
