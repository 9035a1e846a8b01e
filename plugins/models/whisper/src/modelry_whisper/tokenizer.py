"""Whisper's tokenizer: byte-level pieces, tokens that instruct, and tokens that are times.

T tokens
"""

import re
from typing import Any

from modelry.errors import PreprocessorError
from modelry.preprocessing.tensors import as_lists
from modelry.preprocessing.tokenizer import Tokenizer
from modelry_whisper.languages import CODES
from modelry_whisper.words import Word, words_of

BEGIN, BEFORE, NO_TIMES = "<|startoftranscript|>", "<|startofprev|>", "<|notimestamps|>"
STEP = 0.02
"""Seconds from one time stamp to the next."""
_TIME = re.compile(r"<\|(\d+\.\d+)\|>")


class WhisperTokenizer(Tokenizer):
    """A tokenizer whose texts may carry time stamps, `<|1.04|>`."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.language: str | None = settings.get("language")
        self.task: str | None = settings.get("task")

    @property
    def timestamp_begin(self) -> int:
        """The token of 0.00 seconds.

        Raises:
            PreprocessorError: the vocabulary is none of Whisper's.
        """
        found = self._backend.token_to_id(NO_TIMES)
        if found is None:
            raise PreprocessorError(f"{self.name_or_path or 'this tokenizer'} has no {NO_TIMES}: it is no Whisper's")
        return found + 1

    def language_name(self, language: int | str) -> str:
        """The name of a language, "german", of its token, code or name."""
        token = self._backend.id_to_token(language) if isinstance(language, int) else language
        said = str(token).strip("<|>").lower()
        return next((name for name, code in CODES.items() if said in (name, code)), said)

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        *,
        output_offsets: bool = False,
        time_precision: float = STEP,
        decode_with_timestamps: bool = False,
    ) -> Any:
        """Turn ids into text.

        Args:
            token_ids: (T,), or (batch, T) for a list of answers.
            skip_special_tokens: leave instructions out, and a text that was given to go before.
            output_offsets: return {"text": …, "offsets": [{"text": …, "timestamp": (begin, end)}, …]}, in seconds.
            time_precision: seconds from one time stamp to the next.
            decode_with_timestamps: write time stamps as <|1.04|>; they are left out otherwise.
        """
        ids = as_lists(token_ids)
        options: dict[str, Any] = {
            "output_offsets": output_offsets,
            "time_precision": time_precision,
            "decode_with_timestamps": decode_with_timestamps,
        }
        if isinstance(ids, list | tuple) and ids and isinstance(ids[0], list | tuple):
            return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces, **options) for row in ids]
        row = [ids] if isinstance(ids, int) else list(ids)
        if skip_special_tokens:
            row = self._without_prompt(row)
        text = self._stamped(row, skip_special_tokens, clean_up_tokenization_spaces, time_precision)
        plain = text if decode_with_timestamps else _TIME.sub("", text)
        if not output_offsets:
            return plain
        return {"text": plain, "offsets": self.offsets(row, time_precision=time_precision)}

    def batch_decode(  # type: ignore[override]  # time stamps have options of their own
        self, sequences: Any, skip_special_tokens: bool = False, **options: Any
    ) -> list[Any]:
        """One text a row."""
        return [self.decode(row, skip_special_tokens, **options) for row in as_lists(sequences)]

    def offsets(self, token_ids: list[int], *, time_precision: float = STEP) -> list[dict[str, Any]]:
        """The pieces of a text between time stamps, with begin and end in seconds.

        A piece whose end was not written (the sound was cut) is left out, as published.
        """
        first, found = self.timestamp_begin, []
        begin: int | None = None
        words: list[int] = []
        for token in token_ids:
            if token < first:
                words.append(token)
                continue
            if begin is not None and words:
                text = super().decode(words, skip_special_tokens=True)
                times = (round((begin - first) * time_precision, 2), round((token - first) * time_precision, 2))
                found.append({"text": text, "timestamp": times})
            begin, words = token, []
        return found

    def words(self, token_ids: list[int], *, language: str | None = None) -> list[Word]:
        """The words of a text without time stamps, each with the places of its tokens.

        Args:
            language: name or code, since some write no spaces; the tokenizer's own when None.
        """
        end = self.eos_token_id
        return words_of(
            token_ids,
            lambda some: self.decode(some, decode_with_timestamps=True),
            end=self.timestamp_begin if end is None else end,
            language=language or self.language,
        )

    def get_prompt_ids(self, text: str, return_tensors: str | None = None) -> Any:
        """Ids of a text that goes before, for generate(prompt_ids=…).

        Raises:
            PreprocessorError: the text holds an instruction, which would be obeyed.
        """
        encoded = self(" " + text.strip(), add_special_tokens=False)["input_ids"]
        special = set(self.all_special_ids)
        wrong = next((token for token in encoded if token in special), None)
        if wrong is not None:
            raise PreprocessorError(f"the prompt holds {self.convert_ids_to_tokens(wrong)!r}, which is no text")
        ids = [self._number(BEFORE), *encoded]
        if return_tensors is None:
            return ids
        from modelry.preprocessing.tensors import as_tensor

        return as_tensor("prompt_ids", ids, return_tensors)

    def get_decoder_prompt_ids(
        self, task: str | None = None, language: str | None = None, no_timestamps: bool = True
    ) -> list[tuple[int, int]]:
        """Numbered tokens that stand behind the first, as old files have them in forced_decoder_ids."""
        tokens = []
        if language is not None:
            name = language.lower()
            tokens.append(name if name.startswith("<|") else f"<|{CODES.get(name, name)}|>")
        if task is not None:
            tokens.append(f"<|{task}|>")
        if no_timestamps:
            tokens.append(NO_TIMES)
        return [(place, self._number(token)) for place, token in enumerate(tokens, start=1)]

    def _number(self, token: str) -> int:
        found = self._backend.token_to_id(token)
        if found is None:
            raise PreprocessorError(f"{self.name_or_path or 'this tokenizer'} has no token {token}")
        return found

    def _without_prompt(self, row: list[int]) -> list[int]:
        before, begin = self._backend.token_to_id(BEFORE), self._backend.token_to_id(BEGIN)
        if row and row[0] == before and begin in row:
            return row[row.index(begin) :]
        return row

    def _stamped(self, row: list[int], skip: bool, clean: bool | None, precision: float) -> str:
        """Text with its time stamps written out, whether or not the vocabulary has names for them."""
        if self._backend.token_to_id(NO_TIMES) is None:
            text: str = super().decode(row, skip, clean)
            return text
        first, parts, words = self.timestamp_begin, [], []
        for token in row:
            if token < first:
                words.append(token)
                continue
            parts += [super().decode(words, skip, clean) if words else "", f"<|{(token - first) * precision:.2f}|>"]
            words = []
        return "".join([*parts, super().decode(words, skip, clean) if words else ""])
