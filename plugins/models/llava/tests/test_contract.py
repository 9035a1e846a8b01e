"""LLaVA keeps the model contract."""

from modelry_testing import ModelContract


class TestLlava(ModelContract):
    model_type = "llava"
    without_gradient = ("vision_tower.encoder.layers.1.*", "vision_tower.post_layernorm.*")  # the last but one is seen
