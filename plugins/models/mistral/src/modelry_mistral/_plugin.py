"""What the registry reads: the Mistral family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="mistral",
            config="modelry_mistral.configuration:MistralConfig",
            heads={
                "base": "modelry_mistral.modeling:MistralModel",
                "causal-lm": "modelry_mistral.modeling:MistralForCausalLM",
                "sequence-classification": "modelry_mistral.modeling:MistralForSequenceClassification",
                "token-classification": "modelry_mistral.modeling:MistralForTokenClassification",
                "question-answering": "modelry_mistral.modeling:MistralForQuestionAnswering",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2023-10-10",
            papers=("https://arxiv.org/abs/2310.06825",),
            tiny={
                "model_type": "mistral",
                "vocab_size": 128,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "head_dim": 16,
                "max_position_embeddings": 128,
                "sliding_window": 6,
                "pad_token_id": 0,
                "bos_token_id": 1,
                "eos_token_id": 2,
            },
        )
    )
