"""Texts in one language in, the same in another out."""

from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import Field

from modelry.errors import ParameterError
from modelry.pipelines import TaskParameters
from modelry.pipelines.text_to_text import TextToTextParameters, TextToTextPipeline

PAIR = "translation_"
"""What names of pairs of languages in a checkpoint's task_specific_params begin with."""


@runtime_checkable
class KnowsLanguages(Protocol):
    """A tokenizer with a token for each language, as mBART's."""

    src_lang: str

    def language_id(self, language: str) -> int:
        """Id of a language's token."""


class TranslationParameters(TextToTextParameters):
    """Keywords of a translation."""

    src_lang: str | None = Field(None, description="language of the texts, as the checkpoint calls it: en_XX, en")
    tgt_lang: str | None = Field(None, description="language of the answers")


class TranslationPipeline(TextToTextPipeline[TranslationParameters]):
    """Translate: `[{"translation_text": …}]`.

    The languages are said by `src_lang` and `tgt_lang`, or by the name of the task: `translation_en_to_fr`. Models for
    one pair need neither.
    """

    parameters_class: ClassVar[type[TaskParameters]] = TranslationParameters
    answer_name = "translation"

    def purpose(self, parameters: TranslationParameters) -> str:
        return f"{PAIR}{parameters.src_lang}_to_{parameters.tgt_lang}"

    def encoded(self, text: str, parameters: TranslationParameters, **options: Any) -> list[int]:
        self._check(parameters)
        tokenizer: object = self.tokenizer
        if isinstance(tokenizer, KnowsLanguages) and parameters.src_lang is not None:
            tokenizer.src_lang = parameters.src_lang
        return super().encoded(text, parameters, **options)

    def generation(self, parameters: TranslationParameters) -> dict[str, Any]:
        said = super().generation(parameters)
        if isinstance(self.tokenizer, KnowsLanguages) and parameters.tgt_lang is not None:
            said.setdefault("forced_bos_token_id", self.tokenizer.language_id(parameters.tgt_lang))
        return said

    def _check(self, parameters: TranslationParameters) -> None:
        """Refuse languages that the model does not have, and a call without any where it has several.

        Raises:
            ParameterError: says which there are.
        """
        source, target = parameters.src_lang, parameters.tgt_lang
        if isinstance(self.tokenizer, KnowsLanguages):
            if source is None or target is None:
                raise ParameterError(
                    f"src_lang is {source!r} and tgt_lang {target!r}: this model translates between many languages, so "
                    "both are needed"
                )
            return
        specific = getattr(self.model.config, "task_specific_params", None) or {}
        pairs = sorted(name for name in specific if name.startswith(PAIR))
        if pairs and parameters.prefix is None and self.purpose(parameters) not in pairs:
            raise ParameterError(
                f"src_lang is {source!r} and tgt_lang {target!r}: this model was trained for {', '.join(pairs)}. "
                "Name one of them as the task, or say prefix="
            )
