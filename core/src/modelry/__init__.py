"""The Modelry kernel: configuration, models, preprocessors, generation and pipelines.

Importing it imports almost nothing; a name brings its room along when it is first used.
"""

from typing import TYPE_CHECKING, Any

from modelry_registry.lazy import lazy_names

if TYPE_CHECKING:  # for readers of types, who do not run __getattr__
    from modelry.auto import *  # noqa: F403  for type checkers; at run time names are loaded on use
    from modelry.auto_heads import *  # noqa: F403  for type checkers, as above
    from modelry.cache import Cache as Cache
    from modelry.configuration import ModelConfig as ModelConfig
    from modelry.generation import AsyncTextIteratorStreamer as AsyncTextIteratorStreamer
    from modelry.generation import GenerationConfig as GenerationConfig
    from modelry.generation import LogitsProcessor as LogitsProcessor
    from modelry.generation import LogitsProcessorList as LogitsProcessorList
    from modelry.generation import StoppingCriteria as StoppingCriteria
    from modelry.generation import StoppingCriteriaList as StoppingCriteriaList
    from modelry.generation import TextIteratorStreamer as TextIteratorStreamer
    from modelry.generation import TextStreamer as TextStreamer
    from modelry.model import PreTrainedModel as PreTrainedModel
    from modelry.pipelines import Pipeline as Pipeline
    from modelry.pipelines import pipeline as pipeline
    from modelry.preprocessing import *  # noqa: F403  for type checkers; at run time names are loaded on use
    from modelry.quantization import Quantizer as Quantizer

_ROOMS = {
    "configuration": "ModelConfig",
    "model": "PreTrainedModel",
    "auto": (
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
    "preprocessing": ("Tokenizer BatchEncoding Preprocessor ImageProcessor VideoProcessor FeatureExtractor Processor"),
    "generation": (
        "GenerationConfig TextStreamer TextIteratorStreamer AsyncTextIteratorStreamer StoppingCriteria "
        "StoppingCriteriaList LogitsProcessor LogitsProcessorList"
    ),
    "pipelines": "Pipeline pipeline",
    "quantization": "Quantizer",
    "cache": "Cache",
}
"""Module to the public names it has."""

_MODULES = ("errors", "outputs")
"""Modules that are public under their own names."""

__version__ = "0.1.0"
__all__ = ["__version__", *_MODULES, *sorted(" ".join(_ROOMS.values()).split())]  # noqa: PLE0604  the names are strings

_find, _names = lazy_names(__name__, _ROOMS, modules=_MODULES)


def __getattr__(name: str) -> Any:
    try:
        return _find(name)
    except AttributeError:
        if name.startswith("_") or name in __all__:  # what Python itself asks for is nobody's public name
            raise
    return _of_plugin(name)


def _of_plugin(name: str) -> Any:
    """A public name that a package provides by the entry points "modelry.names.v1": the kernel knows none of them.

    Raises:
        MissingPlugin: a known package provides it and is not installed.
        AttributeError: nobody knows the name.
    """
    from modelry_registry import UnknownName, get_registry, resolve

    try:
        spec = get_registry().get("names", name)
    except UnknownName:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return resolve(spec.value)


def __dir__() -> list[str]:
    return _names()
