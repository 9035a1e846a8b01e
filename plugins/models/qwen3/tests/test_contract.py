"""Qwen3 keeps the model contract."""

from modelry_testing import ModelContract


class TestQwen3(ModelContract):
    model_type = "qwen3"
    reference = "transformers:Qwen3ForCausalLM"
    compiles = True
