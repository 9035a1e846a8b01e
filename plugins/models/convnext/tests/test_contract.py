"""ConvNeXT keeps the model contract."""

from modelry_testing import ModelContract


class TestConvNext(ModelContract):
    model_type = "convnext"
    compiles = True
