"""DeiT keeps the model contract."""

from modelry_testing import ModelContract


class TestDeiT(ModelContract):
    model_type = "deit"
    compiles = True
    without_gradient = ("pooler.*",)  # the loss of the base model is that of its hidden states
