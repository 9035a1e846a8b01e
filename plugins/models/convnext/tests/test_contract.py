"""ConvNeXT keeps the model contract."""

from modelry_testing import ModelContract


class TestConvNext(ModelContract):
    model_type = "convnext"
    compiles = True
    without_gradient = ("layernorm.*",)  # of the pooled vector; the base model's loss is that of its maps
