"""The contracts that every Modelry plugin keeps. Subclass one, name the plugin, and pytest runs its checks.

from modelry_testing import ModelContract

class TestLlama(ModelContract):
    model_type = "llama"
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelry_testing.attention_contract import AttentionContract
    from modelry_testing.contract import Contract
    from modelry_testing.decoder_contract import DecoderContract
    from modelry_testing.errors import ContractBroken
    from modelry_testing.feature_extractor_contract import FeatureExtractorContract
    from modelry_testing.image_processor_contract import ImageProcessorContract
    from modelry_testing.model_contract import ModelContract
    from modelry_testing.preprocessor_contract import PreprocessorContract
    from modelry_testing.quantizer_contract import QuantizerContract
    from modelry_testing.task_contract import TaskContract
    from modelry_testing.tokenizer_contract import TokenizerContract
    from modelry_testing.video_processor_contract import VideoProcessorContract

__all__ = [
    "AttentionContract",
    "Contract",
    "ContractBroken",
    "DecoderContract",
    "FeatureExtractorContract",
    "ImageProcessorContract",
    "ModelContract",
    "PreprocessorContract",
    "QuantizerContract",
    "TaskContract",
    "TokenizerContract",
    "VideoProcessorContract",
]

_ROOMS = {
    "AttentionContract": "attention_contract",
    "Contract": "contract",
    "ContractBroken": "errors",
    "DecoderContract": "decoder_contract",
    "FeatureExtractorContract": "feature_extractor_contract",
    "ImageProcessorContract": "image_processor_contract",
    "ModelContract": "model_contract",
    "PreprocessorContract": "preprocessor_contract",
    "QuantizerContract": "quantizer_contract",
    "TaskContract": "task_contract",
    "TokenizerContract": "tokenizer_contract",
    "VideoProcessorContract": "video_processor_contract",
}


def __getattr__(name: str) -> object:
    """Import a contract on use: the pytest plugin imports this package, and must not import torch."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'modelry_testing' has no attribute {name!r}")
    value: object = getattr(import_module(f"modelry_testing.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
