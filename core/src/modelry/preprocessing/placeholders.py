"""Placeholders of images, videos and sound in a prompt: counted, and replaced by as many tokens as the model sees.

A placeholder is the text of one special token, such as "<image>".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from modelry.errors import PreprocessorError
from modelry.preprocessing.tensors import as_lists


def per_text(texts: Sequence[str], placeholder: str) -> list[int]:
    """How many placeholders each text has."""
    return [text.count(placeholder) for text in texts]


def check_counts(texts: Sequence[str], placeholder: str, given: Any, total: int, kind: str) -> None:
    """
    Args:
        given: what the user gave; images in one list for each text are checked text by text.
        total: how many there are.
        kind: "image", "video" or "audio", for the error.

    Raises:
        PreprocessorError: there are more or fewer than placeholders.
    """
    counts = per_text(texts, placeholder)
    # A list within a list of videos would be the frames of one, so only images are told apart text by text.
    if kind == "image" and isinstance(given, list | tuple) and [*map(_is_list, given)] == [True] * len(texts):
        for number, (count, own) in enumerate(zip(counts, given, strict=True)):
            if count != len(own):
                raise PreprocessorError(
                    f"text {number} has {count} placeholders {placeholder!r}, and {len(own)} {kind} inputs were given "
                    "for it"
                )
    if sum(counts) != total:
        raise PreprocessorError(
            f"the text has {sum(counts)} placeholders {placeholder!r}, and {total} {kind} inputs were given; "
            "each needs one"
        )


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def expanded(texts: Sequence[str], expansions: Mapping[str, Sequence[str]]) -> list[str]:
    """The texts with every placeholder replaced, in order.

    Args:
        expansions: placeholder -> what replaces the first, second … of it; placeholders in that stay.
    """
    following = {placeholder: iter(texts_of_it) for placeholder, texts_of_it in expansions.items()}
    return [_replaced(text, following) for text in texts]


def _replaced(text: str, following: Mapping[str, Any]) -> str:
    parts = [text]
    for placeholder in following:
        # Only the user's own text is split: parts at odd places are expansions already.
        parts = [
            piece
            for number, part in enumerate(parts)
            for piece in ([part] if number % 2 else _split(part, placeholder, following[placeholder]))
        ]
    return "".join(parts)


def _split(part: str, placeholder: str, following: Any) -> list[str]:
    first, *rest = part.split(placeholder)
    found = [first]
    for one in rest:
        found += [next(following), one]
    return found


def check_tokens(input_ids: Any, texts: Sequence[str], token_ids: Mapping[str, int | None]) -> None:
    """
    Args:
        token_ids: placeholder -> its id.

    Raises:
        PreprocessorError: truncation cut placeholders away, or the tokenizer does not know them as one token.
    """
    rows = as_lists(input_ids)
    rows = rows if rows and isinstance(rows[0], list) else [rows]
    for placeholder, token_id in token_ids.items():
        if token_id is None:
            raise PreprocessorError(
                f"the tokenizer has no token {placeholder!r}, which stands for images, video or sound"
            )
        for number, (text, row) in enumerate(zip(texts, rows, strict=False)):
            wanted, found = text.count(placeholder), row.count(token_id)
            if wanted != found:
                raise PreprocessorError(
                    f"text {number} needs {wanted} tokens {placeholder!r}, and {found} are left of them: raise "
                    "max_length, or pass truncation=False"
                )


def token_kinds(input_ids: Any, token_ids: Sequence[int | None]) -> list[list[int]]:
    """0 for a token of text, 1, 2 … for one of the first, second … placeholder."""
    rows = as_lists(input_ids)
    rows = rows if rows and isinstance(rows[0], list) else [rows]
    kinds = {token_id: number for number, token_id in enumerate(token_ids, start=1) if token_id is not None}
    return [[kinds.get(one, 0) for one in row] for row in rows]
