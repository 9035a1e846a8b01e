"""Mixtral keeps the model contract."""

from modelry_testing import ModelContract


class TestMixtral(ModelContract):
    model_type = "mixtral"
    reference = "transformers:MixtralForCausalLM"
