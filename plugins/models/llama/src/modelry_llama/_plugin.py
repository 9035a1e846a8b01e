"""What the registry reads: the Llama family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="llama",
            config="modelry_llama.configuration:LlamaConfig",
            heads={
                "base": "modelry_llama.modeling:LlamaModel",
                "causal-lm": "modelry_llama.modeling:LlamaForCausalLM",
                "sequence-classification": "modelry_llama.modeling:LlamaForSequenceClassification",
                "token-classification": "modelry_llama.modeling:LlamaForTokenClassification",
                "question-answering": "modelry_llama.modeling:LlamaForQuestionAnswering",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2023-02-24",
            papers=("https://arxiv.org/abs/2302.13971", "https://arxiv.org/abs/2307.09288"),
            tiny={
                "model_type": "llama",
                "vocab_size": 128,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "head_dim": 16,
                "max_position_embeddings": 128,
                "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
                "pad_token_id": 0,
                "bos_token_id": 1,
                "eos_token_id": 2,
            },
        )
    )
