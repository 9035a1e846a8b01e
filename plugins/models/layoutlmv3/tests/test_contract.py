"""LayoutLMv3 keeps the contracts of models, tokenizers and image processors."""

from modelry_testing import ImageProcessorContract, ModelContract, TokenizerContract


class TestLayoutLMv3(ModelContract):
    model_type = "layoutlmv3"


class TestLayoutLMv3Tokenizer(TokenizerContract):
    model_type = "layoutlmv3"


class TestLayoutLMv3ImageProcessor(ImageProcessorContract):
    model_type = "layoutlmv3"
