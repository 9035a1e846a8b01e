"""Qwen2 keeps the model contract."""

from modelry_testing import ModelContract


class TestQwen2(ModelContract):
    model_type = "qwen2"
    reference = "transformers:Qwen2ForCausalLM"
    compiles = True
