"""DINOv2 keeps the model contract."""

from modelry_testing import ModelContract


class TestDinov2(ModelContract):
    model_type = "dinov2"
    compiles = True
    without_gradient = ("embeddings.mask_token",)  # nothing is masked
