"""Depth Anything keeps the model contract."""

from modelry_testing import ModelContract


class TestDepthAnything(ModelContract):
    model_type = "depth_anything"
    compiles = True
    without_gradient = (
        "backbone.embeddings.mask_token",  # nothing is masked
        "neck.fusion_stage.layers.0.residual_layer1.*",  # published, and never called: nothing finer comes before
    )
