"""The Vision Transformer keeps the model contract."""

from modelry_testing import ModelContract


class TestViT(ModelContract):
    model_type = "vit"
    compiles = True
