"""What the registry reads: the Qwen3-MoE family."""

from modelry_registry import ModelFamily, Registrar, hookimpl


@hookimpl
def modelry_register(registrar: Registrar) -> None:
    """Declare the family."""
    registrar.model(
        ModelFamily(
            model_type="qwen3_moe",
            config="modelry_qwen3_moe.configuration:Qwen3MoeConfig",
            heads={
                "base": "modelry_qwen3_moe.modeling:Qwen3MoeModel",
                "causal-lm": "modelry_qwen3_moe.modeling:Qwen3MoeForCausalLM",
                "sequence-classification": "modelry_qwen3_moe.modeling:Qwen3MoeForSequenceClassification",
                "token-classification": "modelry_qwen3_moe.modeling:Qwen3MoeForTokenClassification",
                "question-answering": "modelry_qwen3_moe.modeling:Qwen3MoeForQuestionAnswering",
            },
            preprocessors={"tokenizer": "modelry.preprocessing.tokenizer:Tokenizer"},
            modalities=("text",),
            released="2025-04-28",
            papers=("https://arxiv.org/abs/2505.09388",),
            tiny={
                "model_type": "qwen3_moe",
                "vocab_size": 128,
                "hidden_size": 32,
                "intermediate_size": 48,
                "moe_intermediate_size": 24,
                "num_hidden_layers": 3,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "head_dim": 16,
                "num_experts": 6,
                "num_experts_per_tok": 2,
                "mlp_only_layers": [1],
                "norm_topk_prob": True,
                "max_position_embeddings": 128,
                "pad_token_id": 0,
                "bos_token_id": 1,
                "eos_token_id": 2,
            },
        )
    )
