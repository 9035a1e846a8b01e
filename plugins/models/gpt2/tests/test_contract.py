"""GPT-2 keeps the model contract."""

from modelry_testing import ModelContract


class TestGPT2(ModelContract):
    model_type = "gpt2"
    reference = "transformers:GPT2LMHeadModel"
    compiles = True
