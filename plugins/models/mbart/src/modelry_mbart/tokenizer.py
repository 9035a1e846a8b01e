"""mBART's tokenizer: a language's token beside each text, behind it in the first mBART and before it in mBART-50."""

import re
from typing import Any

from tokenizers import processors

from modelry.errors import PreprocessorError
from modelry.preprocessing.encoding import BatchEncoding
from modelry.preprocessing.tokenizer import Tokenizer

_LANGUAGE = re.compile(r"[a-z]{2,3}_[A-Z][A-Za-z]+")
"""What a language's token looks like: "en_XX", "zh_CN"."""


class MBartTokenizer(Tokenizer):
    """The kernel's tokenizer with `src_lang`, the language of texts, and `tgt_lang`, that of `text_target`.

    A file whose tokenizer_class is MBart50Tokenizer has the language first; all others have it last.
    """

    def __init__(
        self, *arguments: Any, src_lang: str | None = None, tgt_lang: str | None = None, **settings: Any
    ) -> None:
        super().__init__(*arguments, **settings)
        self._language_first = "MBart50" in str(settings.get("tokenizer_class", ""))
        self._src_lang = self._tgt_lang = ""
        known = self.languages
        first = "en_XX" if "en_XX" in known else next(iter(known), None)
        if src_lang is not None or first is not None:
            self.src_lang = src_lang or str(first)
        self.tgt_lang = tgt_lang

    @property
    def languages(self) -> list[str]:
        """The languages there is a token for, by id."""
        return [token for token in self.added_tokens_encoder if _LANGUAGE.fullmatch(token)]

    @property
    def src_lang(self) -> str:
        """Language of the texts that are read; setting it changes what stands beside them.

        Raises:
            PreprocessorError: there is no token for it.
        """
        return self._src_lang

    @src_lang.setter
    def src_lang(self, language: str) -> None:
        self._stand_beside(language)
        self._src_lang = self.init_kwargs["src_lang"] = language

    @property
    def tgt_lang(self) -> str | None:
        """Language of the texts that are to be written; src_lang where None."""
        return self._tgt_lang or None

    @tgt_lang.setter
    def tgt_lang(self, language: str | None) -> None:
        if language is not None:
            self.language_id(language)
        self._tgt_lang = language or ""
        self.init_kwargs["tgt_lang"] = language

    def language_id(self, language: str) -> int:
        """Id of a language's token: what answers in it begin with (`forced_bos_token_id`).

        Raises:
            PreprocessorError: there is none; names those there are.
        """
        found = self.added_tokens_encoder.get(language)
        if found is None or language not in self.languages:
            known = ", ".join(self.languages) or "none"
            raise PreprocessorError(f"no language is called {language!r}; there are {known}")
        return found

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        text_target: Any = None,
        text_pair_target: Any = None,
        **options: Any,
    ) -> BatchEncoding:
        """As the kernel's, with targets in `tgt_lang`; see `modelry.preprocessing.tokenizer.Tokenizer`."""
        if text_target is None:
            return super().__call__(text, text_pair, **options)
        encoding = None if text is None else super().__call__(text, text_pair, **options)
        self._stand_beside(self.tgt_lang or self.src_lang)
        try:
            targets = super().__call__(text_target, text_pair_target, **options)
        finally:
            self._stand_beside(self.src_lang)
        if encoding is None:
            return targets
        encoding["labels"] = targets["input_ids"]
        return encoding

    def _stand_beside(self, language: str) -> None:
        code = f"{language}:0"
        before, after = (f"{code} ", "") if self._language_first else ("", f" {code}")
        end, end_id = self.eos_token, self.eos_token_id
        if end is None or end_id is None:
            raise PreprocessorError("the tokenizer has no eos_token, which ends every text of this model")
        ids = [(language, self.language_id(language)), (end, end_id)]
        with self._lock:
            self.backend_tokenizer.post_processor = processors.TemplateProcessing(
                single=f"{before}$A:0 {end}:0{after}", pair=f"{before}$A:0 $B:0 {end}:0{after}", special_tokens=ids
            )
