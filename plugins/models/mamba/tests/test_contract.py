"""Mamba keeps the model contract."""

from modelry_testing import ModelContract


class TestMamba(ModelContract):
    model_type = "mamba"
    reference = "transformers:MambaForCausalLM"
