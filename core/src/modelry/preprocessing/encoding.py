"""What a tokenizer returns: ids and masks by name, and where every token came from in the text."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tokenizers import Encoding

from modelry.errors import PreprocessorError
from modelry.preprocessing.features import BatchFeature


class CharSpan(NamedTuple):
    """Characters start to end - 1 of the text."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """Tokens start to end - 1 of the encoding."""

    start: int
    end: int


class BatchEncoding(BatchFeature):
    """A dictionary of model inputs, each (tokens,) or (batch, tokens), that can also be read as attributes.

    The methods about tokens, words and characters take (batch_index, index), or one index when the batch is one text.
    """

    def __init__(
        self,
        data: dict[str, Any] | None = None,
        encodings: Encoding | Sequence[Encoding] | None = None,
        tensor_type: str | None = None,
        prepend_batch_axis: bool = False,
    ) -> None:
        self._encodings = [encodings] if isinstance(encodings, Encoding) else list(encodings or ())
        super().__init__(data, tensor_type, prepend_batch_axis)

    def __getitem__(self, item: Any) -> Any:
        """An input by name, the Encoding of one text by position, or a slice of every input."""
        if isinstance(item, str):
            return self.data[item]
        if isinstance(item, slice):
            return {name: value[item] for name, value in self.data.items()}
        return self._encoding(item)

    @property
    def is_fast(self) -> bool:
        """True when it knows where its tokens came from."""
        return bool(self._encodings)

    @property
    def encodings(self) -> list[Encoding] | None:
        """One per row, of the tokenizers library."""
        return self._encodings or None

    @property
    def n_sequences(self) -> int | None:
        """1, or 2 for pairs; None when it was not made by a tokenizer."""
        return self._encodings[0].n_sequences if self._encodings else None

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The tokens of one row as strings."""
        return self._encoding(batch_index).tokens

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """For each token 0 (first text), 1 (second text) or None (special)."""
        return self._encoding(batch_index).sequence_ids

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """For each token the number of its word in its text; None for special tokens."""
        return self._encoding(batch_index).word_ids

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Which text a token is of: 0, 1 or None."""
        encoding, token = self._place(batch_or_token_index, token_index)
        return encoding.token_to_sequence(_from_end(token, encoding))

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Which word a token is of."""
        encoding, token = self._place(batch_or_token_index, token_index)
        return encoding.token_to_word(_from_end(token, encoding))

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """Which characters a token stands for; None for special tokens."""
        encoding, token = self._place(batch_or_token_index, token_index)
        found = encoding.token_to_chars(_from_end(token, encoding))
        return None if found is None else CharSpan(*found)

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        """Which tokens a word became; None when it became none."""
        encoding, word = self._place(batch_or_word_index, word_index)
        found = encoding.word_to_tokens(_from_last_word(word, encoding), sequence_index)
        return None if found is None else TokenSpan(*found)

    def word_to_chars(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> CharSpan | None:
        """Which characters a word spans."""
        encoding, word = self._place(batch_or_word_index, word_index)
        found = encoding.word_to_chars(_from_last_word(word, encoding), sequence_index)
        return None if found is None else CharSpan(*found)

    def char_to_token(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """Which token a character went into; None for skipped white space and cut text."""
        encoding, char = self._place(batch_or_char_index, char_index)
        return encoding.char_to_token(char, sequence_index)

    def char_to_word(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """Which word a character is of."""
        encoding, char = self._place(batch_or_char_index, char_index)
        return encoding.char_to_word(char, sequence_index)

    def _encoding(self, index: int) -> Encoding:
        if not self._encodings:
            raise PreprocessorError(
                "this encoding was not made by a tokenizer, so it knows nothing of words and characters"
            )
        if not -len(self._encodings) <= index < len(self._encodings):
            raise IndexError(f"row {index} of an encoding of {len(self._encodings)} rows")
        return self._encodings[index]

    def _place(self, first: int, second: int | None) -> tuple[Encoding, int]:
        """Read (batch_index, index) or (index)."""
        return (self._encoding(0), first) if second is None else (self._encoding(first), second)


def _from_end(token: int, encoding: Encoding) -> int:
    """Let -1 mean the last token."""
    return token + len(encoding) if token < 0 else token


def _from_last_word(word: int, encoding: Encoding) -> int:
    """Let -1 mean the last word."""
    if word >= 0:
        return word
    return word + 1 + max((one for one in encoding.word_ids if one is not None), default=-1)
