"""What the registry reads: the Qwen2 family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="qwen2",
            config="modelry_qwen2.configuration:Qwen2Config",
            heads={
                "base": "modelry_qwen2.modeling:Qwen2Model",
                "causal-lm": "modelry_qwen2.modeling:Qwen2ForCausalLM",
                "sequence-classification": "modelry_qwen2.modeling:Qwen2ForSequenceClassification",
                "token-classification": "modelry_qwen2.modeling:Qwen2ForTokenClassification",
                "question-answering": "modelry_qwen2.modeling:Qwen2ForQuestionAnswering",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2024-06-07",
            papers=("https://arxiv.org/abs/2407.10671", "https://arxiv.org/abs/2412.15115"),
            tiny={
                "model_type": "qwen2",
                "vocab_size": 128,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "max_position_embeddings": 128,
                "use_sliding_window": True,
                "sliding_window": 6,
                "max_window_layers": 1,
                "pad_token_id": 0,
                "bos_token_id": 1,
                "eos_token_id": 2,
            },
        )
    )
