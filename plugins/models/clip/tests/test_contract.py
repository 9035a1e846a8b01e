"""CLIP and its two sides keep the model contract."""

from modelry_testing import ModelContract


class TestCLIPTextModel(ModelContract):
    model_type = "clip_text_model"
    compiles = True


class TestCLIPVisionModel(ModelContract):
    model_type = "clip_vision_model"
    compiles = True


class TestCLIP(ModelContract):
    model_type = "clip"
    compiles = True
