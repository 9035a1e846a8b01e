"""Where in a chat the assistant speaks, found through the tokenizer's chat template."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelry.errors import ParameterError
from modelry.preprocessing import Tokenizer
from modelry.preprocessing.chat_template import GENERATION_TAG

ASSISTANT = "assistant"


def tokenized(
    tokenizer: Tokenizer, messages: Sequence[Mapping[str, Any]], *, max_length: int | None, **values: Any
) -> tuple[list[int], list[bool]]:
    """The ids of a chat, and which of them the assistant says, the end of each turn included.

    A template that marks its {% generation %} blocks says so itself. Of any other, the text of a turn is what the
    messages up to it add to the messages before it with the beginning of an answer.

    Args:
        max_length: ids beyond it are cut.
        values: for the template ("tools", ...).

    Raises:
        ParameterError: the template writes the beginning of a chat in another way once the chat goes on.
    """
    template = tokenizer.get_chat_template(tools=values.get("tools"))
    cut: dict[str, Any] = {"truncation": max_length is not None, "max_length": max_length}
    if GENERATION_TAG.search(template):
        found = tokenizer.apply_chat_template(list(messages), return_assistant_tokens_mask=True, **cut, **values)
        return list(found["input_ids"]), [bool(said) for said in found["assistant_masks"]]
    whole = tokenizer.apply_chat_template(list(messages), tokenize=False, **values)
    spans = [
        _turn(tokenizer, messages, number, whole, values)
        for number, message in enumerate(messages)
        if message.get("role") == ASSISTANT
    ]
    found = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True, **cut)
    said = [any(begin < stop and start < end for start, stop in spans) for begin, end in found["offset_mapping"]]
    return list(found["input_ids"]), said


def _turn(
    tokenizer: Tokenizer, messages: Sequence[Mapping[str, Any]], number: int, whole: str, values: Mapping[str, Any]
) -> tuple[int, int]:
    """Characters of one turn, from the first that the assistant writes to its end."""
    if number == 0:
        raise ParameterError(
            "the chat begins with the assistant, and where it begins to speak is known from the message before; "
            "let a user or the system speak first, or use a chat template with {% generation %} blocks"
        )

    def written(upto: int, *, prompt: bool) -> str:
        text: str = tokenizer.apply_chat_template(
            list(messages[:upto]), tokenize=False, add_generation_prompt=prompt, **values
        )
        return text

    before, after = written(number, prompt=True), written(number + 1, prompt=False)
    if not (whole.startswith(after) and after.startswith(before)):
        raise ParameterError(
            f"message {number}: the chat template writes what stands before it in another way once the chat goes on, "
            "so the assistant's tokens are not known; use a chat template with {% generation %} blocks"
        )
    end, closed = tokenizer.eos_token, after.rstrip()
    # Space behind the token that ends a turn belongs to the template: no model writes it.
    return len(before), len(closed if end and closed.endswith(end) and len(closed) > len(before) else after)
