"""The Swin Transformer keeps the model contract."""

from modelry_testing import ModelContract


class TestSwin(ModelContract):
    model_type = "swin"
    compiles = True
