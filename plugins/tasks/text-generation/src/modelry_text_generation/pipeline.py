"""Texts and chats in, their continuations out.

B prompts of a batch   N continuations of each   P prompt positions, padding included   L P and the new positions
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from modelry.errors import GenerationError, PreprocessorError
from modelry.generation import GenerationConfig
from modelry.pipelines import Pipeline, TaskParameters
from modelry.pipelines.streaming import stream_text
from modelry_text_generation.chat import Message, is_chat, read_chat, with_answer
from modelry_text_generation.length import default_new_tokens, drop_beginning
from modelry_text_generation.parameters import TextGenerationParameters


class TextGenerationPipeline(Pipeline[TextGenerationParameters]):
    """Continue texts, or answer in chats.

    A text is answered by `[{"generated_text": text and continuation}]`, one entry per returned sequence; a chat
    (a list of `{"role": …, "content": …}`) by entries whose `generated_text` is the chat with the assistant's message.
    Rows of a data set are read by their `text`, `prompt` or `messages`.
    """

    parameters_class: ClassVar[type[TaskParameters]] = TextGenerationParameters
    padding_side = "left"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.tokenizer is None:
            raise PreprocessorError(f"{self.task} needs a tokenizer: pass tokenizer=")
        self._tokenizer = self.tokenizer

    def is_item(self, value: Any) -> bool:
        return super().is_item(value) or is_chat(value)

    def preprocess(self, item: Any, parameters: TextGenerationParameters) -> dict[str, Any]:
        prompt = _prompt_of_row(item)
        if is_chat(prompt):
            chat = read_chat(prompt)
            continues = parameters.continue_final_message
            if continues is None:
                continues = chat[-1]["role"] == "assistant"
            ids = self._encode_chat(chat, parameters, continues=continues)
            told: dict[str, Any] = {"chat": chat, "continues": continues}
        elif isinstance(prompt, str):
            ids = self._encode_text((parameters.prefix or "") + prompt, parameters)
            told = {"text": (parameters.prefix or "") + prompt}
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
        options = {**parameters.generation, "return_dict_in_generate": False}
        if parameters.stop_sequence is not None:
            options["stop_strings"] = parameters.stop_sequence
        new = default_new_tokens(self.model, ids.shape[1], options)
        if new is not None:
            options["max_new_tokens"] = new
        sequences = self.model.generate(ids, attention_mask=mask, tokenizer=self._tokenizer, **options)  # (B * N, L)
        count, width = ids.shape
        real = torch.ones_like(ids) if mask is None else mask
        return {
            "sequences": sequences.view(count, -1, sequences.shape[1]),
            "padding": width - real.sum(1),
            "width": width,
        }

    def postprocess(self, output: dict[str, Any], parameters: TextGenerationParameters) -> list[dict[str, Any]]:
        answers = []
        for row in output["sequences"]:  # (L,)
            prompt = row[int(output["padding"]) : output["width"]].tolist()
            new = self._cut_after_end(row[output["width"] :].tolist(), parameters)
            if parameters.return_tensors:
                answers.append({"generated_token_ids": prompt + new})
            else:
                answers.append(
                    {"generated_text": self._in_full(output, self._new_text(prompt, new, parameters), parameters)}
                )
        return answers

    def display(self, answer: Any) -> str:
        texts = []
        for entry in answer:
            text = entry.get("generated_text", entry.get("generated_token_ids"))
            texts.append(str(text[-1]["content"] if is_chat(text) else text))
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

    def _cut_after_end(self, ids: list[int], parameters: TextGenerationParameters) -> list[int]:
        """Without the padding that follows the end token in a batch whose other rows went on."""
        given = parameters.generation.get("eos_token_id")
        configured = self.model.generation_config if given is None else GenerationConfig(eos_token_id=given)
        ends = configured.end_tokens
        for position, token in enumerate(ids):
            if token in ends:
                return ids[: position + 1]
        return ids

    def _new_text(self, prompt: list[int], new: list[int], parameters: TextGenerationParameters) -> str:
        """The text that the new tokens add; decoded with the prompt, because a tokenizer may join across the border."""
        before, whole = (self._decode(ids, parameters) for ids in (prompt, prompt + new))
        return whole[len(before) :] if whole.startswith(before) else self._decode(new, parameters)

    def _decode(self, ids: list[int], parameters: TextGenerationParameters) -> str:
        text: str = self._tokenizer.decode(
            ids,
            skip_special_tokens=parameters.skip_special_tokens,
            clean_up_tokenization_spaces=parameters.clean_up_tokenization_spaces,
        )
        return text

    def _in_full(self, told: Mapping[str, Any], text: str, parameters: TextGenerationParameters) -> str | list[Message]:
        if parameters.return_full_text is False:
            return text
        if "chat" in told:
            return with_answer(told["chat"], text, continues=told["continues"])
        return str(told["text"]) + text


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
