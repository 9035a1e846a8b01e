"""One call of the backend: its padding and truncation set for this call, its refusals foreseen and put into words."""

from typing import Any

import tokenizers
from tokenizers import Encoding

from modelry.errors import PreprocessorError
from modelry.preprocessing.backend import backend_errors
from modelry.preprocessing.padding import Lengths, PaddingStrategy, TruncationStrategy


def encode_rows(
    backend: tokenizers.Tokenizer,
    rows: list[Any],
    lengths: Lengths,
    *,
    pad: tuple[str, int, int] | None,
    add_special_tokens: bool,
    words: bool,
    split_special_tokens: bool,
) -> list[Encoding]:
    """Encode texts, or (text, second text) pairs. The caller holds the tokenizer's lock: backend settings are changed.

    Args:
        pad: token, id and type id that fill rows; None where no row is padded.
        words: the texts are lists of words.

    Raises:
        PreprocessorError: max_length leaves no room, stride leaves no progress, or a text cannot be cut as asked.
    """
    if not rows:
        return []
    _set_truncation(backend, rows, lengths, add_special_tokens, words)
    if pad is None:
        backend.no_padding()
    else:
        token, token_id, type_id = pad
        backend.enable_padding(
            direction=lengths.padding_side,
            pad_id=token_id,
            pad_token=token,
            pad_type_id=type_id,
            length=lengths.max_length if lengths.padding is PaddingStrategy.MAX_LENGTH else None,
            pad_to_multiple_of=lengths.pad_to_multiple_of,
        )
    backend.encode_special_tokens = split_special_tokens
    with backend_errors(_failure(lengths)):
        return backend.encode_batch(rows, is_pretokenized=words, add_special_tokens=add_special_tokens)


def _failure(lengths: Lengths) -> str:
    if lengths.truncation is TruncationStrategy.DO_NOT_TRUNCATE:
        return "the text cannot be encoded"
    return f"the text cannot be cut to {lengths.max_length} tokens with truncation={lengths.truncation.value!r}"


def _set_truncation(
    backend: tokenizers.Tokenizer, rows: list[Any], lengths: Lengths, special: bool, words: bool
) -> None:
    if lengths.truncation is TruncationStrategy.DO_NOT_TRUNCATE:
        backend.no_truncation()
        return
    assert lengths.max_length is not None
    pair = any(isinstance(row, tuple) and not (words and all(isinstance(one, str) for one in row)) for row in rows)
    added = backend.num_special_tokens_to_add(pair) if special else 0
    room = lengths.max_length - added
    if room < 0:
        raise PreprocessorError(
            f"max_length {lengths.max_length} has no room for the {added} special tokens of a "
            f"{'pair' if pair else 'text'}; "
            "raise it, or pass add_special_tokens=False"
        )
    if lengths.stride and lengths.stride >= room:
        raise PreprocessorError(
            f"stride {lengths.stride} is not less than the {room} tokens that max_length {lengths.max_length} leaves "
            f"beside {added} special tokens, so the pieces would never end"
        )
    backend.enable_truncation(
        lengths.max_length,
        stride=lengths.stride,
        strategy=lengths.truncation.value,
        direction=lengths.truncation_side,
    )
