"""Qwen3-MoE keeps the model contract."""

from modelry_testing import ModelContract


class TestQwen3Moe(ModelContract):
    model_type = "qwen3_moe"
    reference = "transformers:Qwen3MoeForCausalLM"
