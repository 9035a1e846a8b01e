"""What tasks share in which a model goes on with texts and chats: what comes back, how long it is, answers in parts.

B prompts of a batch   N continuations of each   P prompt positions, padding included   L P and the new positions
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

import torch
from pydantic import Field, model_validator
from torch import Tensor

from modelry.generation import GenerationConfig
from modelry.generation.prompt import context_length
from modelry.model import PreTrainedModel
from modelry.pipelines.chats import Message, is_chat, spoken, with_answer
from modelry.pipelines.generation_parameters import GenerationParameters
from modelry.pipelines.parameters import TaskParameters
from modelry.pipelines.stages import Pipeline
from modelry.pipelines.streaming import stream_text

DEFAULT_NEW_TOKENS = 256
"""Of an answer, where neither the call nor the checkpoint says."""


class ContinuationParameters(GenerationParameters):
    """Keywords of a task that goes on with texts and chats."""

    # Chats
    continue_final_message: bool | None = Field(
        None, description="unset: True where the last message is the assistant's"
    )
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
        if self.stop_sequence is not None and "stop_strings" in self.generation:
            raise ValueError("stop_sequence and stop_strings are two names of one thing: give one")
        return self

    def continues(self, chat: list[Message]) -> bool:
        """Whether the last message is gone on with, and no new one begun."""
        said = self.continue_final_message
        return chat[-1]["role"] == "assistant" if said is None else said


P = TypeVar("P", bound=ContinuationParameters)


class ContinuingPipeline(Pipeline[P]):
    """Prompts in, their continuations out. A task says in `preprocess` and `forward` what a prompt is.

    `preprocess` tells `text`, or the `chat` and whether the answer `continues` it; `forward` returns what `continued`
    makes.
    """

    parameters_class: ClassVar[type[TaskParameters]] = ContinuationParameters
    padding_side = "left"

    def is_item(self, value: Any) -> bool:
        return super().is_item(value) or is_chat(value)

    def generation(self, parameters: P, width: int) -> dict[str, Any]:
        """Arguments of `generate` for prompts of P = `width` positions."""
        options = {**parameters.generation, "return_dict_in_generate": False}
        if parameters.stop_sequence is not None:
            options["stop_strings"] = parameters.stop_sequence
        new = default_new_tokens(self.model, width, options)
        if new is not None:
            options["max_new_tokens"] = new
        return options

    @staticmethod
    def continued(sequences: Tensor, rows: int, width: int, mask: Tensor | None) -> dict[str, Any]:
        """What `postprocess` reads.

        Args:
            sequences: (B N, L), as `generate` returned them.
            rows: B.
            width: P.
            mask: (B, P), None where nothing is padded.
        """
        whole = torch.full((rows,), width)
        return {
            "sequences": sequences.view(rows, -1, sequences.shape[1]),
            "padding": whole - (whole if mask is None else mask.sum(1).cpu()),
            "width": whole,
        }

    def postprocess(self, output: dict[str, Any], parameters: P) -> list[dict[str, Any]]:
        answers = []
        padding, width = int(output["padding"]), int(output["width"])
        for row in output["sequences"]:  # (L,)
            prompt, new = row[padding:width].tolist(), self._cut_after_end(row[width:].tolist(), parameters)
            if parameters.return_tensors:
                answers.append(self.entry(output, {"generated_token_ids": prompt + new}))
            else:
                text = self._new_text(prompt, new, parameters)
                answers.append(self.entry(output, {"generated_text": self._in_full(output, text, parameters)}))
        return answers

    def entry(self, told: Mapping[str, Any], generated: dict[str, Any]) -> dict[str, Any]:
        """One answer, from what `preprocess` told of the prompt and what was generated."""
        return generated

    def display(self, answer: Any) -> str:
        texts = []
        for entry in answer:
            text = entry.get("generated_text", entry.get("generated_token_ids"))
            texts.append(spoken(text[-1]) if is_chat(text) else str(text))
        return "\n\n".join(texts)

    def stream(self, item: Any, **parameters: Any) -> Iterator[str]:
        """The new text alone, in parts as they come. Closing the iterator stops the model at its next token.

        Several sequences, and strategies that know their text only at the end, come in one part.

        Raises:
            PipelineError: the item failed; the parts before it have been given.
            ParameterError: a keyword is not the task's.
        """
        checked = self.parameters(**parameters)
        said = {**self.defaults, **parameters}
        skip = checked.skip_special_tokens
        return stream_text(self, item, said, skip_special_tokens=skip, new={"return_full_text": False})

    def _cut_after_end(self, ids: list[int], parameters: P) -> list[int]:
        """Without the padding that follows the end token in a batch whose other rows went on."""
        given = parameters.generation.get("eos_token_id")
        configured = self.model.generation_config if given is None else GenerationConfig(eos_token_id=given)
        ends = configured.end_tokens
        for position, token in enumerate(ids):
            if token in ends:
                return ids[: position + 1]
        return ids

    def _new_text(self, prompt: list[int], new: list[int], parameters: P) -> str:
        """The text that the new tokens add; decoded with the prompt, because a tokenizer may join across the border."""
        before, whole = (self._decode(ids, parameters) for ids in (prompt, prompt + new))
        return whole[len(before) :] if whole.startswith(before) else self._decode(new, parameters)

    def _decode(self, ids: list[int], parameters: P) -> str:
        text: str = self.needed_tokenizer().decode(
            ids,
            skip_special_tokens=parameters.skip_special_tokens,
            clean_up_tokenization_spaces=parameters.clean_up_tokenization_spaces,
        )
        return text

    def _in_full(self, told: Mapping[str, Any], text: str, parameters: P) -> str | list[Message]:
        if parameters.return_full_text is False:
            return text
        if "chat" in told:
            return with_answer(told["chat"], text, continues=told["continues"])
        return str(told["text"]) + text


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
    limit = context_length(model.config, answer=model.config.is_encoder_decoder)
    return DEFAULT_NEW_TOKENS if limit is None else max(1, min(DEFAULT_NEW_TOKENS, limit - prompt_tokens))
