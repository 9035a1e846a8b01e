"""An image encoder and a text decoder as one model keep the model contract."""

from modelry_testing import ModelContract


class TestVisionEncoderDecoder(ModelContract):
    model_type = "vision-encoder-decoder"
    without_gradient = ("encoder.pooler.*",)  # the decoder looks at all states, and nobody at their pooled one
