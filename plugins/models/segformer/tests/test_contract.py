"""SegFormer keeps the model contract."""

from modelry_testing import ModelContract


class TestSegformer(ModelContract):
    model_type = "segformer"
    compiles = True
