"""BART keeps the model contract."""

from modelry_testing import ModelContract


class TestBart(ModelContract):
    model_type = "bart"
