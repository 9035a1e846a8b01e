"""What a caller passes to a tokenizer, in its many shapes, as one list of texts or pairs."""

from typing import Any

from modelry.errors import PreprocessorError


def read_text_inputs(text: Any, pair: Any, *, is_split_into_words: bool) -> tuple[list[Any], bool]:
    """Check the texts of a call and bring them into one shape.

    Args:
        text, pair: a string or a list of strings; a list of words, or a list of such, when is_split_into_words.
            A batch may hold pairs (text, second text) itself, when `pair` is None.

    Returns:
        A list of texts or of (text, second text), and whether the caller gave a batch.

    Raises:
        PreprocessorError: something is no text (says what and where), or text and pair differ in number.
    """
    if not isinstance(text, str | list | tuple):
        raise PreprocessorError(f"text is {_named(text)}; a string or a list of strings is expected{_hint(text)}")
    if is_split_into_words:
        if isinstance(text, str):
            raise PreprocessorError("text is a string, and is_split_into_words=True expects a list of words")
        batched = bool(text) and isinstance(text[0], list | tuple)
    else:
        batched = not isinstance(text, str)
    if not batched:
        _check(text, "text", is_split_into_words)
        if pair is None:
            return [text], False
        _check(pair, "text_pair", is_split_into_words)
        return [(text, pair)], False
    if pair is None:
        rows = [_row(row, number, is_split_into_words) for number, row in enumerate(text)]
        return rows, True
    if not isinstance(pair, list | tuple) or len(pair) != len(text):
        found = f"{len(pair)} texts" if isinstance(pair, list | tuple) else _named(pair)
        raise PreprocessorError(f"text is a batch of {len(text)} texts and text_pair is {found}; give one for each")
    for number, (first, second) in enumerate(zip(text, pair, strict=True)):
        _check(first, f"text[{number}]", is_split_into_words)
        _check(second, f"text_pair[{number}]", is_split_into_words)
    return list(zip(text, pair, strict=True)), True


def _row(row: Any, number: int, words: bool) -> Any:
    """One item of a batch: a text, or a pair of texts."""
    kind = list | tuple if words else str
    if isinstance(row, list | tuple) and len(row) == 2 and all(isinstance(one, kind) for one in row):
        for one in row:
            _check(one, f"text[{number}]", words)
        return tuple(row)
    _check(row, f"text[{number}]", words)
    return row


def _check(value: Any, name: str, words: bool) -> None:
    if words:
        if not isinstance(value, list | tuple):
            raise PreprocessorError(f"{name} is {_named(value)}; is_split_into_words=True expects a list of words")
        for number, word in enumerate(value):
            _check(word, f"{name}[{number}]", False)
        return
    if not isinstance(value, str):
        raise PreprocessorError(f"{name} is {_named(value)}; a string is expected{_hint(value)}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PreprocessorError(
            f"{name} holds half a character ({value[error.start]!r} at position {error.start}), which has no UTF-8; "
            "decode its bytes with errors='replace'"
        ) from error


def _named(value: Any) -> str:
    return "None" if value is None else f"{value!r:.40} of type {type(value).__name__}"


def _hint(value: Any) -> str:
    if isinstance(value, dict) and "role" in value:
        return "; use apply_chat_template for messages"
    if isinstance(value, bytes):
        return "; decode it first"
    return ""
