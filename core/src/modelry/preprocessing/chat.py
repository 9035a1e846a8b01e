"""From messages to model inputs: which template, what it is given, and where the assistant's tokens are."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelry.errors import PreprocessorError, TemplateError
from modelry.preprocessing.chat_template import GENERATION_TAG, Rendering, plain_data, render
from modelry.preprocessing.encoding import BatchEncoding
from modelry.preprocessing.tensors import as_lists, as_tensor
from modelry.preprocessing.tool_schema import tool_schemas

if TYPE_CHECKING:
    from modelry.preprocessing.tokenizer import Tokenizer

_NAME = re.compile(r"[\w.-]+")
_REASONING = ("reasoning_content", "thinking", "reasoning")
"""Names under which a message's reasoning is published; templates read the first, some the second."""
_MARK = "\ue000\ue001"
"""Two private characters that no message holds."""


def choose_template(
    templates: str | Mapping[str, str] | None, wanted: str | None, *, has_tools: bool, where: str
) -> str:
    """Say which template to use.

    Args:
        templates: the tokenizer's own: one text, or texts by name.
        wanted: a name or a text; None for the tokenizer's own ("tool_use" for tools, where there is one, or "default").

    Raises:
        PreprocessorError: there is none, or none of this name; says what there is.
    """
    named = {} if templates is None else {"default": templates} if isinstance(templates, str) else dict(templates)
    if wanted is not None:
        if wanted in named:
            return named[wanted]
        if _NAME.fullmatch(wanted):
            known = ", ".join(sorted(named)) or "none"
            raise PreprocessorError(f"{where} has no chat template {wanted!r}; it has: {known}")
        return wanted
    if has_tools and "tool_use" in named:
        return named["tool_use"]
    if "default" in named:
        return named["default"]
    if named:
        raise PreprocessorError(
            f"{where} has several chat templates and none is the default; "
            f"pass chat_template= with one of {', '.join(sorted(named))}"
        )
    raise PreprocessorError(
        f"{where} has no chat template, so it is not known how its model reads messages. Pass chat_template= with a "
        "Jinja text (the model's page may show one), or set tokenizer.chat_template"
    )


def apply_chat_template(
    tokenizer: "Tokenizer",
    conversation: Any,
    *,
    tools: Sequence[Any] | None = None,
    documents: Sequence[Mapping[str, Any]] | None = None,
    chat_template: str | None = None,
    add_generation_prompt: bool = False,
    continue_final_message: bool | str = False,
    tokenize: bool = True,
    padding: bool | str = False,
    truncation: bool | str | None = False,
    max_length: int | None = None,
    return_tensors: str | None = None,
    return_dict: bool = True,
    return_assistant_tokens_mask: bool = False,
    tokenizer_kwargs: Mapping[str, Any] | None = None,
    **template_kwargs: Any,
) -> Any:
    """Write messages as the model was trained to read them, and tokenize that.

    Args:
        conversation: messages ({"role": ..., "content": ...}, ...), or a list of such lists.
        tools: JSON schemas, or functions with type hints and docstrings (see modelry.preprocessing.tool_schema).
        documents: dictionaries of "title" and "text", for models that read them.
        chat_template: the name of one of the tokenizer's templates, or a Jinja text.
        add_generation_prompt: end with the beginning of the assistant's answer.
        continue_final_message: end inside the last message, so that the model goes on with it; a string names the
            part of the message to go on with ("reasoning_content").
        tokenize: False returns text.
        padding, truncation, max_length, return_tensors: as in the tokenizer's call.
        return_dict: False returns the ids alone.
        return_assistant_tokens_mask: assistant_masks, 1 for tokens inside the template's {% generation %} blocks.
        tokenizer_kwargs: further arguments of the tokenizer's call.
        template_kwargs: further values for the template; they win over the special tokens it is given.

    Returns:
        BatchEncoding, ids or text; one each for a list of conversations.

    Raises:
        PreprocessorError: no or an unknown template, messages that are none, or arguments that contradict each other.
        TemplateError: the template fails or refuses the messages.
    """
    if continue_final_message and add_generation_prompt:
        raise PreprocessorError("continue_final_message goes on with a message and add_generation_prompt begins one")
    if return_assistant_tokens_mask and (not tokenize or not return_dict or continue_final_message):
        raise PreprocessorError(
            "return_assistant_tokens_mask needs tokenize=True and return_dict=True, and no continue_final_message"
        )
    where = tokenizer.name_or_path or "this tokenizer"
    template = choose_template(tokenizer.chat_template, chat_template, has_tools=tools is not None, where=where)
    if return_assistant_tokens_mask and not GENERATION_TAG.search(template):
        raise PreprocessorError(
            f"the chat template of {where} marks no {{% generation %}} blocks, so the assistant's tokens are not "
            "known; pass a chat_template that does"
        )
    chats, batched = _conversations(conversation)
    values = {
        **tokenizer.special_tokens_map,
        **template_kwargs,
        "tools": tool_schemas(tools),
        "documents": _documents(documents),
        "add_generation_prompt": add_generation_prompt,
    }
    name = f"the chat template of {where}"
    if continue_final_message:
        field = continue_final_message if isinstance(continue_final_message, str) else "content"
        found = [_continued(template, chat, values, field=field, where=name) for chat in chats]
    else:
        found = [render(template, {**values, "messages": chat}, where=name) for chat in chats]
    texts = [one.text for one in found]
    if not tokenize:
        return texts if batched else texts[0]
    encoding = tokenizer(
        texts if batched else texts[0],
        add_special_tokens=False,
        padding=padding,
        truncation=truncation,
        max_length=max_length,
        return_tensors=return_tensors,
        **(tokenizer_kwargs or {}),
    )
    if return_assistant_tokens_mask:
        _add_masks(encoding, found, return_tensors)
    return encoding if return_dict else encoding["input_ids"]


def _conversations(conversation: Any) -> tuple[list[list[dict[str, Any]]], bool]:
    """One or several conversations as plain messages, and whether there were several."""
    given = getattr(conversation, "messages", conversation)
    if not isinstance(given, list | tuple) or not given:
        found = "empty" if isinstance(given, list | tuple) else f"{given!r:.40} of type {type(given).__name__}"
        raise PreprocessorError(
            f'the conversation is {found}; give messages like [{{"role": "user", "content": "Hello"}}]'
        )
    several = isinstance(given[0], list | tuple) or hasattr(given[0], "messages")
    chats = [getattr(one, "messages", one) for one in given] if several else [given]
    return [
        _messages(chat, f"conversation {number}: " if several else "") for number, chat in enumerate(chats)
    ], several


def _messages(chat: Any, where: str) -> list[dict[str, Any]]:
    """Messages as plain dictionaries, without empty values, and with reasoning under the names that templates read."""
    if not isinstance(chat, list | tuple):
        raise PreprocessorError(f"{where}messages are {chat!r:.40} of type {type(chat).__name__}; give a list")
    messages = []
    for number, message in enumerate(chat):
        try:
            plain = plain_data(message)
        except RecursionError:
            raise PreprocessorError(f"{where}message {number} holds itself") from None
        if not isinstance(plain, dict):
            raise PreprocessorError(
                f"{where}message {number} is {message!r:.40} of type {type(message).__name__}; "
                'give {"role": ..., "content": ...}'
            )
        plain = {name: value for name, value in plain.items() if value is not None}
        reasoning = next((plain[name] for name in _REASONING if name in plain), None)
        if reasoning is not None:
            plain = {"thinking": reasoning, **plain, "reasoning_content": reasoning}
        messages.append(plain)
    return messages


def _documents(documents: Any) -> Any:
    if documents is None:
        return None
    for number, document in enumerate(documents):
        if not isinstance(document, Mapping):
            raise PreprocessorError(
                f'documents[{number}] is {document!r:.40} of type {type(document).__name__}; give {{"title", "text"}}'
            )
    return list(documents)


def _continued(
    template: str, chat: list[dict[str, Any]], values: Mapping[str, Any], *, field: str, where: str
) -> Rendering:
    """Render a chat that ends inside its last message.

    The end is found by a mark behind the message. A template that trims messages would keep the spaces before the mark,
    so the chat is rendered without the mark as well, and what stands there decides.

    Raises:
        PreprocessorError: the last message has no such text.
        TemplateError: the template leaves the message out.
    """
    last = dict(chat[-1])
    if field not in last:
        raise PreprocessorError(
            f"continue_final_message asks for {field!r}, and the last message has {', '.join(last)}"
        )
    aliases = [name for name in _REASONING if last.get(name) == last[field]] if field in _REASONING else [field]
    for name in aliases:
        last[name] = _marked(last[name])
    marked = render(template, {**values, "messages": [*chat[:-1], last]}, where=where).text
    text, mark, _ = marked.rpartition(_MARK)
    if not mark:
        raise TemplateError(f"{where} leaves {field!r} of the last message out, so it cannot be continued")
    whole = render(template, {**values, "messages": chat}, where=where).text
    return Rendering(text if whole.startswith(text) else text.rstrip(), [])


def _marked(content: Any) -> Any:
    """A message's text with the mark at its end; of several parts, the last text is marked."""
    if isinstance(content, str):
        return content + _MARK
    for number in reversed(range(len(content) if isinstance(content, list) else 0)):
        part = content[number]
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            return [*content[:number], {**part, "text": part["text"] + _MARK}, *content[number + 1 :]]
    raise PreprocessorError(f"the last message holds no text to continue: {content!r:.60}")


def _add_masks(encoding: BatchEncoding, found: list[Rendering], tensor_type: str | None) -> None:
    """Add assistant_masks: 1 for tokens that share a character with a generation block."""
    samples = as_lists(encoding.get("overflow_to_sample_mapping", range(len(encoding.encodings or ()))))
    masks = []
    for row, sample in zip(encoding.encodings or (), samples, strict=True):
        mask = [0] * len(row.ids)
        spans = found[sample].assistant
        for token, (start, end) in enumerate(row.offsets):
            mask[token] = int(any(start < stop and begin < end for begin, stop in spans))
        masks.append(mask)
    nested = tensor_type is not None or isinstance(as_lists(encoding["input_ids"])[0], list)
    encoding["assistant_masks"] = masks if nested else masks[0]
    if tensor_type is not None:
        encoding["assistant_masks"] = as_tensor("assistant_masks", masks, tensor_type)
