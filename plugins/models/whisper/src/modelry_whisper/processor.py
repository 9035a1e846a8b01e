"""The feature extractor and the tokenizer of this family as one."""

from collections.abc import Mapping
from typing import Any, ClassVar

from modelry.preprocessing.audio.log_mel import LogMelExtractor
from modelry.preprocessing.audio.speech_processor import SpeechProcessor
from modelry.preprocessing.preprocessor import Preprocessor
from modelry_whisper.tokenizer import WhisperTokenizer


class WhisperProcessor(SpeechProcessor):
    """Spectrograms in, text out; text in, labels out."""

    parts: ClassVar[Mapping[str, type[Preprocessor] | str]] = {
        "feature_extractor": LogMelExtractor,
        "tokenizer": WhisperTokenizer,
    }

    def get_prompt_ids(self, text: str, **options: Any) -> Any:
        """The tokenizer's get_prompt_ids."""
        return self.tokenizer.get_prompt_ids(text, **options)
