"""Mistral keeps the model contract."""

from modelry_testing import ModelContract


class TestMistral(ModelContract):
    model_type = "mistral"
    reference = "transformers:MistralForCausalLM"
    compiles = True
