"""Llama keeps the model contract."""

from modelry_testing import ModelContract


class TestLlama(ModelContract):
    model_type = "llama"
    reference = "transformers:LlamaForCausalLM"
    compiles = True
