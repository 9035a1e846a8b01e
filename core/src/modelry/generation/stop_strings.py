"""Text that ends a row, wherever its characters fall among the tokens. No torch here."""

from collections.abc import Sequence
from typing import Any

from modelry.errors import GenerationError


class StopStrings:
    """Says whether the last token of a row completes a stop string. The time this takes does not grow with the text.

    Only the end of a row is decoded: as many tokens as the longest string has bytes, since a token holds at least one,
    and a few more so that half characters and stripped spaces at the cut do no harm. So it works with every tokenizer
    that decodes.

    Args:
        strings: one or several.
        tokenizer: has `decode`.

    Raises:
        GenerationError: no tokenizer, or an empty string.
    """

    margin = 6

    def __init__(self, strings: str | Sequence[str], tokenizer: Any) -> None:
        self.strings = (strings,) if isinstance(strings, str) else tuple(strings)
        if tokenizer is None:
            raise GenerationError(
                f"stop_strings={list(self.strings)} needs the tokenizer: generate(..., tokenizer=tokenizer)"
            )
        if not self.strings or "" in self.strings:
            raise GenerationError(f"stop_strings={list(self.strings)}: an empty string would stop everything at once")
        self.reach = max(len(one.encode()) for one in self.strings) + self.margin
        self._tokenizer = tokenizer

    def completed_by(self, ids: Sequence[int]) -> bool:
        """Whether a stop string ends inside the last of these ids; `reach` of them are enough."""
        tail = list(ids[-self.reach :])
        text = self._decode(tail)
        found = [(start, one) for one in self.strings if (start := text.rfind(one)) >= 0]
        if not found:
            return False
        # Half a character decodes to a sign that the next token replaces.
        before = len(self._decode(tail[:-1]).rstrip("\N{REPLACEMENT CHARACTER}"))
        return any(start + len(one) > before for start, one in found)

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text
