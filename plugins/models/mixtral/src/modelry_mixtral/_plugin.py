"""What the registry reads: the Mixtral family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="mixtral",
            config="modelry_mixtral.configuration:MixtralConfig",
            heads={
                "base": "modelry_mixtral.modeling:MixtralModel",
                "causal-lm": "modelry_mixtral.modeling:MixtralForCausalLM",
                "sequence-classification": "modelry_mixtral.modeling:MixtralForSequenceClassification",
                "token-classification": "modelry_mixtral.modeling:MixtralForTokenClassification",
                "question-answering": "modelry_mixtral.modeling:MixtralForQuestionAnswering",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2023-12-11",
            papers=("https://arxiv.org/abs/2401.04088",),
            tiny={
                "model_type": "mixtral",
                "vocab_size": 128,
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "num_local_experts": 4,
                "num_experts_per_tok": 2,
                "max_position_embeddings": 128,
                "pad_token_id": 0,
                "bos_token_id": 1,
                "eos_token_id": 2,
            },
        )
    )
