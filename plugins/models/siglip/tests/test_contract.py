"""SigLIP and its two sides keep the model contract."""

from modelry_testing import ModelContract


class TestSiglipTextModel(ModelContract):
    model_type = "siglip_text_model"
    compiles = True


class TestSiglipVisionModel(ModelContract):
    model_type = "siglip_vision_model"
    compiles = True


class TestSiglip(ModelContract):
    model_type = "siglip"
    compiles = True
