"""Donut's image encoder keeps the model contract."""

from modelry_testing import ModelContract


class TestDonutSwin(ModelContract):
    model_type = "donut-swin"
