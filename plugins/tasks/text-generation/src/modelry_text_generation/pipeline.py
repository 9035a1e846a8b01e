"""Texts and chats in, their continuations out.

B prompts of a batch   P prompt positions, padding included
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from modelry.errors import GenerationError, ParameterError, PreprocessorError
from modelry.pipelines import TaskParameters
from modelry.pipelines.chats import Message, is_chat, read_chat
from modelry.pipelines.continuing import ContinuingPipeline
from modelry.preprocessing.chat_media import media_of
from modelry_text_generation.length import drop_beginning
from modelry_text_generation.parameters import TextGenerationParameters


class TextGenerationPipeline(ContinuingPipeline[TextGenerationParameters]):
    """Continue texts, or answer in chats.

    A text is answered by `[{"generated_text": text and continuation}]`, one entry per returned sequence; a chat
    (a list of `{"role": …, "content": …}`) by entries whose `generated_text` is the chat with the assistant's message.
    Rows of a data set are read by their `text`, `prompt` or `messages`.
    """

    parameters_class: ClassVar[type[TaskParameters]] = TextGenerationParameters

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._tokenizer = self.needed_tokenizer()

    def __call__(  # type: ignore[override]  # the ecosystem calls the first argument text_inputs
        self, text_inputs: Any = None, *, inputs: Any = None, **options: Any
    ) -> Any:
        """As every pipeline; `inputs` is another name for `text_inputs`.

        Raises:
            ParameterError: both are given.
        """
        if text_inputs is not None and inputs is not None:
            raise ParameterError(f"{self.task!r}: text_inputs= and inputs= are two names of one thing; give one")
        return super().__call__(inputs if text_inputs is None else text_inputs, **options)

    def preprocess(self, item: Any, parameters: TextGenerationParameters) -> dict[str, Any]:
        prompt = _prompt_of_row(item)
        if is_chat(prompt):
            chat = read_chat(prompt)
            _refuse_pictures(chat)
            continues = parameters.continues(chat)
            ids = self._encode_chat(chat, parameters, continues=continues)
            told: dict[str, Any] = {"chat": chat, "continues": continues}
        elif isinstance(prompt, str):
            ids = self._encode_text((parameters.prefix or "") + prompt, parameters)
            told = {"text": prompt}
        else:
            raise PreprocessorError(f"a prompt is a text or a chat (a list of messages), found {type(prompt).__name__}")
        if not ids:
            raise GenerationError("the prompt is empty: it has no tokens, so there is nothing to continue")
        if parameters.handle_long_generation == "hole":
            ids = drop_beginning(self.model, ids, parameters.generation)
        told["input_ids"] = torch.tensor(ids)
        return told

    def forward(self, batch: dict[str, Tensor], parameters: TextGenerationParameters) -> dict[str, Any]:
        ids, mask = batch["input_ids"], batch.get("attention_mask")  # (B, P)
        options = self.generation(parameters, ids.shape[1])
        sequences = self.model.generate(ids, attention_mask=mask, tokenizer=self._tokenizer, **options)
        return self.continued(sequences, ids.shape[0], ids.shape[1], mask)

    def _encode_text(self, text: str, parameters: TextGenerationParameters) -> list[int]:
        options: dict[str, Any] = {"truncation": parameters.truncation, **parameters.tokenizer_encode_kwargs}
        if parameters.add_special_tokens is not None:
            options["add_special_tokens"] = parameters.add_special_tokens
        return list(self._tokenizer(text, **options)["input_ids"])

    def _encode_chat(self, chat: list[Message], parameters: TextGenerationParameters, *, continues: bool) -> list[int]:
        encoded = self._tokenizer.apply_chat_template(
            chat,
            tools=parameters.tools,
            documents=parameters.documents,
            chat_template=parameters.chat_template,
            add_generation_prompt=not continues,
            continue_final_message=continues,
            truncation=parameters.truncation,
            tokenize=True,
            return_dict=True,
            **parameters.chat_template_kwargs,
        )
        return list(encoded["input_ids"])


def _prompt_of_row(item: Any) -> Any:
    """A row of a data set is read by the one column that can be a prompt."""
    if not isinstance(item, Mapping):
        return item
    found = [name for name in ("text", "prompt", "messages") if name in item]
    if len(found) != 1:
        raise PreprocessorError(
            f"a row needs exactly one of 'text', 'prompt' and 'messages', found the keys {sorted(map(str, item))}"
        )
    return item[found[0]]


def _refuse_pictures(chat: list[Message]) -> None:
    """A template would write what a picture is called, and the model answer as if it had seen it."""
    _, carried, _ = media_of(chat)
    found = sorted(kind for kind, things in carried.items() if any(things))
    if found:
        raise PreprocessorError(
            f"the chat carries {' and '.join(found)} inputs, and text-generation reads text alone: use a model that "
            "takes them, with pipeline('image-text-to-text', …)"
        )
