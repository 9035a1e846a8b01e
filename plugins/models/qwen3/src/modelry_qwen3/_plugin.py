"""What the registry reads: the Qwen3 family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="qwen3",
            config="modelry_qwen3.configuration:Qwen3Config",
            heads={
                "base": "modelry_qwen3.modeling:Qwen3Model",
                "causal-lm": "modelry_qwen3.modeling:Qwen3ForCausalLM",
                "sequence-classification": "modelry_qwen3.modeling:Qwen3ForSequenceClassification",
                "token-classification": "modelry_qwen3.modeling:Qwen3ForTokenClassification",
                "question-answering": "modelry_qwen3.modeling:Qwen3ForQuestionAnswering",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2025-04-28",
            papers=("https://arxiv.org/abs/2505.09388",),
            tiny={
                "model_type": "qwen3",
                "vocab_size": 128,
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "head_dim": 16,
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
