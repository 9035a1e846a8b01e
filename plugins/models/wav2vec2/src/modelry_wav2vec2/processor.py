"""The feature extractor and the tokenizer of this family as one."""

from collections.abc import Mapping
from typing import ClassVar

from modelry.preprocessing.audio.speech_processor import SpeechProcessor
from modelry.preprocessing.audio.waveform import WaveformExtractor
from modelry.preprocessing.preprocessor import Preprocessor
from modelry_wav2vec2.tokenizer import Wav2Vec2CTCTokenizer


class Wav2Vec2Processor(SpeechProcessor):
    """Waveforms in, text out; text in, labels out."""

    parts: ClassVar[Mapping[str, type[Preprocessor] | str]] = {
        "feature_extractor": WaveformExtractor,
        "tokenizer": Wav2Vec2CTCTokenizer,
    }
