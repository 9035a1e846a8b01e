"""What the registry reads: the Mamba family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="mamba",
            config="modelry_mamba.configuration:MambaConfig",
            heads={
                "base": "modelry_mamba.modeling:MambaModel",
                "causal-lm": "modelry_mamba.modeling:MambaForCausalLM",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2023-12-01",
            papers=("https://arxiv.org/abs/2312.00752",),
            tiny={
                "model_type": "mamba",
                "vocab_size": 128,
                "hidden_size": 32,
                "state_size": 8,
                "num_hidden_layers": 2,
                "conv_kernel": 4,
                "expand": 2,
                "pad_token_id": 0,
                "bos_token_id": 1,
                "eos_token_id": 2,
                "tie_word_embeddings": False,
            },
        )
    )
