"""mBART keeps the model contract."""

from modelry_testing import ModelContract


class TestMBart(ModelContract):
    model_type = "mbart"
