"""The Modelry kernel: configuration, models, preprocessors, generation and pipelines.

Importing it imports nothing else; a name brings its room along when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for readers of types, who do not run __getattr__
    from modelry.auto import *  # noqa: F403  for type checkers; at run time names are loaded on use
    from modelry.cache import Cache as Cache
    from modelry.configuration import ModelConfig as ModelConfig
    from modelry.generation import *  # noqa: F403  for type checkers; at run time names are loaded on use
    from modelry.model import PreTrainedModel as PreTrainedModel
    from modelry.pipelines import Pipeline as Pipeline
    from modelry.pipelines import pipeline as pipeline
    from modelry.preprocessing import *  # noqa: F403  for type checkers; at run time names are loaded on use
    from modelry.quantization import Quantizer as Quantizer

_ROOMS = {
    "modelry.configuration": "ModelConfig",
    "modelry.model": "PreTrainedModel",
    "modelry.auto": (
        "AutoConfig AutoTokenizer AutoImageProcessor AutoVideoProcessor AutoFeatureExtractor AutoProcessor AutoModel "
        "AutoModelForCausalLM AutoModelForSeq2SeqLM AutoModelForMaskedLM AutoModelForPreTraining "
        "AutoModelForSequenceClassification AutoModelForTokenClassification AutoModelForQuestionAnswering "
        "AutoModelForMultipleChoice AutoModelForNextSentencePrediction AutoModelForTableQuestionAnswering "
        "AutoModelForDocumentQuestionAnswering AutoModelForVisualQuestionAnswering AutoModelForImageClassification "
        "AutoModelForZeroShotImageClassification AutoModelForImageSegmentation AutoModelForSemanticSegmentation "
        "AutoModelForInstanceSegmentation AutoModelForUniversalSegmentation AutoModelForObjectDetection "
        "AutoModelForZeroShotObjectDetection AutoModelForDepthEstimation AutoModelForKeypointDetection "
        "AutoModelForKeypointMatching AutoModelForMaskedImageModeling AutoModelForMaskGeneration "
        "AutoModelForImageToImage AutoModelForImageTextToText AutoModelForMultimodalLM AutoModelForVideoClassification "
        "AutoModelForAudioClassification AutoModelForAudioFrameClassification AutoModelForAudioXVector "
        "AutoModelForCTC AutoModelForSpeechSeq2Seq AutoModelForTextToSpectrogram AutoModelForTextToWaveform "
        "AutoModelForAudioTokenization AutoModelForTextEncoding AutoModelForTimeSeriesPrediction AutoBackbone"
    ),
    "modelry.preprocessing": (
        "Tokenizer BatchEncoding Preprocessor ImageProcessor VideoProcessor FeatureExtractor Processor"
    ),
    "modelry.generation": (
        "GenerationConfig TextStreamer TextIteratorStreamer AsyncTextIteratorStreamer StoppingCriteria "
        "StoppingCriteriaList LogitsProcessor LogitsProcessorList"
    ),
    "modelry.pipelines": "Pipeline pipeline",
    "modelry.quantization": "Quantizer",
    "modelry.cache": "Cache",
}
"""Module to the public names it has."""

_MODULES = ("errors", "outputs")
"""Modules that are public under their own names."""

_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}

__version__ = "0.1.0"
__all__ = ["__version__", *_MODULES, *sorted(_ROOM_OF)]  # noqa: PLE0604  the names are strings


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"modelry.{name}")
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module 'modelry' has no attribute {name!r}")
    value = getattr(importlib.import_module(room), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_ROOM_OF})
